"""Lines of the timeline that say who was called, and what decided it: kept once for all that share it.

A step that calls the same people for two thousand incidents is decided once; two thousand copies of
why would cost more than the calls do.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from core import bulk
from core.alike import insert_alike
from incidents.models import CallDecision, TimelineEntry

__all__ = ["Line", "write_lines"]


class Line(NamedTuple):
    """What happened in one or many incidents.

    Args:
        entry: Columns of the timeline, without the facts.
        facts: What each entry keeps itself.
        decision: What decided it, kept once; `incidents.queries.decisions` puts it back.
    """

    entry: Mapping[str, Any]
    facts: Mapping[str, Any]
    decision: Mapping[str, Any]


def write_lines(lines: Sequence[tuple[Line, Sequence[int]]]) -> None:
    """Write lines in their order, each into the timelines of its incidents; within a transaction."""
    used = [(line, incidents) for line, incidents in lines if incidents]
    decisions = bulk.reserve_ids(CallDecision, len(used))
    bulk.insert_rows(
        CallDecision,
        [
            {"id": decision, "facts": line.decision}
            for decision, (line, _) in zip(decisions, used, strict=True)
        ],
    )
    insert_alike(
        TimelineEntry,
        [
            {**line.entry, "facts": {**line.facts, "decision": decision}}
            for decision, (line, _) in zip(decisions, used, strict=True)
        ],
        [number for number, (_, incidents) in enumerate(used) for _ in incidents],
        {"incident_id": [incident for _, incidents in used for incident in incidents]},
    )
