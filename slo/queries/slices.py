"""Reading slices: a window is what was counted before its end, without what was before its start."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from slo.domain.blocks import HOUR, MEASURED, MINUTE, Block, start_of
from slo.domain.counts import Counts
from slo.domain.judging import COLUMNS
from slo.domain.plans import Method
from slo.domain.prefixes import Probe, probes, spans
from slo.domain.windows import Window
from slo.models import SliceBlock

STEP = timedelta(minutes=1)
_CHUNK = 200
# The newest row of each probe, by one index look-up each.
_NEWEST = """
    WITH probe (n, resolution, low, high) AS (VALUES {values})
    SELECT probe.n, found.data FROM probe JOIN {table} AS found ON found.id = (
        SELECT id FROM {table} AS candidate
        WHERE candidate.resolution = probe.resolution
          AND candidate.start >= probe.low AND candidate.start < probe.high
        ORDER BY candidate.start DESC LIMIT 1
    )
"""


class SliceReader:
    """Sums of windows over all SLIs; rows are fetched once and kept for the reader's life."""

    def __init__(self) -> None:
        self._rows: dict[Probe, Block | None] = {}
        self._prefixes: dict[datetime, Block] = {}

    def prefixes(self, instants: Iterable[datetime]) -> dict[datetime, Block]:
        """Return what was counted before each instant, from the beginning: one query for all.

        Seconds are cut off. Where minutes are no longer kept, the hour's start stands for them.
        """
        wanted = {start_of(MINUTE, instant) for instant in instants} - self._prefixes.keys()
        if not wanted:
            return self._prefixes
        self._load(probe for instant in wanted for probe in probes(instant))
        for instant in wanted:
            self._prefixes[instant] = self._sum(probes(instant))
        return self._prefixes

    def _load(self, needed: Iterable[Probe]) -> None:
        missing = sorted(set(needed) - self._rows.keys())
        self._rows |= dict.fromkeys(missing)
        for probe, data in newest(missing):
            self._rows[probe] = Block.unpack(data)

    def _sum(self, needed: Sequence[Probe]) -> Block:
        total = Block.empty(0)
        for probe in needed:
            block = self._rows[probe]
            if block is not None:
                total = block if not total.slots else total.plus(block)
        return total

    def sums(self, windows: Sequence[Window]) -> list[Block]:
        """Return the sum of each window, all SLIs at once."""
        before = self.prefixes([edge for window in windows for edge in (window.start, window.end)])
        return [
            before[start_of(MINUTE, window.end)].minus(before[start_of(MINUTE, window.start)])
            if window.start < window.end
            else Block.empty(0)
            for window in windows
        ]

    def minutes(self, window: Window) -> dict[datetime, Block]:
        """Return the minutes of `window` that were written, each by itself, by their start."""
        rows = SliceBlock.objects.filter(
            resolution=MINUTE, start__gte=start_of(HOUR, window.start), start__lt=window.end
        ).order_by("start")
        unpacked = (
            (start, Block.unpack(bytes(data))) for start, data in rows.values_list("start", "data")
        )
        return {
            start: block
            for start, block in spans(MINUTE, unpacked).items()
            if start >= window.start
        }

    def series(
        self,
        slot: int,
        window: Window,
        step: timedelta,
        method: Method = Method.OCCURRENCES,
    ) -> list[tuple[datetime, Counts]]:
        """Return the counts of one SLI in steps of `step` over `window`, oldest first."""
        starts = []
        at = window.start
        while at < window.end:
            starts.append(at)
            at += step
        parts = [Window(start, min(start + step, window.end)) for start in starts]
        return [
            (start, counts_of(block, slot, method))
            for start, block in zip(starts, self.sums(parts), strict=True)
        ]


def newest(asked: Sequence[Probe]) -> Iterator[tuple[Probe, bytes]]:
    """Yield the packed row that each probe finds; some hundreds are asked at a time."""
    table = connection.ops.quote_name(SliceBlock._meta.db_table)
    adapt = connection.ops.adapt_datetimefield_value
    for chunk in (asked[i : i + _CHUNK] for i in range(0, len(asked), _CHUNK)):
        values = ", ".join(["(%s, %s, %s, %s)"] * len(chunk))
        parameters: list[Any] = []
        for number, probe in enumerate(chunk):
            parameters += [number, probe.resolution, adapt(probe.low), adapt(probe.high)]
        with connection.cursor() as cursor:
            cursor.execute(_NEWEST.format(values=values, table=table), parameters)
            for number, data in cursor.fetchall():
                yield chunk[number], bytes(data)


def counts_of(block: Block, slot: int, method: Method = Method.OCCURRENCES) -> Counts:
    """Return one SLI's counts of a summed block; zeros when it is narrower than the slot.

    They are in the method's unit: events, minutes, or millionths of minutes.
    """
    if slot >= block.slots:
        return Counts()
    good, total, unit = COLUMNS[method]
    column = block.counters[:, slot]
    return Counts(int(column[good]), int(column[total]) * unit, int(column[MEASURED]))


def gaps(reader: SliceReader, slot: int, window: Window) -> list[Window]:
    """Return the stretches of `window` in which minutes were looked at but not measured."""
    blocks = reader.minutes(window)
    found: list[Window] = []
    begin: datetime | None = None
    for start in _minutes(window):
        measured = _is_measured(blocks.get(start), slot)
        if not measured and begin is None:
            begin = start
        if measured and begin is not None:
            found.append(Window(begin, start))
            begin = None
    return [*found, Window(begin, window.end)] if begin is not None else found


def _minutes(window: Window) -> Iterable[datetime]:
    at = start_of(MINUTE, window.start)
    while at < window.end:
        yield at
        at += STEP


def _is_measured(block: Block | None, slot: int) -> bool:
    return block is not None and slot < block.slots and bool(block.measured[slot])
