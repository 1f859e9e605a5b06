"""What decided calls, put back beside the entries of the timeline that name it."""

from collections.abc import Sequence

from incidents.models import CallDecision, TimelineEntry

__all__ = ["with_decisions"]


def with_decisions(entries: Sequence[TimelineEntry]) -> Sequence[TimelineEntry]:
    """Return entries whose facts are whole: with what decided a call, which is stored once for many.

    One query, and none where nobody was called.
    """
    named = {entry.pk: number for entry in entries if (number := _decision(entry)) is not None}
    known = CallDecision.objects.in_bulk({*named.values()}) if named else {}
    for entry in entries:
        decision = known.get(named.get(entry.pk, 0))
        if decision is not None:
            own = {name: fact for name, fact in entry.facts.items() if name != "decision"}
            entry.facts = {**decision.facts, **own}
    return entries


def _decision(entry: TimelineEntry) -> int | None:
    number = entry.facts.get("decision") if isinstance(entry.facts, dict) else None
    return number if isinstance(number, int) else None
