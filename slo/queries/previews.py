"""What a change of an objective would have meant for the last 90 days."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Min

from core.errors import Conflict
from slo.domain.blocks import COUNTERS, HOUR, MINUTE, start_of
from slo.domain.plans import Method, Plan
from slo.domain.replay import LONGEST, Column, Period, Replay, instants, replay
from slo.domain.windows import Version
from slo.models import BEGINNING, SliceBlock, Slo
from slo.queries import adjustments, plans
from slo.queries.slices import SliceReader

DAYS = 90
# Prefixes of all SLIs are read by parts, so that thousands of SLIs take no more memory.
_CHUNK = 300


@dataclass(frozen=True)
class Preview:
    """The last 90 days as they were judged, and as they would have been.

    Args:
        period: What was judged again.
        present: By the SLO as it is, each part by the objective that was in force.
        proposed: By the change, as if it had always been so.
    """

    period: Period
    present: Replay
    proposed: Replay


def of(slo: Slo, changed: Slo, objective: Any, *, watermark: datetime) -> Preview:
    """Return what a change would have meant.

    Args:
        slo: As it is stored.
        changed: The same with other fields, not saved.
        objective: The proposed one.
        watermark: End of the last measured minute.

    Raises:
        Conflict: The SLO is a composite, which has no events of its own to judge again.
    """
    present = plans.of(slo)
    if present.is_composite:
        raise Conflict("A composite has no events of its own: preview its members instead.")
    proposed = _proposed(present, changed, objective)
    period = _period(watermark - present.rule.delay)
    edges = sorted(instants(present, period) | instants(proposed, period))
    column = _column(present, edges)
    return Preview(period, replay(present, column, period), replay(proposed, column, period))


def _proposed(present: Plan, changed: Slo, objective: Any) -> Plan:
    fields = {name: getattr(present, name) for name in Plan.__slots__}
    fields |= {
        "versions": (Version(objective, BEGINNING),),
        "method": Method(changed.method),
        "rule": changed.window_rule._replace(delay=present.rule.delay),
        "minimum_events": changed.minimum_events,
    }
    if changed.policy is not None:
        fields["policy"] = changed.policy.as_domain()
    return Plan(**fields)


def _period(end: datetime) -> Period:
    first = dict(
        SliceBlock.objects.filter(resolution__in=[MINUTE, HOUR])
        .values_list("resolution")
        .annotate(first=Min("start"))
    )
    kept: datetime = first.get(MINUTE) or end
    hour: datetime = first.get(HOUR) or kept
    if hour >= start_of(HOUR, kept):
        # Nothing was forgotten: before the first minute there was nothing.
        kept -= LONGEST + timedelta(hours=1)
    return Period(start_of(HOUR, end - timedelta(days=DAYS)), end, kept)


def _column(plan: Plan, edges: Sequence[datetime]) -> Column:
    counters = np.zeros((len(edges), COUNTERS), dtype=np.int64)
    for first in range(0, len(edges), _CHUNK):
        part = edges[first : first + _CHUNK]
        prefixes = SliceReader().prefixes(part)
        for number, at in enumerate(part):
            block = prefixes[start_of(MINUTE, at)]
            if plan.slot < block.slots:
                counters[first + number] = block.counters[:, plan.slot]
    expected = np.zeros(len(edges), dtype=np.int64)
    if plan.is_adjusted:
        added = adjustments.before(plan.pk, edges)
        counters += added.counters
        expected += added.expected
    return Column(edges, counters, expected)


def daily(found: Replay) -> Iterable[tuple[datetime, float | None]]:
    """Yield how much of the budget was left at the end of each UTC day, and now."""
    last = found.hours[-1]
    for hour in found.hours:
        if hour is last or not hour.at.hour:
            left = hour.judgement.remaining
            yield hour.at, None if left is None else float(left)
