"""Slices packed by time: one block holds the counts of all SLIs for one minute, hour or day.

One SLI's column is its `slot`. Minutes add up to hours and hours to days, exactly, so a window is
the sum of a few blocks whatever its length and whatever the traffic.
"""

import zlib
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

Counter = NDArray[np.int64]
_ROWS = 4
MINUTE, HOUR, DAY = 1, 60, 1440


def start_of(minutes: int, at: datetime) -> datetime:
    """Return the start of the UTC minute, hour or day (1, 60, 1440 minutes) that contains `at`."""
    if minutes == DAY:
        return at.replace(hour=0, minute=0, second=0, microsecond=0)
    if minutes == HOUR:
        return at.replace(minute=0, second=0, microsecond=0)
    return at.replace(second=0, microsecond=0)


@dataclass
class Block:
    """Counts of all SLIs over one span; arrays are indexed by slot and equally long.

    Args:
        good: Good events.
        total: Valid events.
        measured: Minutes measured, on time or late.
        evaluated: Minutes looked at; those not measured are gaps.
    """

    good: Counter
    total: Counter
    measured: Counter
    evaluated: Counter

    @classmethod
    def empty(cls, slots: int) -> "Block":
        """Return a block of zeros for `slots` SLIs."""
        return cls(*(np.zeros(slots, dtype=np.int64) for _ in range(_ROWS)))

    @classmethod
    def unpack(cls, data: bytes) -> "Block":
        """Return the block that `pack` made."""
        flat = np.frombuffer(zlib.decompress(data), dtype="<i8")
        return cls(*(row.astype(np.int64) for row in flat.reshape(_ROWS, -1)))

    def pack(self) -> bytes:
        """Return the block as bytes: little-endian 64-bit counters, deflated."""
        return zlib.compress(self._matrix().astype("<i8").tobytes(), 1)

    def _matrix(self) -> Counter:
        return np.stack([self.good, self.total, self.measured, self.evaluated])

    def widened(self, slots: int) -> "Block":
        """Return the block with room for at least `slots` SLIs."""
        missing = slots - len(self.good)
        if missing <= 0:
            return self
        return Block(*np.pad(self._matrix(), ((0, 0), (0, missing))))

    def plus(self, other: "Block") -> "Block":
        """Return the sum, as wide as the wider of the two."""
        slots = max(len(self.good), len(other.good))
        return Block(*(self.widened(slots)._matrix() + other.widened(slots)._matrix()))

    def minus(self, other: "Block") -> "Block":
        """Return the difference, as wide as the wider of the two."""
        slots = max(len(self.good), len(other.good))
        return Block(*(self.widened(slots)._matrix() - other.widened(slots)._matrix()))

    def is_zero(self) -> bool:
        """Return whether nothing is counted."""
        return not self._matrix().any()


@dataclass(frozen=True)
class Slice:
    """One SLI, one minute: counts, or a gap when it could not be measured.

    Args:
        good: Good events.
        total: Valid events.
        measured: False is a gap: no data, neither good nor bad.
    """

    good: int = 0
    total: int = 0
    measured: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.good <= self.total:
            raise ValueError(f"a slice needs 0 <= good <= total, got {self.good} of {self.total}")
        if self.total and not self.measured:
            raise ValueError("a gap has no events")


GAP = Slice(measured=False)


def with_slices(block: Block, slices: dict[int, Slice]) -> Block:
    """Return the minute block with the given slots overwritten: writing twice changes nothing."""
    changed = block.widened(max(slices, default=-1) + 1).plus(Block.empty(0))
    for slot, value in slices.items():
        changed.good[slot] = value.good
        changed.total[slot] = value.total
        changed.measured[slot] = int(value.measured)
        changed.evaluated[slot] = 1
    return changed
