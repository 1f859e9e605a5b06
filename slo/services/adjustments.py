"""Keeping what corrections change in step with the slices they change."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from django.db import transaction
from django.db.models import Min, Q

from slo.domain.blocks import HOUR as HOUR_MINUTES
from slo.domain.blocks import MINUTE as ONE
from slo.domain.blocks import UNITS, Block, Slice, start_of
from slo.domain.corrections import Delta, Mode, by_minute, corrected, counted
from slo.domain.windows import Window
from slo.models import Correction, Sli, SliceAdjustment, SliceBlock, Slo
from slo.queries.slices import SliceReader

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
# What is done to each corrected minute, by SLO.
Modes = Mapping[Slo, Mapping[datetime, tuple[Mode, Fraction]]]
Changes = dict[Slo, dict[datetime, Delta]]


def correctable(query: Q) -> list[Slo]:
    """Return the SLOs of `query` that count something themselves: composites follow members."""
    slos = Slo.objects.select_related("sli__service", "sli__source").prefetch_related("versions")
    return list(slos.filter(query).exclude(sli__kind=Sli.Kind.COMPOSITE))


def modes_of(slos: Iterable[Slo], window: Window, *, without: Correction | None = None) -> Modes:
    """Return what the saved corrections do to the minutes of `window`, but for one of them."""
    begun = Correction.objects.filter(starts_at__lt=window.end).with_early_ends()
    rows = [row for row in begun if row != without]
    found: dict[Slo, Mapping[datetime, tuple[Mode, Fraction]]] = {}
    for slo in slos:
        mine = [row.as_domain() for row in rows if _concerns(row, slo)]
        found[slo] = by_minute(mine, window)
    return found


def _concerns(correction: Correction, slo: Slo) -> bool:
    if correction.slo_id is not None:
        return correction.slo_id == slo.pk
    return correction.service_id == slo.sli.service_id


def changes(modes: Modes) -> Changes:
    """Return what correcting these minutes adds to each SLO's counts; zeros are left out.

    Minutes that are no longer kept by themselves stay as they were judged.
    """
    kept = SliceBlock.objects.filter(resolution=ONE).aggregate(first=Min("start"))["first"]
    wanted = {minute for chosen in modes.values() for minute in chosen}
    found: Changes = {slo: {} for slo in modes}
    if kept is None:
        return found
    for stretch in _stretches(sorted(minute for minute in wanted if minute >= kept)):
        blocks = SliceReader().minutes(stretch)
        for slo, chosen in modes.items():
            found[slo] |= _deltas(slo, chosen, blocks, stretch)
    return found


def _stretches(minutes: Sequence[datetime]) -> Iterable[Window]:
    """Yield the minutes in windows of a day at most, of minutes that touch."""
    start = previous = None
    for minute in minutes:
        if start is None or previous is None:
            start = minute
        elif minute - previous != MINUTE or minute - start >= timedelta(days=1):
            yield Window(start, previous + MINUTE)
            start = minute
        previous = minute
    if start is not None and previous is not None:
        yield Window(start, previous + MINUTE)


def _deltas(
    slo: Slo,
    modes: Mapping[datetime, tuple[Mode, Fraction]],
    blocks: Mapping[datetime, Block],
    stretch: Window,
) -> dict[datetime, Delta]:
    target, since, found = int(slo.sli.slice_target * UNITS), slo.sli.data_since, {}
    for minute, (mode, cap) in modes.items():
        if not stretch.start <= minute < stretch.end:
            continue
        expected = since is not None and minute >= since
        before = _slice(blocks.get(minute), slo.sli.slot)
        after = counted(corrected(before, mode, cap), target=target, expected=expected)
        delta = after.minus(counted(before, target=target, expected=expected))
        if any(delta):
            found[minute] = delta
    return found


def _slice(block: Block | None, slot: int) -> Slice:
    if block is None or slot >= block.slots or not block.measured[slot]:
        return Slice(measured=False)
    return Slice(int(block.good[slot]), int(block.total[slot]))


@transaction.atomic
def refresh(slos: Sequence[Slo], window: Window, *, forget: bool = False) -> None:
    """Compute anew what corrections change in the hours of `window`.

    Args:
        slos: With `sli` loaded.
        window: Minutes that were measured, or that a correction covers.
        forget: Whether hours without any correction lose what they had; else they keep it.
    """
    hours = Window(start_of(HOUR_MINUTES, window.start), _ceil_hour(window.end))
    modes = modes_of(slos, hours)
    rows: dict[tuple[Slo, datetime], list[list[int]]] = defaultdict(list)
    for slo, deltas in changes(modes).items():
        for minute, delta in sorted(deltas.items()):
            hour = start_of(HOUR_MINUTES, minute)
            rows[slo, hour].append([int((minute - hour) / MINUTE), *delta])
    SliceAdjustment.objects.bulk_create(
        [SliceAdjustment(slo=slo, hour=hour, minutes=found) for (slo, hour), found in rows.items()],
        update_conflicts=True,
        unique_fields=["slo", "hour"],
        update_fields=["minutes"],
    )
    if forget:
        known = SliceAdjustment.objects.filter(
            slo__in=slos, hour__gte=hours.start, hour__lt=hours.end
        )
        stale = [row.pk for row in known.select_related("slo") if (row.slo, row.hour) not in rows]
        SliceAdjustment.objects.filter(pk__in=stale).delete()


def _ceil_hour(at: datetime) -> datetime:
    floor = start_of(HOUR_MINUTES, at)
    return floor if floor == at else floor + HOUR


def follow(minutes: Iterable[datetime]) -> int:
    """Correct minutes that were just measured; return how many SLOs that concerned.

    Called by the tick and after late data, in the transaction that wrote the slices.
    """
    return sum(_follow(stretch) for stretch in _stretches(sorted(minutes)))


def _follow(window: Window) -> int:
    running = Correction.objects.filter(starts_at__lt=window.end).exclude(
        rule="", ends_at__lte=window.start
    )
    running = running.filter(Q(cancelled_at=None) | Q(cancelled_at__gt=window.start))
    rows = running.with_early_ends()
    active = [row for row in rows if by_minute([row.as_domain()], window)]
    if not active:
        return 0
    slos = correctable(
        Q(pk__in=[row.slo_id for row in active if row.slo_id])
        | Q(sli__service__in=[row.service_id for row in active if row.service_id])
    )
    refresh(slos, window)
    return len(slos)
