"""Histograms by minute and key: the memory behind the service level indicators.

One entry is a list of bucket counts with the sum of the measured values at its
head: `[sum, <=first bound, <=second bound, …, above the last bound]`. Entries of
the same minute and key add up, which makes every reading of any stretch of
minutes exact.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["SECONDS_PER_MINUTE", "Entry", "MinuteTable", "Row"]

SECONDS_PER_MINUTE = 60

Entry = list[float]
"""Sum of the values, then one count per bucket."""

KeyT = TypeVar("KeyT", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Row(Generic[KeyT]):
    """What happened under one key in one minute.

    Attributes:
        minute: Start of the minute (seconds since the epoch, a multiple of 60).
        key: Whatever the owner of the table counts by.
        total: Sum of the measured values, in their unit.
        buckets: Number of values per bucket, the last one above every bound.
    """

    minute: int
    key: KeyT
    total: float
    buckets: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many values the row stands for."""
        return sum(self.buckets)


class MinuteTable(Generic[KeyT]):
    """Entries by minute and key with a hard limit on their number.

    Not thread-safe: its owner holds a lock.

    Args:
        max_minutes: Distinct minutes kept.
        max_entries: Entries kept over all minutes. Beyond either limit the
            oldest minutes go.
    """

    def __init__(self, *, max_minutes: int, max_entries: int) -> None:
        self._max_minutes = max_minutes
        self._max_entries = max_entries
        self._minutes: dict[int, dict[KeyT, Entry]] = {}
        self._entries = 0

    def __len__(self) -> int:
        return self._entries

    @property
    def oldest_minute(self) -> int | None:
        """The first minute still known, or None while the table is empty."""
        return min(self._minutes, default=None)

    def add(self, minute: int, key: KeyT, entry: Entry) -> None:
        """Add `entry` to what is known of `key` in `minute`."""
        keys = self._minutes.setdefault(minute, {})
        known = keys.get(key)
        if known is None:
            keys[key] = list(entry)
            self._entries += 1
        else:
            keys[key] = [old + new for old, new in zip(known, entry, strict=True)]

    def prune(self) -> list[Row[KeyT]]:
        """Forget the oldest minutes beyond the limits and return what they held."""
        forgotten: list[Row[KeyT]] = []
        excess = len(self._minutes) - self._max_minutes
        if excess <= 0 and self._entries <= self._max_entries:
            return forgotten
        for minute in sorted(self._minutes):
            if excess <= 0 and self._entries <= self._max_entries:
                break
            forgotten.extend(self._pop(minute))
            excess -= 1
        return forgotten

    def entries(self, start: int, end: int) -> Iterator[tuple[KeyT, Entry]]:
        """Yield every (key, entry) of the minutes that begin in [start, end)."""
        if (end - start) // SECONDS_PER_MINUTE < len(self._minutes):
            wanted = range(start, end, SECONDS_PER_MINUTE)
            found = (self._minutes[minute] for minute in wanted if minute in self._minutes)
        else:
            found = (keys for minute, keys in self._minutes.items() if start <= minute < end)
        for keys in found:
            yield from keys.items()

    def take(self, max_rows: int) -> list[Row[KeyT]]:
        """Remove and return up to `max_rows` entries, the oldest minutes first."""
        taken: list[Row[KeyT]] = []
        for minute in sorted(self._minutes):
            room = max_rows - len(taken)
            if room <= 0:
                break
            taken.extend(self._pop(minute, room))
        return taken

    def copy(self) -> "MinuteTable[KeyT]":
        """Return an independent table with the same content and limits."""
        twin: MinuteTable[KeyT] = MinuteTable(
            max_minutes=self._max_minutes, max_entries=self._max_entries
        )
        for minute, keys in self._minutes.items():
            for key, entry in keys.items():
                twin.add(minute, key, entry)
        return twin

    def _pop(self, minute: int, room: int | None = None) -> list[Row[KeyT]]:
        keys = self._minutes[minute]
        popped = list(keys)[:room]
        rows = [_row(minute, key, keys.pop(key)) for key in popped]
        if not keys:
            del self._minutes[minute]
        self._entries -= len(rows)
        return rows


def _row(minute: int, key: KeyT, entry: Entry) -> Row[KeyT]:
    return Row(minute, key, float(entry[0]), tuple(int(count) for count in entry[1:]))
