"""Slices packed by time: one block holds the counters of all SLIs over one span.

One SLI's column is its `slot`. Counters only add up, whatever the span, so the difference of two
prefixes is a window, and it costs the same for an hour and a year, a hundred events and a million.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from slo.domain import packing

Counter = NDArray[np.int64]
MINUTE, HOUR, DAY = 1, 60, 1440
ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)
# A share of a minute's events is kept in millionths, rounded down.
MILLIONTHS = 1_000_000
# Objectives and slice targets have eight decimals, so they are whole numbers of this unit.
UNITS = 10**8

GOOD, TOTAL, MEASURED, EVALUATED, ACTIVE, MET, RATED = range(7)
COUNTERS = 7

_FORMAT = 2


def start_of(minutes: int, at: datetime) -> datetime:
    """Return the start of the UTC minute, hour or day (1, 60, 1440 minutes) that contains `at`."""
    if minutes == DAY:
        return at.replace(hour=0, minute=0, second=0, microsecond=0)
    if minutes == HOUR:
        return at.replace(minute=0, second=0, microsecond=0)
    return at.replace(second=0, microsecond=0)


def minute_number(at: datetime) -> int:
    """Return how many whole minutes lie between 1970 and `at`."""
    return (at - ORIGIN) // timedelta(minutes=1)


@dataclass(frozen=True, eq=False)
class Block:
    """Counters of all SLIs over one span.

    Args:
        counters: A row per counter, a column per slot: good and valid events, minutes measured
            (on time or late), minutes looked at (those not measured are gaps), minutes with
            events ("active"), those that met the SLI's slice target, and the sum of the active
            minutes' good shares in millionths.
    """

    counters: Counter

    @classmethod
    def empty(cls, slots: int) -> "Block":
        """Return a block of zeros for `slots` SLIs."""
        return cls(np.zeros((COUNTERS, slots), dtype=np.int64))

    @classmethod
    def unpack(cls, data: bytes) -> "Block":
        """Return the block that `pack` made.

        Raises:
            ValueError: If `data` is of another format.
        """
        counters = np.stack(packing.unpack(_FORMAT, data))
        _complement(counters)
        return cls(counters)

    def pack(self) -> bytes:
        """Return the block as bytes.

        What is mostly zero is kept instead of what is mostly large: bad events for good ones,
        missed minutes for met ones, lost shares for shares.
        """
        kept = self.counters.copy()
        _complement(kept)
        return packing.pack(_FORMAT, list(kept))

    @property
    def slots(self) -> int:
        """How many SLIs it has room for."""
        return int(self.counters.shape[1])

    @property
    def good(self) -> Counter:
        """Good events by slot."""
        return self._row(GOOD)

    @property
    def total(self) -> Counter:
        """Valid events by slot."""
        return self._row(TOTAL)

    @property
    def measured(self) -> Counter:
        """Minutes measured by slot."""
        return self._row(MEASURED)

    @property
    def evaluated(self) -> Counter:
        """Minutes looked at by slot."""
        return self._row(EVALUATED)

    def _row(self, counter: int) -> Counter:
        row: Counter = self.counters[counter]
        return row

    def widened(self, slots: int) -> "Block":
        """Return the block with room for at least `slots` SLIs."""
        missing = slots - self.slots
        return Block(np.pad(self.counters, ((0, 0), (0, missing)))) if missing > 0 else self

    def plus(self, other: "Block") -> "Block":
        """Return the sum, as wide as the wider of the two."""
        slots = max(self.slots, other.slots)
        return Block(self.widened(slots).counters + other.widened(slots).counters)

    def minus(self, other: "Block") -> "Block":
        """Return the difference, as wide as the wider of the two."""
        slots = max(self.slots, other.slots)
        return Block(self.widened(slots).counters - other.widened(slots).counters)

    def is_zero(self) -> bool:
        """Return whether nothing is counted."""
        return not self.counters.any()


class SpentPicker:
    """Takes what was not good, and all, of single slots of packed blocks; the rest stays packed.

    Args:
        good: GOOD, MET or RATED for each slot; these are packed as what is missing.
        total: TOTAL or ACTIVE for each slot.
        slots: The slots.
    """

    def __init__(self, good: Counter, total: Counter, slots: Counter) -> None:
        columns, places = np.concatenate([good, total]), np.concatenate([slots, slots])
        self._picker = packing.Picker(_FORMAT, columns, places)
        self._size = len(slots)

    def pick(self, data: bytes) -> Counter:
        """Return a row of bad events and one of all; zero where the block is narrower."""
        return self._picker.pick(data).reshape(2, self._size)


def _complement(counters: Counter) -> None:
    """Swap good for bad, met for missed and shares for lost shares, or back."""
    counters[GOOD] = counters[TOTAL] - counters[GOOD]
    counters[MET] = counters[ACTIVE] - counters[MET]
    counters[RATED] = counters[ACTIVE] * MILLIONTHS - counters[RATED]


@dataclass(frozen=True, slots=True)
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


def with_slices(minute: Block, slices: Mapping[int, Slice], targets: Mapping[int, int]) -> Block:
    """Return the minute's block with the given slots overwritten: writing twice changes nothing.

    Args:
        minute: Counters of one minute.
        slices: What was measured, by slot.
        targets: Share of good events from which a minute is met, by slot, in 1e-8.
    """
    if not slices:
        return minute
    slots = np.fromiter(slices, dtype=np.int64, count=len(slices))
    changed = minute.widened(int(slots.max()) + 1).counters.copy()
    values = np.array([(s.good, s.total, s.measured) for s in slices.values()], dtype=np.int64).T
    good, total, measured = values
    wanted = np.array([targets.get(slot, UNITS) for slot in slices], dtype=np.int64)
    active = total > 0
    changed[:, slots] = np.stack(
        [
            good,
            total,
            measured,
            np.ones_like(good),
            active,
            active & (good * UNITS >= wanted * total),
            np.where(active, good * MILLIONTHS // np.maximum(total, 1), 0),
        ]
    )
    return Block(changed)
