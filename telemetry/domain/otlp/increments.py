"""From what streams count up to what happened in between.

State is what each stream said last. A stream with another start time is another count (a process
that began anew, or a second one under the same name), so both are told apart by it; without one, a
value that fell says that counting began at zero again.

Source: OpenTelemetry metrics data model, "Resets and Gaps" and "Sums: Detecting Overlap".
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from telemetry.domain.otlp.points import (
    Columns,
    Floats,
    Int64s,
    Points,
    columns_of,
    points_of,
)

__all__ = [
    "Increments",
    "WriterState",
    "from_cumulative",
    "from_deltas",
    "minute_of_ns",
    "writers_streams",
]

NS = 1_000_000_000
# A first value counts in full when its process began this shortly before: nobody missed anything.
RECENT_NS = 600 * NS
# What is between two values of a stream is known to be all there was, unless they are further apart.
LONGEST_INTERVAL_NS = 600 * NS
# A count that said nothing for so long while its writer did is over.
FORGET_NS = 86_400 * NS
# Streams of several writers are counted together: the writer's position is above a stream's number.
_ABOVE = 32
_BELOW = (1 << _ABOVE) - 1

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[int, dict[str, Columns]])


@dataclass(frozen=True)
class Increments:
    """What happened in intervals; equally long arrays.

    Args:
        keys: Position of the writer among those that were counted together, and below it, in the
            lower 32 bits, the number of the stream.
        since, times: Begin and end of the interval, nanoseconds since 1970.
        values, sums: What was added in it.
        is_counted: False where only a first value was noted, so that nothing is known before it.
    """

    keys: Int64s
    since: Int64s
    times: Int64s
    values: Int64s
    sums: Floats
    is_counted: NDArray[np.bool_]

    @property
    def writers(self) -> Int64s:
        """The position of each interval's writer."""
        return self.keys >> _ABOVE

    @property
    def minutes(self) -> Int64s:
        """The minute that contains the end of each interval; a full minute is its own."""
        return minute_of_ns(self.times)

    def covered(self) -> set[tuple[int, int]]:
        """Return positions of writers, and minutes through which each was alive and seen by us."""
        last = self.minutes
        is_near = self.since >= self.times - LONGEST_INTERVAL_NS
        first = np.minimum(np.where(is_near, self.since // (60 * NS), last), last)
        ends = np.stack([self.writers, first, last], axis=1)[self.is_counted]
        # Neighbours mostly say the same.
        is_other = np.append(True, (ends[1:] != ends[:-1]).any(axis=1))[: len(ends)]
        spans = {(writer, low, high) for writer, low, high in ends[is_other].tolist()}
        return {(writer, minute) for writer, low, high in spans for minute in range(low, high + 1)}


class WriterState(msgspec.Struct):
    """What the cumulative streams of one writer said last, by their kind and bounds.

    Args:
        known_since: Earliest time of any of its points; 0 before there were any.
        last: The last point of each stream and start, sorted by both.
    """

    known_since: int
    last: dict[str, Points]

    def pack(self) -> bytes:
        """Return the state as the bytes of a column."""
        blocks = {name: columns_of(points) for name, points in self.last.items() if len(points)}
        return zlib.compress(_encoder.encode((self.known_since, blocks)), 1)

    @classmethod
    def unpack(cls, data: bytes) -> "WriterState":
        """Return the state that `pack` made bytes of; an empty one of no bytes."""
        if not data:
            return cls(0, {})
        known_since, blocks = _decoder.decode(zlib.decompress(data))
        return cls(known_since, {name: points_of(*columns) for name, columns in blocks.items()})

    def note_times(self, times: Int64s) -> None:
        """Remember the earliest time of any of its points."""
        first = int(times.min())
        self.known_since = min(self.known_since or first, first)

    def starts_seen(self) -> tuple[Int64s, Int64s]:
        """Return the start times of its counts, and a time by which each had been seen."""
        parts = list(self.last.values())
        if not parts:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return (
            np.concatenate([part.starts for part in parts]),
            np.concatenate([part.times for part in parts]),
        )


def writers_streams(keys: Int64s) -> Iterator[tuple[int, int]]:
    """Return the position of the writer and the number of the stream of each key."""
    return zip((keys >> _ABOVE).tolist(), (keys & _BELOW).tolist(), strict=True)


def minute_of_ns(times: Int64s) -> Int64s:
    """Return the minute numbers of the instants just before `times`."""
    return (times - 1) // (60 * NS)


def from_deltas(parts: Sequence[Points]) -> Increments:
    """Return points of delta temporality, some of each writer: each says what was added since its start."""
    points = _numbered(parts)
    since = np.where(points.starts > 0, points.starts, points.times)
    every = np.ones(len(points), bool)
    return Increments(points.streams, since, points.times, points.values, points.sums, every)


def from_cumulative(
    group: str, parts: Sequence[tuple[WriterState, Points]], *, is_folded: bool = False
) -> Increments:
    """Return what was added since each stream's last value, and remember the new ones.

    Points at or before the last time of their stream and start were counted already: passed over.

    Args:
        group: Kind and bounds of all points.
        parts: The states of some writers, which are changed, and points of each in any order.
        is_folded: Buckets come from exponential ones and may move down when those get wider.
    """
    none = Points.empty(parts[0][1].values.shape[1])
    before = _numbered([state.last.get(group) or none for state, _ in parts])
    rows, is_old = _in_order(before, _numbered([points for _, points in parts]))
    is_first, fresh = _begins(rows), ~is_old
    counted = np.zeros(len(rows), bool)
    is_last = np.append(is_first[1:], True)[: len(rows)]
    edges = np.searchsorted(rows.streams, np.arange(len(parts) + 1) << _ABOVE).tolist()
    for (state, points), begin, end in zip(parts, edges, edges[1:], strict=False):
        state.note_times(points.times)
        part = slice(begin, end)
        own, firsts = rows.take(part), (is_first & fresh)[part]
        if firsts.any():
            counted[part] = _counts_in_full(state, own, firsts)
        state.last[group] = _newest(own, is_last[part])
    values, sums = _differences(rows, is_first, is_folded=is_folded)
    values[is_first & ~counted] = 0
    sums[is_first & ~counted] = 0.0
    since = np.where(
        is_first, np.where(rows.starts > 0, rows.starts, rows.times), _shifted(rows.times)
    )
    return Increments(
        rows.streams[fresh],
        since[fresh],
        rows.times[fresh],
        values[fresh],
        sums[fresh],
        (~is_first | counted)[fresh],
    )


def _numbered(parts: Sequence[Points]) -> Points:
    """Return the rows of several writers, their positions above the numbers of their streams."""
    joined = Points.joined(parts)
    positions = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    streams = joined.streams + (positions << _ABOVE)
    return Points(streams, joined.starts, joined.times, joined.values, joined.sums)


def _in_order(before: Points, points: Points) -> tuple[Points, NDArray[np.bool_]]:
    """Return remembered and new rows by stream, start and time, without what was seen already."""
    joined = Points.joined([before, points])
    is_old = np.arange(len(joined)) < len(before)
    # Stable, and remembered rows come first: the second of two equal ones is the repetition.
    order = np.lexsort((joined.times, joined.starts, joined.streams))
    rows, is_old = joined.take(order), is_old[order]
    run = np.cumsum(_begins(rows)) - 1
    remembered = np.full(int(run[-1]) + 1, -1, np.int64)
    remembered[run[is_old]] = rows.times[is_old]
    repeats = np.append(False, rows.times[1:] == rows.times[:-1]) & ~_begins(rows)
    keep = is_old | ((rows.times > remembered[run]) & ~repeats)
    return rows.take(keep), is_old[keep]


def _begins(rows: Points) -> NDArray[np.bool_]:
    """Return which rows are the first of their stream and start."""
    same = (rows.streams[1:] == rows.streams[:-1]) & (rows.starts[1:] == rows.starts[:-1])
    return np.append(True, ~same)[: len(rows)]


def _shifted(column: Int64s) -> Int64s:
    return np.append(column[:1], column[:-1])


def _counts_in_full(
    state: WriterState, rows: Points, firsts: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which first values have all been counted under our eyes.

    So it is when the count began after the writer was first heard of, or minutes ago; or when
    another count of the same start was heard of earlier, as this one would have been.
    """
    counted = np.zeros(len(rows), bool)
    starts, times = rows.starts[firsts], rows.times[firsts]
    known_starts, known_times = state.starts_seen()
    every = np.append(known_starts, rows.starts)
    at = np.append(known_times, rows.times)
    unique, inverse = np.unique(every, return_inverse=True)
    earliest = np.full(len(unique), np.iinfo(np.int64).max)
    np.minimum.at(earliest, inverse, at)
    heard_of = earliest[np.searchsorted(unique, starts)] < times
    in_range = (starts >= state.known_since) | (starts >= times - RECENT_NS) | heard_of
    counted[firsts] = (starts > 0) & in_range
    return counted


def _differences(
    rows: Points, is_first: NDArray[np.bool_], *, is_folded: bool
) -> tuple[Int64s, Floats]:
    values, sums = rows.values.copy(), rows.sums.copy()
    values[1:] -= rows.values[:-1]
    sums[1:] -= rows.sums[:-1]
    fell = (values < 0).any(axis=1) & ~is_first
    if is_folded:
        moved = fell & (values.sum(axis=1) >= 0)
        values[moved] = _moved_up(values[moved])
        fell &= ~moved
    begins = is_first | fell
    values[begins], sums[begins] = rows.values[begins], rows.sums[begins]
    return values, np.maximum(sums, 0.0)


def _moved_up(values: Int64s) -> Int64s:
    """Return differences without negative buckets and with the same total, none of them faster."""
    up_to = np.cumsum(values, axis=1)
    up_to = np.minimum.accumulate(up_to[:, ::-1], axis=1)[:, ::-1]
    up_to = np.maximum(up_to, 0)
    return np.diff(up_to, axis=1, prepend=0)


def _newest(rows: Points, is_last: NDArray[np.bool_]) -> Points:
    """Return what to remember of one writer's rows, by its own numbers of streams."""
    newest = int(rows.times.max(initial=0))
    last = rows.take(is_last & (rows.times >= newest - FORGET_NS))
    last.streams &= _BELOW
    return last
