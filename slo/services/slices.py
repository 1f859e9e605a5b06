"""Writing slices: one minute of all SLIs at a time, added up to hours and days."""

from collections import defaultdict
from datetime import datetime
from itertools import groupby

from django.db import transaction
from django.db.models import Min

from slo.domain.blocks import DAY, HOUR, Block, Slice, start_of, with_slices
from slo.models import Sli, SliceBlock

Resolution = SliceBlock.Resolution


@transaction.atomic
def write(minutes: dict[datetime, dict[int, Slice]]) -> int:
    """Write slices by minute and SLI slot; writing the same twice changes nothing.

    Minutes, hours and days are locked in order, so that two writers cannot wait for each other.

    Returns:
        Number of minutes whose counts changed.
    """
    changed = 0
    ordered = sorted(minutes)
    for hour, group in groupby(ordered, key=lambda minute: start_of(HOUR, minute)):
        difference = Block.empty(0)
        for minute in group:
            delta = _overwrite(minute, minutes[minute])
            changed += not delta.is_zero()
            difference = difference.plus(delta)
        if not difference.is_zero():
            _add(Resolution.HOUR, hour, difference)
            _add(Resolution.DAY, start_of(DAY, hour), difference)
    _remember_first_data(minutes)
    return changed


def _locked(resolution: int, start: datetime) -> tuple[SliceBlock, Block]:
    row, _ = SliceBlock.objects.get_or_create(
        resolution=resolution, start=start, defaults={"data": Block.empty(0).pack()}
    )
    row = SliceBlock.objects.select_for_update().get(pk=row.pk)
    return row, Block.unpack(bytes(row.data))


def _overwrite(minute: datetime, slices: dict[int, Slice]) -> Block:
    row, before = _locked(Resolution.MINUTE, minute)
    after = with_slices(before, slices)
    delta = after.minus(before)
    if not delta.is_zero():
        row.data = after.pack()
        row.save(update_fields=["data"])
    return delta


def _add(resolution: int, start: datetime, difference: Block) -> None:
    row, before = _locked(resolution, start)
    row.data = before.plus(difference).pack()
    row.save(update_fields=["data"])


def _remember_first_data(minutes: dict[datetime, dict[int, Slice]]) -> None:
    """Keep each SLI's `data_since`, from which on minutes are expected of it."""
    first: dict[int, datetime] = {}
    for minute in sorted(minutes, reverse=True):
        for slot, value in minutes[minute].items():
            if value.measured:
                first[slot] = minute
    since = dict(Sli.objects.filter(slot__in=first).values_list("slot", "data_since"))
    by_minute: dict[datetime, list[int]] = defaultdict(list)
    for slot, minute in first.items():
        known = since.get(slot)
        if slot in since and (known is None or minute < known):
            by_minute[minute].append(slot)
    for minute, slots in by_minute.items():
        Sli.objects.filter(slot__in=slots).update(data_since=minute)


def next_slot() -> int:
    """Return a free column for a new SLI. Columns are never used again: their history stays."""
    newest = Sli.objects.order_by("-slot").values_list("slot", flat=True).first()
    return 0 if newest is None else newest + 1


def oldest_minute() -> datetime | None:
    """Return the start of the oldest minute that is kept."""
    found: datetime | None = SliceBlock.objects.filter(resolution=Resolution.MINUTE).aggregate(
        at=Min("start")
    )["at"]
    return found
