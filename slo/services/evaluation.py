"""The tick: measure closed minutes, sum windows, decide states and burn alerts.

Each minute is one slot. A doubled tick finds it taken; a missed one is done late, for its own
time; a minute nobody could measure is a gap, which is no data and heals nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from core import ticks
from core.clock import floor_minute
from slo import sources
from slo.domain.figures import STATES
from slo.domain.figures import Round as Figures
from slo.domain.judging import NAMES
from slo.domain.plans import Plan
from slo.domain.windows import Window
from slo.models import Round, Sli, Slo, SloStatus, StateChange
from slo.queries import plans, rounds
from slo.services import adjustments, alerting, slices
from slo.sources import telemetry as source

log = structlog.get_logger(__name__)

JOB = "slo.evaluate"
MINUTE = timedelta(minutes=1)
# Senders flush every few seconds; half a minute lets the slow ones in. Later data is measured again.
CLOSE_AFTER = timedelta(seconds=30)
TRAILING = 3
# A day of missed minutes a tick keeps the task below its time limit; the next tick goes on.
CATCH_UP = 240


@dataclass(frozen=True)
class TickResult:
    """What one tick did.

    Args:
        slots: Minutes evaluated, oldest first.
        remeasured: Older minutes whose counts changed by late data.
    """

    slots: list[datetime]
    remeasured: int


def tick(*, now: datetime) -> TickResult:
    """Evaluate every closed minute that was not evaluated yet, oldest first."""
    source.collect(now=now)
    newest_closed = floor_minute(now - CLOSE_AFTER) - MINUTE
    # Read before anything is measured: what changes from here on is found by the next tick.
    changed = source.changed_minutes(until=newest_closed)
    done = [
        slot
        for slot in ticks.pending_slots(JOB, until=newest_closed, limit=CATCH_UP)
        if evaluate_slot(slot, now=now)
    ]
    fresh = {slot - MINUTE * step for slot in done for step in range(TRAILING + 1)}
    older = sorted({row.minute for row in changed} - fresh)
    with transaction.atomic():
        remeasured = remeasure(older, watermark=newest_closed + MINUTE, now=now)
        source.forget_changes(changed)
    return TickResult(done, remeasured)


@transaction.atomic
def evaluate_slot(slot: datetime, *, now: datetime) -> bool:
    """Measure the minute `slot` and decide what follows at its end; False when already done."""
    claimed = ticks.claim(JOB, slot, now=now)
    if claimed is None:
        return False
    slis = list(Sli.objects.select_related("service", "source"))
    trailing = [slot - MINUTE * step for step in range(TRAILING, -1, -1)]
    slices.write(sources.measure(slis, trailing))
    adjustments.follow(trailing)
    evaluated = refresh_statuses(watermark=slot + MINUTE, now=now)
    ticks.finish(claimed, now=now, slis=len(slis), slos=evaluated)
    return True


def remeasure(minutes: Sequence[datetime], *, watermark: datetime, now: datetime) -> int:
    """Measure older minutes again, whose data arrived after they were closed.

    Returns:
        How many of them changed.
    """
    slis = list(Sli.objects.select_related("service", "source")) if minutes else []
    changed = 0
    for chunk in (minutes[i : i + 60] for i in range(0, len(minutes), 60)):
        changed += slices.write(sources.measure(slis, chunk))
        adjustments.follow(chunk)
    if changed:
        refresh_statuses(watermark=watermark, now=now)
        log.info("late_data_measured", minutes=changed)
    return changed


def refresh_statuses(*, watermark: datetime, now: datetime) -> int:
    """Compute figures, states and alerts of all SLOs at `watermark` and write what is new.

    Returns:
        Number of SLOs evaluated.
    """
    judged = plans.load()
    found = rounds.evaluate(judged, watermark)
    Round.objects.bulk_create(
        [Round(watermark=watermark, evaluated_at=now, data=found.pack())],
        update_conflicts=True,
        unique_fields=["watermark"],
        update_fields=["evaluated_at", "data"],
    )
    record_changes(judged, found)
    alerting.announce(found, now=now)
    return len(found)


def record_changes(judged: Sequence[Plan], found: Figures) -> None:
    """Keep the states that differ from those before, and that they changed."""
    changed = [
        (plan, figures)
        for plan, figures, number in zip(judged, found, found.states.tolist(), strict=True)
        if plan.state_since is None or STATES[number] is not plan.state
    ]
    SloStatus.objects.bulk_create(
        [
            SloStatus(slo_id=plan.pk, state=figures.state, state_since=figures.state_since)
            for plan, figures in changed
        ],
        update_conflicts=True,
        unique_fields=["slo"],
        update_fields=["state", "state_since"],
    )
    StateChange.objects.bulk_create(
        StateChange(
            slo_id=plan.pk,
            at=found.watermark,
            before=plan.state,
            after=figures.state,
            window=NAMES[figures.share.long] if figures.share else "",
            figures={
                "good": figures.good,
                "total": figures.total,
                "measured_minutes": figures.measured_minutes,
                "expected_minutes": figures.expected_minutes,
                "budget_remaining": figures.budget_remaining,
                "burn_rate": {name: figures.burn_rate(name) for name in figures.burn},
            },
        )
        for plan, figures in changed
        if figures.state is not plan.state
    )


def slo_window(slo: Slo, *, end: datetime) -> Window:
    """Return the SLO's window that ends at `end`."""
    return slo.window_rule.own_window(end=end)
