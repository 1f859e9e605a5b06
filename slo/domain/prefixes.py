"""Prefix sums by minute, hour and day: a window is the difference of its two ends.

A minute row counts from the start of its hour, an hour row from the start of its day, and a day row
from the beginning, each through its own end. What was counted before an instant is therefore the
newest day row before its day, plus the newest hour row of that day before its hour, plus the newest
minute row of that hour before it. Rows may be missing: the newest one that is there holds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from slo.domain.blocks import DAY, HOUR, MINUTE, ORIGIN, Block, Slice, start_of, with_slices

STEP = {size: timedelta(minutes=size) for size in (MINUTE, HOUR, DAY)}
# What a row counts from the start of: an hour row counts within its day.
OUTER = {MINUTE: HOUR, HOUR: DAY}


class Probe(NamedTuple):
    """Asks for the newest row of a resolution that starts in [low, high)."""

    resolution: int
    low: datetime
    high: datetime


def probes(instant: datetime) -> list[Probe]:
    """Return the probes whose rows add up to everything before `instant`; at most three.

    Seconds are cut off: slices are whole minutes.
    """
    minute, hour, day = (start_of(size, instant) for size in (MINUTE, HOUR, DAY))
    wanted = [
        Probe(DAY, ORIGIN, day),
        Probe(HOUR, day, hour),
        Probe(MINUTE, hour, minute),
    ]
    return [probe for probe in wanted if probe.low < probe.high]


def scope_of(resolution: int, start: datetime) -> datetime:
    """Return where the counting of a row that starts at `start` begins."""
    return start_of(OUTER[resolution], start) if resolution in OUTER else ORIGIN


@dataclass(frozen=True)
class Rewrite:
    """What writing minutes does to one scope of rows.

    Args:
        rows: The rows that are new or changed, by start.
        delta: By how much the counters grew through the end of the scope.
        changed: Starts of the spans whose own counters changed.
    """

    rows: dict[datetime, Block]
    delta: Block
    changed: list[datetime]


def rewrite_hour(
    base: Block,
    rows: Mapping[datetime, Block],
    minutes: Mapping[datetime, Mapping[int, Slice]],
    targets: Mapping[int, int],
) -> Rewrite:
    """Overwrite minutes of one hour and carry the differences into the minute rows after them.

    Args:
        base: The newest minute row of the hour before the first of `minutes`; zeros without one.
        rows: All minute rows of the hour from the first of `minutes` on, by start.
        minutes: Slices to write, by minute and slot.
        targets: Slice targets by slot, in 1e-8.
    """
    written: dict[datetime, Block] = {}
    changed = []
    before, delta = base, Block.empty(0)
    for start in sorted({*rows, *minutes}):
        stored = rows.get(start, before)
        if start in minutes:
            own = stored.minus(before)
            difference = with_slices(own, minutes[start], targets).minus(own)
            if not difference.is_zero():
                delta = delta.plus(difference)
                changed.append(start)
        if start not in rows or not delta.is_zero():
            written[start] = stored.plus(delta)
        before = stored
    return Rewrite(written, delta, changed)


def carry(base: Block, rows: Mapping[datetime, Block], deltas: Mapping[datetime, Block]) -> Rewrite:
    """Add the differences of hours to the hour rows of one day, or of days to all day rows.

    Args:
        base: The newest row of the scope before the first of `deltas`; zeros without one.
        rows: All rows of the scope from the first of `deltas` on, by start.
        deltas: By how much each span's counters grew.
    """
    written: dict[datetime, Block] = {}
    before, delta = base, Block.empty(0)
    for start in sorted({*rows, *deltas}):
        stored = rows.get(start, before)
        delta = delta.plus(deltas.get(start, Block.empty(0)))
        written[start] = stored.plus(delta)
        before = stored
    return Rewrite(written, delta, sorted(deltas))


def spans(resolution: int, rows: Iterable[tuple[datetime, Block]]) -> dict[datetime, Block]:
    """Return each row's own counters: it without the row before it in its scope.

    Args:
        resolution: Of the rows.
        rows: By start, oldest first, complete from the start of a scope on.
    """
    found: dict[datetime, Block] = {}
    scope, before = None, Block.empty(0)
    for start, block in rows:
        if scope_of(resolution, start) != scope:
            scope, before = scope_of(resolution, start), Block.empty(0)
        found[start] = block.minus(before)
        before = block
    return found
