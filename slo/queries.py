"""Reading slices: sums of windows from days, hours and minutes, exactly."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from slo.domain.blocks import Block, start_of
from slo.domain.counts import Counts
from slo.domain.windows import Window
from slo.models import SliceBlock

Resolution = SliceBlock.Resolution
Key = tuple[int, datetime]
_STEPS = {
    Resolution.DAY: timedelta(days=1),
    Resolution.HOUR: timedelta(hours=1),
    Resolution.MINUTE: timedelta(minutes=1),
}


def cover(window: Window) -> list[Key]:
    """Return the fewest blocks that make up `window`: days inside, hours and minutes at its ends.

    Seconds are cut off both ends: slices are whole minutes.
    """
    keys: list[Key] = []
    at = start_of(Resolution.MINUTE, window.start)
    end = start_of(Resolution.MINUTE, window.end)
    while at < end:
        for resolution, step in _STEPS.items():
            if start_of(resolution, at) == at and at + step <= end:
                keys.append((int(resolution), at))
                at += step
                break
    return keys


class SliceReader:
    """Sums of windows over all SLIs; blocks are fetched once and kept for the reader's life."""

    def __init__(self) -> None:
        self._blocks: dict[Key, Block] = {}
        self._asked: set[Key] = set()

    def load(self, keys: Iterable[Key]) -> None:
        """Fetch blocks not yet asked for: one query per resolution."""
        wanted = set(keys) - self._asked
        for resolution in _STEPS:
            starts = sorted(start for kind, start in wanted if kind == resolution)
            for chunk in (starts[i : i + 500] for i in range(0, len(starts), 500)):
                rows = SliceBlock.objects.filter(resolution=resolution, start__in=chunk)
                for start, data in rows.values_list("start", "data"):
                    self._blocks[int(resolution), start] = Block.unpack(bytes(data))
        self._asked |= wanted

    def sums(self, windows: Sequence[Window]) -> list[Block]:
        """Return the sum of each window, all SLIs at once."""
        covers = [cover(window) for window in windows]
        self.load(key for keys in covers for key in keys)
        return [self._sum(keys) for keys in covers]

    def _sum(self, keys: list[Key]) -> Block:
        blocks = [self._blocks[key] for key in keys if key in self._blocks]
        slots = max((len(block.good) for block in blocks), default=0)
        total = Block.empty(slots)
        for block in blocks:
            wide = block.widened(slots)
            total.good += wide.good
            total.total += wide.total
            total.measured += wide.measured
            total.evaluated += wide.evaluated
        return total

    def minutes(self, starts: Sequence[datetime]) -> dict[datetime, Block]:
        """Return the minute blocks that were written, by their start."""
        keys = [(int(Resolution.MINUTE), start) for start in starts]
        self.load(keys)
        return {key[1]: self._blocks[key] for key in keys if key in self._blocks}

    def series(self, slot: int, window: Window, step: timedelta) -> list[tuple[datetime, Counts]]:
        """Return the counts of one SLI in steps of `step` over `window`, oldest first."""
        starts = []
        at = window.start
        while at < window.end:
            starts.append(at)
            at += step
        parts = [Window(start, min(start + step, window.end)) for start in starts]
        return [
            (start, counts_of(block, slot))
            for start, block in zip(starts, self.sums(parts), strict=True)
        ]


def counts_of(block: Block, slot: int) -> Counts:
    """Return one SLI's counts of a summed block; zeros when it is narrower than the slot."""
    if slot >= len(block.good):
        return Counts()
    return Counts(int(block.good[slot]), int(block.total[slot]), int(block.measured[slot]))


def gaps(reader: SliceReader, slot: int, window: Window) -> list[Window]:
    """Return the stretches of `window` in which minutes were looked at but not measured."""
    starts = list(_minutes(window))
    blocks = reader.minutes(starts)
    found: list[Window] = []
    begin: datetime | None = None
    for start in starts:
        measured = _is_measured(blocks.get(start), slot)
        if not measured and begin is None:
            begin = start
        if measured and begin is not None:
            found.append(Window(begin, start))
            begin = None
    return [*found, Window(begin, window.end)] if begin is not None else found


def _minutes(window: Window) -> Iterable[datetime]:
    at = start_of(Resolution.MINUTE, window.start)
    while at < window.end:
        yield at
        at += timedelta(minutes=1)


def _is_measured(block: Block | None, slot: int) -> bool:
    return block is not None and slot < len(block.measured) and bool(block.measured[slot])
