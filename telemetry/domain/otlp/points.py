"""Data points as they are kept in the delta log: columns, each point one row.

A block holds the points of one metric of one resource over the same bounds. Which stream a row
belongs to is a number of its writer (`telemetry.domain.otlp.writers`), so that a row is small.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["PREFIX", "Block", "Family", "Kind", "Points", "decode", "encode", "is_points"]

# The first byte of a log row of points; that of counts is zlib's.
PREFIX = b"\x03"
MAX_VALUE = 1 << 53
Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]


class Family:
    """What kind of value a stream has."""

    REQUESTS = "requests"
    HISTOGRAM = "histogram"
    COUNTER = "counter"
    GAUGE = "gauge"


class Points(msgspec.Struct):
    """Rows of points; equally long arrays.

    Args:
        streams: Number of the stream within its writer.
        starts, times: Nanoseconds since 1970; a start of 0 is not known.
        values: One row of integers a point: counts per bucket, or a counter in thousandths.
        sums: Added up values of a histogram in the metric's unit; the value of a gauge.
    """

    streams: Int64s
    starts: Int64s
    times: Int64s
    values: Int64s
    sums: Floats

    def __len__(self) -> int:
        return len(self.streams)

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return self.values.nbytes + 4 * self.streams.nbytes

    def take(self, chosen: NDArray[Any] | slice) -> "Points":
        """Return the chosen rows, in the order of `chosen` when it holds positions."""
        return Points(
            self.streams[chosen],
            self.starts[chosen],
            self.times[chosen],
            self.values[chosen],
            self.sums[chosen],
        )

    @classmethod
    def joined(cls, parts: Sequence["Points"]) -> "Points":
        """Return the rows of several, all over the same buckets, in order."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.streams for part in parts]),
            np.concatenate([part.starts for part in parts]),
            np.concatenate([part.times for part in parts]),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.sums for part in parts]),
        )

    @classmethod
    def empty(cls, width: int) -> "Points":
        """Return no rows over `width` buckets."""
        none = np.zeros(0, np.int64)
        return cls(none, none, none, np.zeros((0, width), np.int64), np.zeros(0))


class Kind(NamedTuple):
    """What points must have in common to be counted together; see `Block`."""

    family: str
    is_delta: bool
    is_folded: bool
    bounds: tuple[float, ...]

    @property
    def name(self) -> str:
        """How a writer's state calls it; never that of another kind."""
        bounds = ",".join(f"{bound:g}" for bound in self.bounds)
        return f"{self.family}{'~' if self.is_folded else ''}{bounds}"


@dataclass(frozen=True)
class Block:
    """Points of one kind.

    Args:
        writer_id: Whose streams these are.
        family: One of `Family`.
        is_delta: Each point counts from its start; otherwise the stream counts up.
        is_folded: The buckets were folded from exponential ones, whose borders may move.
        bounds: Upper bounds of the buckets in milliseconds or in the metric's unit.
        points: The rows.
    """

    writer_id: int
    family: str
    is_delta: bool
    is_folded: bool
    bounds: tuple[float, ...]
    points: Points

    @property
    def kind(self) -> "Kind":
        """Blocks of the same kind are counted together."""
        return Kind(self.family, self.is_delta, self.is_folded, self.bounds)


# Rows; streams, starts, times and values, each with the width of its items; sums.
Columns = tuple[int, tuple[tuple[int, bytes], ...], bytes]


class _Packed(msgspec.Struct, array_like=True):
    writer_id: int
    family: str
    is_delta: bool
    is_folded: bool
    bounds: tuple[float, ...]
    columns: Columns


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[_Packed])


def encode(blocks: Iterable[Block]) -> bytes:
    """Return blocks as the bytes of a log row."""
    packed = [
        _Packed(
            block.writer_id,
            block.family,
            block.is_delta,
            block.is_folded,
            block.bounds,
            columns_of(block.points),
        )
        for block in blocks
    ]
    return PREFIX + zlib.compress(_encoder.encode(packed), 1)


def is_points(payload: bytes) -> bool:
    """Return whether a log row holds points."""
    return payload[:1] == PREFIX


def decode(payload: bytes) -> list[Block]:
    """Return the blocks of a log row.

    Raises:
        ValueError: If it is damaged.
    """
    try:
        packed = _decoder.decode(zlib.decompress(payload[1:]))
    except zlib.error as error:
        raise ValueError("The payload is damaged.") from error
    return [
        Block(
            one.writer_id,
            one.family,
            one.is_delta,
            one.is_folded,
            one.bounds,
            points_of(*one.columns),
        )
        for one in packed
    ]


def columns_of(points: Points) -> Columns:
    """Return rows, at least one, as narrow columns."""
    integers = (points.streams, points.starts, points.times, points.values)
    return len(points), tuple(map(_narrow, integers)), points.sums.astype("<f8").tobytes()


def points_of(rows: int, columns: Sequence[tuple[int, bytes]], sums: bytes) -> Points:
    """Return the rows that `columns_of` packed.

    Raises:
        ValueError: If the columns do not fit each other.
    """
    streams, starts, times, values = (_wide(*column) for column in columns)
    points = Points(streams, starts, times, values.reshape(rows, -1), np.frombuffer(sums, "<f8"))
    if not len(streams) == len(starts) == len(times) == len(points.sums) == rows:
        raise ValueError("The columns are not equally long.")
    return points


def _narrow(values: Int64s) -> tuple[int, bytes]:
    """Return values in the narrowest type that holds them; one that repeats only once."""
    first = int(values.flat[0])
    if values.ndim == 1 and bool((values == first).all()):
        return -len(values), np.array([first], "<i8").tobytes()
    largest = max(int(values.max()), -1 - int(values.min()))
    width = next(size for size in (1, 2, 4, 8) if largest < 1 << (size * 8 - 1))
    return width, values.astype(f"<i{width}").tobytes()


def _wide(width: int, data: bytes) -> Int64s:
    if width < 0:
        return np.full(-width, np.frombuffer(data, "<i8")[0], np.int64)
    if width not in (1, 2, 4, 8):
        raise ValueError("No such width of a column.")
    return np.frombuffer(data, f"<i{width}").astype(np.int64)
