"""The tick: measure closed minutes, sum windows, decide states and burn alerts.

Each minute is one slot. A doubled tick finds it taken; a missed one is done late, for its own
time; a minute nobody could measure is a gap, which is no data and heals nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import structlog
from django.db import transaction

from core import ticks
from core.clock import floor_minute
from slo import sources
from slo.domain import burn_alerts
from slo.domain.blocks import Block
from slo.domain.counts import Counts, Judged, burn_rate, error_budget
from slo.domain.state import State, coverage, next_state
from slo.domain.windows import (
    BURN_WINDOWS,
    Period,
    Version,
    Window,
    calendar_window,
    rolling,
    split_by_version,
)
from slo.models import Sli, Slo, SloStatus
from slo.queries import SliceReader, counts_of
from slo.services import alerting, slices
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
    if changed:
        refresh_statuses(watermark=watermark, now=now)
        log.info("late_data_measured", minutes=changed)
    return changed


def refresh_statuses(
    *, watermark: datetime, now: datetime, slos: Sequence[Slo] | None = None
) -> int:
    """Compute figures, states and alerts of SLOs at `watermark` and write them.

    Returns:
        Number of SLOs evaluated.
    """
    if slos is None:
        slos = list(
            Slo.objects.enabled()
            .select_related("sli__service", "status")
            .prefetch_related("versions")
        )
    figures = [evaluate(slo, reading, watermark) for slo, reading in read(slos, watermark)]
    SloStatus.objects.bulk_create(
        [to_row(figure, now=now) for figure in figures],
        update_conflicts=True,
        unique_fields=["slo"],
        update_fields=[f.name for f in SloStatus._meta.fields if f.name not in {"id", "slo"}],
    )
    for figure in figures:
        alerting.announce(figure, now=now)
    return len(figures)


@dataclass(frozen=True)
class Reading:
    """The sums one SLO needs: its own window and the burn windows, each cut by version."""

    window: Window
    parts: list[Judged]
    burn: dict[str, list[Judged]]


@dataclass(frozen=True)
class Figures:
    """All that is known of one SLO at one watermark."""

    slo: Slo
    watermark: datetime
    window: Window
    counts: Counts
    expected: int
    allowed: Fraction
    remaining: Fraction | None
    burn: dict[str, Fraction | None]
    burn_counts: dict[str, Counts]
    burn_expected: dict[str, int]
    state: State
    governing: burn_alerts.Tier | None
    frozen: bool


def slo_window(slo: Slo, *, end: datetime) -> Window:
    """Return the SLO's window that ends at `end`."""
    if slo.window_kind == Slo.WindowKind.ROLLING:
        return rolling(timedelta(days=slo.window_days), end=end)
    return calendar_window(Period(slo.calendar_period), end=end, zone=slo.timezone)


def read(slos: Sequence[Slo], watermark: datetime) -> list[tuple[Slo, Reading]]:
    """Return every SLO's sums; windows that several SLOs share are summed once."""
    plans = []
    for slo in slos:
        versions = [version.as_domain() for version in slo.versions.all()]
        own = slo_window(slo, end=watermark)
        burns = {name: rolling(length, end=watermark) for name, length in BURN_WINDOWS.items()}
        plans.append((slo, own, split_by_version(own, versions), _split(burns, versions)))
    wanted = {part for _, _, parts, burns in plans for _, part in parts}
    wanted |= {part for *_, burns in plans for parts in burns.values() for _, part in parts}
    ordered = sorted(wanted, key=lambda window: (window.start, window.end))
    sums = dict(zip(ordered, SliceReader().sums(ordered), strict=True))
    return [
        (
            slo,
            Reading(
                own,
                _judge(slo, parts, sums),
                {name: _judge(slo, pieces, sums) for name, pieces in burns.items()},
            ),
        )
        for slo, own, parts, burns in plans
    ]


Parts = list[tuple[Decimal, Window]]


def _split(windows: dict[str, Window], versions: list[Version]) -> dict[str, Parts]:
    return {name: split_by_version(window, versions) for name, window in windows.items()}


def _judge(slo: Slo, parts: Parts, sums: dict[Window, Block]) -> list[Judged]:
    return [Judged(objective, counts_of(sums[part], slo.sli.slot)) for objective, part in parts]


def expected_minutes(sli: Sli, window: Window) -> int:
    """Return how many minutes of `window` should have been measured: those since the first data."""
    if sli.data_since is None or sli.data_since >= window.end:
        return 0
    return Window(max(window.start, sli.data_since), window.end).minutes


def total_counts(parts: list[Judged]) -> Counts:
    """Return the sum over the versions of a window."""
    return sum((part.counts for part in parts), Counts())


def evaluate(slo: Slo, reading: Reading, watermark: datetime) -> Figures:
    """Return the figures of one SLO from its sums."""
    counts = total_counts(reading.parts)
    budget = error_budget(reading.parts)
    expected = expected_minutes(slo.sli, reading.window)
    burn_counts = {name: total_counts(parts) for name, parts in reading.burn.items()}
    burn_expected = {
        name: expected_minutes(slo.sli, rolling(length, end=watermark))
        for name, length in BURN_WINDOWS.items()
    }
    governing, frozen = alerting.decide(slo, reading.burn, burn_counts, burn_expected)
    state = next_state(
        previous_state(slo),
        remaining=budget.remaining,
        covered=coverage(measured=counts.measured, expected=expected),
        burns_fast=governing is not None and governing.share.urgency is burn_alerts.Urgency.PAGE,
    )
    return Figures(
        slo=slo,
        watermark=watermark,
        window=reading.window,
        counts=counts,
        expected=expected,
        allowed=budget.allowed,
        remaining=budget.remaining,
        burn={name: burn_rate(parts) for name, parts in reading.burn.items()},
        burn_counts=burn_counts,
        burn_expected=burn_expected,
        state=state,
        governing=governing,
        frozen=frozen,
    )


def previous_state(slo: Slo) -> State:
    """Return the state after the last evaluation; no data before the first."""
    status = getattr(slo, "status", None)
    return State(status.state) if status else State.NO_DATA


def to_row(figures: Figures, *, now: datetime) -> SloStatus:
    """Return the status row of `figures`; `state_since` stays while the state does."""
    before: SloStatus | None = getattr(figures.slo, "status", None)
    state_since = figures.watermark
    if before is not None and before.state == figures.state:
        state_since = before.state_since
    return SloStatus(
        slo=figures.slo,
        watermark=figures.watermark,
        evaluated_at=now,
        window_start=figures.window.start,
        good=figures.counts.good,
        total=figures.counts.total,
        measured_minutes=figures.counts.measured,
        expected_minutes=figures.expected,
        allowed=Decimal(figures.allowed.numerator) / Decimal(figures.allowed.denominator),
        burn={
            name: {
                "good": counts.good,
                "total": counts.total,
                "measured": counts.measured,
                "expected": figures.burn_expected[name],
                "rate": None if figures.burn[name] is None else float(figures.burn[name] or 0),
            }
            for name, counts in figures.burn_counts.items()
        },
        state=figures.state,
        state_since=state_since,
    )
