"""Keeping what corrections change in step with the slices they change."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from django.db import transaction
from django.db.models import Q

from slo.domain.blocks import HOUR as HOUR_MINUTES
from slo.domain.blocks import Slice, start_of
from slo.domain.corrections import Mode, by_minute, corrected
from slo.domain.counts import Counts
from slo.domain.windows import Window
from slo.models import Correction, Delta, SliceAdjustment, Slo
from slo.queries import SliceReader

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MILLION = 1_000_000
Corrected = dict[datetime, tuple[Mode, Fraction]]


def corrections_of(slo: Slo, *, end: datetime) -> list[Correction]:
    """Return the corrections that may touch minutes before `end`, of the SLO or its service."""
    mine = Q(slo=slo) | Q(service=slo.sli.service_id)
    return list(Correction.objects.filter(mine, starts_at__lt=end))


def changes(slo: Slo, modes: Corrected, reader: SliceReader) -> dict[datetime, Delta]:
    """Return what correcting these minutes adds to the SLO's counts; zeros are left out."""
    found: dict[datetime, Delta] = {}
    for minute, counts in _measured(slo, sorted(modes), reader).items():
        delta = _delta(slo, minute, counts, *modes[minute])
        if delta != Delta():
            found[minute] = delta
    return found


def _measured(slo: Slo, minutes: Sequence[datetime], reader: SliceReader) -> dict[datetime, Counts]:
    found: dict[datetime, Counts] = {}
    for stretch in _stretches(minutes):
        found.update(reader.series(slo.sli.slot, stretch, MINUTE))
    return found


def _stretches(minutes: Sequence[datetime]) -> Iterable[Window]:
    start = previous = None
    for minute in minutes:
        if start is None or previous is None:
            start = minute
        elif minute - previous != MINUTE:
            yield Window(start, previous + MINUTE)
            start = minute
        previous = minute
    if start is not None and previous is not None:
        yield Window(start, previous + MINUTE)


def _delta(slo: Slo, minute: datetime, counts: Counts, mode: Mode, cap: Fraction) -> Delta:
    since = slo.sli.data_since
    is_expected = since is not None and minute >= since
    before = Slice(counts.good, counts.total, measured=counts.measured > 0)
    after = corrected(before, mode, cap)
    target = slo.sli.slice_target
    old = _as_delta(before, target, is_expected=is_expected)
    if after is None:
        return _negative(old)
    return _as_delta(after, target, is_expected=is_expected) + _negative(old)


def _as_delta(value: Slice, target: object, *, is_expected: bool) -> Delta:
    met = bool(value.total) and Fraction(value.good, value.total) >= Fraction(str(target))
    rated = value.good * MILLION // value.total if value.total else 0
    return Delta(
        good=value.good,
        total=value.total,
        measured=int(value.measured),
        expected=int(is_expected),
        active=int(value.total > 0),
        met=int(met),
        rated=rated,
    )


def _negative(delta: Delta) -> Delta:
    return Delta(
        -delta.good,
        -delta.total,
        -delta.measured,
        -delta.expected,
        -delta.active,
        -delta.met,
        -delta.rated,
    )


@transaction.atomic
def refresh(slo: Slo, window: Window, *, forget: bool = False) -> None:
    """Compute anew what corrections change in the hours of `window`.

    Args:
        slo: With `sli` loaded.
        window: Minutes that were measured, or that a correction covers.
        forget: Whether hours without any correction lose what they had; else they keep it.
    """
    hours = Window(start_of(HOUR_MINUTES, window.start), _ceil_hour(window.end))
    modes = by_minute(
        [row.as_domain() for row in corrections_of(slo, end=hours.end)],
        Window(hours.start, min(hours.end, window.end)),
    )
    by_hour: dict[datetime, list[list[int]]] = defaultdict(list)
    for minute, delta in sorted(changes(slo, modes, SliceReader()).items()):
        hour = start_of(HOUR_MINUTES, minute)
        offset = int((minute - hour) / MINUTE)
        by_hour[hour].append([offset, *vars(delta).values()])
    rows = [
        SliceAdjustment(slo=slo, hour=hour, minutes=minutes) for hour, minutes in by_hour.items()
    ]
    SliceAdjustment.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["slo", "hour"],
        update_fields=["minutes"],
    )
    if forget:
        known = SliceAdjustment.objects.filter(slo=slo, hour__gte=hours.start, hour__lt=hours.end)
        known.exclude(hour__in=list(by_hour)).delete()


def _ceil_hour(at: datetime) -> datetime:
    floor = start_of(HOUR_MINUTES, at)
    return floor if floor == at else floor + HOUR


def follow(minutes: Sequence[datetime]) -> int:
    """Correct minutes that were just measured; return how many SLOs that concerned.

    Called by the tick and after late data, in the transaction that wrote the slices.
    """
    if not minutes:
        return 0
    first, last = min(minutes), max(minutes)
    window = Window(first, last + MINUTE)
    active = [
        row
        for row in Correction.objects.filter(starts_at__lt=window.end)
        .filter(Q(cancelled_at=None) | Q(cancelled_at__gt=first))
        .exclude(rule="", ends_at__lte=first)
        if by_minute([row.as_domain()], window)
    ]
    if not active:
        return 0
    concerned = Slo.objects.select_related("sli").filter(
        Q(pk__in=[row.slo_id for row in active if row.slo_id])
        | Q(sli__service__in=[row.service_id for row in active if row.service_id])
    )
    slos = list(concerned)
    for slo in slos:
        refresh(slo, window)
    return len(slos)
