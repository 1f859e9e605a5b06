"""Counting from many threads without a lock, and adding it all up without losing one.

Every thread writes to a shard of its own, so the path of a request takes no
lock and touches nothing another thread writes. Three rules make the sums exact:

1. Only its own thread ever writes to a shard, and counts only grow.
2. Whoever folds shards together remembers what it has seen of each histogram
   and adds the difference; reading too early only defers a count to the next fold.
3. A thread itself sets an old minute aside (`Shard.retired`), after its last
   write to it. Shards of ended threads are folded once more and dropped.

Swapping a live dictionary away from its writer would be simpler and would lose
the count that is between its look-up and its increment at that moment.
"""

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator

from sre.minute_table import SECONDS_PER_MINUTE, Entry, MinuteTable, Row

__all__ = ["Key", "LockedCounts", "Shard", "ShardedCounts"]

Key = tuple[str, str, int]
"""Endpoint, method, status code."""

Cells = dict[str, dict[str, dict[int, Entry]]]
"""Entries by method, endpoint and status: three short look-ups beat hashing a tuple."""

OPEN_MINUTES = 3
"""Minutes a thread may still write to before it sets the oldest aside."""

SHARDS_BEFORE_FOLD = 64
"""Servers that start a thread per request would otherwise pile up dead shards."""


class Page:
    """One thread's counts of one minute, and what has been folded of them."""

    __slots__ = ("cells", "minute", "seen")

    def __init__(self, minute: int) -> None:
        self.minute = minute
        self.cells: Cells = {}
        self.seen: dict[Key, tuple[float, ...]] = {}


class Shard:
    """What one thread counts.

    Attributes:
        opens: First instant of the current minute (seconds since the epoch).
        closes: First instant after it.
        cells: Entries of the current minute.
        pages: Minutes this thread may still write to.
        retired: Minutes it has finished with, waiting to be folded.
        owner: Dead once the thread has ended.
    """

    __slots__ = ("cells", "closes", "opens", "owner", "pages", "retired")

    def __init__(self, owner: "Owner") -> None:
        self.opens = self.closes = 0.0
        self.cells: Cells = {}
        self.pages: dict[int, Page] = {}
        self.retired: deque[Page] = deque()
        self.owner = weakref.ref(owner)


class Owner:
    """Lives in a thread's local storage; its end tells that the thread has ended."""


class ShardedCounts:
    """Histograms by (endpoint, method, status) and minute, written by any thread.

    Args:
        width: Number of buckets of every histogram.
        max_minutes: Distinct minutes remembered.
        max_entries: Histograms remembered over all minutes.

    Attributes:
        local: The calling thread's `shard`, absent until `shard_at` made it.
        folded: Everything added up so far; read it while holding `lock`.
        undrained: What `drain` has not handed out yet; None until somebody drains.
        overflowed: Values per minute that the limits dropped before they were drained.
        on_new_shard: Called when a thread records for the first time.
    """

    def __init__(self, *, width: int, max_minutes: int, max_entries: int) -> None:
        self._nothing = (0.0, *[0] * width)
        self._limits = {"max_minutes": max_minutes, "max_entries": max_entries}
        self.local = threading.local()
        self.on_new_shard: list[Callable[[], None]] = []
        self.start_empty()
        _living.add(self)

    def start_empty(self) -> None:
        """Forget everything, also whoever held the lock."""
        self.lock = threading.Lock()
        self.local.__dict__.clear()
        self._shards: list[Shard] = []
        self._fold_when = SHARDS_BEFORE_FOLD
        self.folded: MinuteTable[Key] = MinuteTable(**self._limits)
        self.undrained: MinuteTable[Key] | None = None
        self.overflowed: dict[int, int] = {}

    def shard_at(self, now: float) -> Shard:
        """Return the calling thread's shard, turned to the minute of `now`."""
        shard = getattr(self.local, "shard", None) or self._new_shard()
        page = self._page(shard, now)
        shard.opens = float(page.minute)
        shard.closes = float(page.minute + SECONDS_PER_MINUTE)
        shard.cells = page.cells
        return shard

    def entry_at(self, key: Key, instant: float) -> Entry:
        """Return the calling thread's entry of `key` in the minute of `instant`."""
        shard = getattr(self.local, "shard", None) or self._new_shard()
        endpoint, method, status = key
        cells = self._page(shard, instant).cells
        statuses = cells.setdefault(method, {}).setdefault(endpoint, {})
        return statuses.setdefault(status, list(self._nothing))

    def fold(self) -> None:
        """Add up what all threads have counted so far; the caller holds `lock`."""
        for shard in self._shards.copy():
            has_ended = shard.owner() is None
            for page in list(shard.pages.values()):
                self._fold_page(page)
            self._fold_retired(shard)
            if has_ended:
                self._shards.remove(shard)
        self._fold_when = max(SHARDS_BEFORE_FOLD, 2 * len(self._shards))
        self._prune()

    def drain(self, max_rows: int) -> list[Row[Key]]:
        """Hand out what has been counted since the last drain, oldest first.

        The first drain hands out everything remembered. The caller holds `lock`.
        """
        if self.undrained is None:
            self.undrained = self.folded.copy()
        return self.undrained.take(max_rows)

    def put_back(self, rows: list[Row[Key]]) -> None:
        """Take back rows of `drain`, to hand them out again; the caller holds `lock`."""
        if self.undrained is None:
            self.undrained = MinuteTable(**self._limits)
        for row in rows:
            self.undrained.add(row.minute, row.key, [row.total, *row.buckets])
        self._prune()

    def _new_shard(self) -> Shard:
        owner = Owner()
        shard = Shard(owner)
        self.local.owner = owner
        self.local.shard = shard
        self._shards.append(shard)
        if len(self._shards) > self._fold_when:
            self._unless_locked(self.fold)
        for notify in self.on_new_shard:
            notify()
        return shard

    def _page(self, shard: Shard, instant: float) -> Page:
        minute = int(instant // SECONDS_PER_MINUTE) * SECONDS_PER_MINUTE
        page = shard.pages.get(minute)
        if page is None:
            page = shard.pages[minute] = Page(minute)
            if len(shard.pages) > OPEN_MINUTES:
                self._retire(shard, keep=minute)
        return page

    def _retire(self, shard: Shard, *, keep: int) -> None:
        # First into `retired`, then out of `pages`: `fold` reads them in the other
        # order, so it may meet a page twice, which does no harm, but never not at all.
        oldest = min(minute for minute in shard.pages if minute not in {keep, shard.opens})
        shard.retired.append(shard.pages[oldest])
        del shard.pages[oldest]
        self._unless_locked(lambda: self._fold_retired(shard))

    def _unless_locked(self, work: Callable[[], None]) -> None:
        # A request never waits here: whoever holds the lock is folding already.
        if self.lock.acquire(blocking=False):
            try:
                work()
                self._prune()
            finally:
                self.lock.release()

    def _fold_retired(self, shard: Shard) -> None:
        while shard.retired:
            self._fold_page(shard.retired[0])
            shard.retired.popleft()

    def _fold_page(self, page: Page) -> None:
        for key, entry in _entries(page.cells):
            current = tuple(entry)
            before = page.seen.get(key, self._nothing)
            if current[1:] == before[1:]:
                continue
            growth = [new - old for new, old in zip(current, before, strict=True)]
            page.seen[key] = current
            self.folded.add(page.minute, key, growth)
            if self.undrained is not None:
                self.undrained.add(page.minute, key, growth)

    def _prune(self) -> None:
        self.folded.prune()
        if self.undrained is not None:
            for row in self.undrained.prune():
                self.overflowed[row.minute] = self.overflowed.get(row.minute, 0) + row.count


class LockedCounts:
    """Histograms by name and minute for what is counted rarely: one lock is enough.

    Args:
        max_minutes: Distinct minutes remembered.
        max_entries: Histograms remembered over all minutes.
    """

    def __init__(self, *, max_minutes: int, max_entries: int) -> None:
        self._limits = {"max_minutes": max_minutes, "max_entries": max_entries}
        self.start_empty()
        _living.add(self)

    def start_empty(self) -> None:
        """Forget everything, also whoever held the lock."""
        self._lock = threading.Lock()
        self._all: MinuteTable[str] = MinuteTable(**self._limits)
        self._undrained: MinuteTable[str] = MinuteTable(**self._limits)

    def add(self, minute: int, name: str, entry: Entry) -> None:
        """Count what `entry` holds."""
        with self._lock:
            for table in (self._all, self._undrained):
                table.add(minute, name, entry)
                table.prune()

    def entries(self, first: int, last: int) -> list[tuple[str, Entry]]:
        """Return (name, entry) of the minutes that begin in [first, last)."""
        with self._lock:
            return list(self._all.entries(first, last))

    def drain(self, max_rows: int) -> list[Row[str]]:
        """Hand out what was counted since the last drain, the oldest minutes first."""
        with self._lock:
            return self._undrained.take(max_rows)

    def put_back(self, rows: list[Row[str]]) -> None:
        """Take back rows of `drain`, to hand them out again."""
        with self._lock:
            for row in rows:
                self._undrained.add(row.minute, row.key, [row.total, *row.buckets])
            self._undrained.prune()


def _entries(cells: Cells) -> Iterator[tuple[Key, Entry]]:
    # list() copies each dictionary in one step; its thread may be adding to it.
    for method, endpoints in list(cells.items()):
        for endpoint, statuses in list(endpoints.items()):
            for status, entry in list(statuses.items()):
                yield (endpoint, method, status), entry


_living: "weakref.WeakSet[ShardedCounts | LockedCounts]" = weakref.WeakSet()


def _start_children_empty() -> None:
    # The parent still holds and reports what it counted; a lock may be held by a
    # thread that does not exist in the child.
    for counts in list(_living):
        counts.start_empty()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_children_empty)
