"""Writing slices: minutes of all SLIs, carried into the prefix sums of their hour, day and all time."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Min

from slo.domain.blocks import DAY, HOUR, MINUTE, ORIGIN, UNITS, Block, Slice, start_of
from slo.domain.prefixes import STEP, Rewrite, carry, rewrite_hour, scope_of
from slo.models import Sli, SliceBlock

log = structlog.get_logger(__name__)

Minutes = Mapping[datetime, Mapping[int, Slice]]


@transaction.atomic
def write(minutes: Minutes) -> int:
    """Write slices by minute and SLI slot; writing the same twice changes nothing.

    Minutes of an hour whose minute rows are no longer kept are left alone: what they replace is
    not known any more.

    Returns:
        Number of minutes whose counts changed.
    """
    if not minutes:
        return 0
    _lock()
    slis = _Slis.read()
    by_hour: dict[datetime, dict[datetime, Mapping[int, Slice]]] = defaultdict(dict)
    for minute in sorted(minutes):
        by_hour[start_of(HOUR, minute)][minute] = minutes[minute]
    changed: list[datetime] = []
    grown: dict[datetime, Block] = {}
    rows: dict[tuple[int, datetime], Block] = {}
    for hour, group in by_hour.items():
        done = _write_hour(hour, group, slis.targets)
        changed += done.changed
        rows |= {(MINUTE, start): block for start, block in done.rows.items()}
        if not done.delta.is_zero():
            grown[hour] = done.delta
    rows |= _carry_up(grown)
    _store(rows)
    slis.remember_first_data({minute: minutes[minute] for minute in changed})
    return len(changed)


def _lock() -> None:
    """Let one writer at a time through: each changes rows that the next one reads."""
    origin = SliceBlock.objects.filter(resolution=DAY, start=ORIGIN)
    if origin.select_for_update().first() is None:
        empty = SliceBlock(resolution=DAY, start=ORIGIN, data=Block.empty(0).pack())
        SliceBlock.objects.bulk_create([empty], ignore_conflicts=True)
        origin.select_for_update().get()


def _write_hour(
    hour: datetime, minutes: Mapping[datetime, Mapping[int, Slice]], targets: Mapping[int, int]
) -> Rewrite:
    first = min(minutes)
    base, rows = _rows_from(MINUTE, first)
    if not rows and base is None and _was_purged(hour):
        log.warning("late_slices_dropped", hour=hour.isoformat(), minutes=len(minutes))
        return Rewrite({}, Block.empty(0), [])
    return rewrite_hour(base or Block.empty(0), rows, minutes, targets)


def _carry_up(hours: Mapping[datetime, Block]) -> dict[tuple[int, datetime], Block]:
    """Return the hour and day rows that change when hours grow."""
    if not hours:
        return {}
    by_day: dict[datetime, dict[datetime, Block]] = defaultdict(dict)
    for hour, delta in hours.items():
        by_day[start_of(DAY, hour)][hour] = delta
    found: dict[tuple[int, datetime], Block] = {}
    days: dict[datetime, Block] = {}
    for day, deltas in by_day.items():
        base, rows = _rows_from(HOUR, min(deltas))
        done = carry(base or Block.empty(0), rows, deltas)
        found |= {(HOUR, start): block for start, block in done.rows.items()}
        days[day] = done.delta
    base, rows = _rows_from(DAY, min(days))
    done = carry(base or Block.empty(0), rows, days)
    return found | {(DAY, start): block for start, block in done.rows.items()}


def _rows_from(resolution: int, first: datetime) -> tuple[Block | None, dict[datetime, Block]]:
    """Return the row before `first` in its scope, and the scope's rows from `first` on.

    The row before is nearly always one step before, so it comes with the same query.
    """
    scope = scope_of(resolution, first)
    kept = SliceBlock.objects.filter(resolution=resolution, start__gte=scope)
    if resolution != DAY:
        kept = kept.filter(start__lt=scope + STEP[HOUR if resolution == MINUTE else DAY])
    before = first - STEP[resolution]
    found = {
        start: Block.unpack(bytes(data))
        for start, data in kept.filter(start__gte=before).values_list("start", "data")
    }
    base = found.pop(before, None)
    if base is None and scope < first:
        older = kept.filter(start__lt=first).order_by("-start").values_list("data", flat=True)
        newest = older.first()
        base = None if newest is None else Block.unpack(bytes(newest))
    return base, found


def _was_purged(hour: datetime) -> bool:
    """Return whether an hour without minute rows was written once: its hour or day row is there."""
    day = start_of(DAY, hour)
    hours = SliceBlock.objects.filter(resolution=HOUR, start__gte=day, start__lt=day + STEP[DAY])
    starts = set(hours.values_list("start", flat=True))
    if starts:
        return hour in starts
    return SliceBlock.objects.filter(resolution=DAY, start=day).exists()


def _store(rows: Mapping[tuple[int, datetime], Block]) -> None:
    SliceBlock.objects.bulk_create(
        [
            SliceBlock(resolution=resolution, start=start, data=block.pack())
            for (resolution, start), block in rows.items()
        ],
        update_conflicts=True,
        unique_fields=["resolution", "start"],
        update_fields=["data"],
    )


class _Slis:
    """What writing needs to know of SLIs, by slot."""

    def __init__(self, targets: dict[int, int], since: dict[int, datetime | None]) -> None:
        self.targets = targets
        self.since = since

    @classmethod
    def read(cls) -> "_Slis":
        """Read it for all SLIs."""
        rows = list(Sli.objects.order_by().values_list("slot", "slice_target", "data_since"))
        return cls(
            {slot: int(target * UNITS) for slot, target, _ in rows},
            {slot: since for slot, _, since in rows},
        )

    def remember_first_data(self, minutes: Minutes) -> None:
        """Keep each SLI's `data_since`, from which on minutes are expected of it."""
        first: dict[int, datetime] = {}
        for minute in sorted(minutes, reverse=True):
            for slot, value in minutes[minute].items():
                known = self.since.get(slot)
                if value.measured and slot in self.since and (known is None or minute < known):
                    first[slot] = minute
        by_minute: dict[datetime, list[int]] = defaultdict(list)
        for slot, minute in first.items():
            by_minute[minute].append(slot)
        for minute, slots in by_minute.items():
            Sli.objects.filter(slot__in=slots).update(data_since=minute)


def next_slot() -> int:
    """Return a free column for a new SLI. Columns are never used again: their history stays."""
    newest = Sli.objects.order_by("-slot").values_list("slot", flat=True).first()
    return 0 if newest is None else newest + 1


def oldest_minute() -> datetime | None:
    """Return the start of the oldest minute that is kept."""
    found: datetime | None = SliceBlock.objects.filter(resolution=MINUTE).aggregate(
        at=Min("start")
    )["at"]
    return found
