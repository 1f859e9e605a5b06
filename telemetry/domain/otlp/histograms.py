"""Points of histograms as columns, decoded many at once.

An exporter lays the points of a metric out alike: the same fields in the same order, so that points
of the same length differ in their values and not in where these stand. The first of them is looked
at field by field; where the others have the same tags and sizes at the same places, the values are
columns of one array of bytes. What is laid out otherwise is decoded by itself, with the same result.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telemetry.domain.otlp.lean import HistogramPoint
from telemetry.domain.otlp.points import Floats, Int64s
from telemetry.domain.otlp.wire import FIXED, FIXED64, LENGTH_DELIMITED, VARINT, read_varint

__all__ = ["HistogramPoints", "read_points"]

UInt64s = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
# Numbers of the fields in HistogramDataPoint, and how each is encoded.
_START, _TIME, _COUNT, _SUM, _CELLS, _BOUNDS, _ATTRIBUTES, _FLAGS = 2, 3, 4, 5, 6, 7, 9, 10
_WIRE_TYPES = {
    **dict.fromkeys((_START, _TIME, _COUNT, _SUM), FIXED64),
    **dict.fromkeys((_CELLS, _BOUNDS, _ATTRIBUTES), LENGTH_DELIMITED),
    _FLAGS: VARINT,
}
_HAS_NO_VALUE = 1
_MAX_FIELD = (1 << 29) - 1
# Of a tag or a size.
_MAX_PREFIX_BYTES = 5
# Looking at a layout costs as much as decoding a few points by themselves.
_FEW = 4
_LAYOUTS_A_LENGTH = 8


class HistogramPoints(NamedTuple):
    """Points over the same bounds with equally many bucket counts; equally long columns.

    Args:
        positions: Where the points stood among those that were read.
        starts, times: Nanoseconds since 1970.
        counts, sums: Of all values.
        cells: The bytes of each point's bucket counts.
        attributes: The bytes of each point's attributes, tags included.
    """

    positions: Int64s
    starts: UInt64s
    times: UInt64s
    counts: UInt64s
    sums: Floats
    cells: Bytes
    attributes: list[bytes]

    @classmethod
    def joined(cls, parts: "Sequence[HistogramPoints]") -> "HistogramPoints":
        """Return the points of several."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.positions for part in parts]),
            np.concatenate([part.starts for part in parts]),
            np.concatenate([part.times for part in parts]),
            np.concatenate([part.counts for part in parts]),
            np.concatenate([part.sums for part in parts]),
            np.concatenate([part.cells for part in parts]),
            [each for part in parts for each in part.attributes],
        )

    def take(self, rows: Int64s) -> "HistogramPoints":
        """Return some of the points, in the order of `rows`."""
        return HistogramPoints(
            self.positions[rows],
            self.starts[rows],
            self.times[rows],
            self.counts[rows],
            self.sums[rows],
            self.cells[rows],
            [self.attributes[row] for row in rows.tolist()],
        )


# By bounds as on the wire, and bytes of bucket counts.
_Found = dict[tuple[bytes, int], list[HistogramPoints]]


def read_points(encoded: Sequence[bytes]) -> list[tuple[bytes, HistogramPoints]]:
    """Return points by their bounds (as on the wire), without those of no value.

    Raises:
        DecodeError: A point is no protobuf.
    """
    by_length: dict[int, list[int]] = defaultdict(list)
    for position, one in enumerate(encoded):
        by_length[len(one)].append(position)
    found: _Found = defaultdict(list)
    others: list[int] = []
    for positions in by_length.values():
        left = positions
        for _ in range(_LAYOUTS_A_LENGTH):
            if len(left) < _FEW or (layout := _layout_of(encoded[left[0]])) is None:
                break
            left = _read_together(encoded, left, layout, found)
        others += left
    if others:
        _read_singly(encoded, sorted(others), found)
    return [(bounds, HistogramPoints.joined(parts)) for (bounds, _), parts in found.items()]


@dataclass
class _Layout:
    """Where the fields of a point stand.

    Args:
        values: Of the fields that occur, the bytes of the value.
        attributes: All of them, from the first tag on; they stand together.
        frame: What is equal in points that are laid out alike: tags, sizes and small numbers.
        has_value: What the flags say.
    """

    values: dict[int, slice] = field(default_factory=dict)
    attributes: slice = field(default_factory=lambda: slice(0, 0))
    frame: list[slice] = field(default_factory=list)
    has_value: bool = True

    def note(self, number: int, begin: int, value: slice) -> bool:
        """Remember a field; False when one of ours occurs again, or attributes somewhere else."""
        if number == _ATTRIBUTES:
            known = self.attributes
            self.attributes = slice(known.start if known.stop else begin, value.stop)
            return known.stop in (0, begin)
        is_again = number in self.values
        if number in _WIRE_TYPES:
            self.values[number] = value
        return not is_again


def _layout_of(point: bytes) -> _Layout | None:
    """Return how a point is laid out; None when that is unusual, or wrong."""
    layout = _Layout()
    at = 0
    while at < len(point):
        begin = at
        tag, at = read_varint(point, at)
        number, wire = tag >> 3, tag & 7
        is_tag = 0 < number <= _MAX_FIELD and at - begin <= _MAX_PREFIX_BYTES
        if not is_tag or wire != _WIRE_TYPES.get(number, wire):
            return None
        value = _value_at(point, at, wire)
        if value is None or not layout.note(number, begin, value):
            return None
        layout.frame.append(slice(begin, value.stop if wire == VARINT else value.start))
        at = value.stop
    if flags := layout.values.pop(_FLAGS, None):
        layout.has_value = not read_varint(point, flags.start)[0] & _HAS_NO_VALUE
    return layout


def _value_at(point: bytes, at: int, wire: int) -> slice | None:
    if wire == VARINT:
        end = read_varint(point, at)[1]
        # Cut short, or longer than any number.
        return slice(at, end) if end > at and point[end - 1] < 0x80 else None
    size = FIXED.get(wire)
    if wire == LENGTH_DELIMITED:
        begin = at
        size, at = read_varint(point, at)
        if at - begin > _MAX_PREFIX_BYTES:
            return None
    return slice(at, at + size) if size is not None and at + size <= len(point) else None


def _read_together(
    encoded: Sequence[bytes], positions: list[int], layout: _Layout, found: _Found
) -> list[int]:
    """Read those of equally long points that are laid out like the first; return the others."""
    points = [encoded[position] for position in positions]
    rows = np.frombuffer(b"".join(points), np.uint8).reshape(len(points), -1)
    frame = np.zeros(rows.shape[1], bool)
    for part in layout.frame:
        frame[part] = True
    framed = rows[:, frame]
    is_alike = (framed == framed[0]).all(axis=1)
    others: list[int] = []
    if not is_alike.all():
        others = [positions[row] for row in np.flatnonzero(~is_alike).tolist()]
        chosen = np.flatnonzero(is_alike).tolist()
        positions, points = [positions[row] for row in chosen], [points[row] for row in chosen]
        rows = rows[is_alike]
    if layout.has_value:
        columns = _columns(layout, rows, positions, points)
        for bounds, same in _by_bounds(layout, points, columns):
            found[bounds, same.cells.shape[1]].append(same)
    return others


def _columns(
    layout: _Layout, rows: Bytes, positions: Sequence[int], points: Sequence[bytes]
) -> HistogramPoints:
    def numbers(field_number: int, kind: str) -> NDArray[np.uint64]:
        where = layout.values.get(field_number)
        if where is None:
            return np.zeros(len(rows), kind)
        return np.ascontiguousarray(rows[:, where]).view(kind).ravel()

    return HistogramPoints(
        np.array(positions, np.int64),
        numbers(_START, "<u8"),
        numbers(_TIME, "<u8"),
        numbers(_COUNT, "<u8"),
        numbers(_SUM, "<f8").view(np.float64),
        rows[:, layout.values.get(_CELLS, slice(0, 0))],
        [point[layout.attributes] for point in points],
    )


def _by_bounds(
    layout: _Layout, points: Sequence[bytes], columns: HistogramPoints
) -> Iterator[tuple[bytes, HistogramPoints]]:
    where = layout.values.get(_BOUNDS, slice(0, 0))
    bounds = [point[where] for point in points]
    distinct = set(bounds)
    if len(distinct) == 1:
        yield distinct.pop(), columns
        return
    for one in distinct:
        yield one, columns.take(np.flatnonzero([own == one for own in bounds]))


def _read_singly(encoded: Sequence[bytes], positions: Sequence[int], found: _Found) -> None:
    """Read points one by one."""
    alike: dict[tuple[bytes, int], list[tuple[int, Any]]] = defaultdict(list)
    for position in positions:
        point = HistogramPoint.FromString(encoded[position])
        if not point.flags & _HAS_NO_VALUE:
            alike[point.explicit_bounds, len(point.bucket_counts)].append((position, point))
    for key, numbered in alike.items():
        points = [point for _, point in numbered]
        cells = b"".join(point.bucket_counts for point in points)
        found[key].append(
            HistogramPoints(
                np.array([position for position, _ in numbered], np.int64),
                np.array([point.start for point in points], np.uint64),
                np.array([point.time for point in points], np.uint64),
                np.array([point.count for point in points], np.uint64),
                np.array([point.sum for point in points], np.float64),
                np.frombuffer(cells, np.uint8).reshape(len(points), key[1]),
                [_attributes_of(point) for point in points],
            )
        )


def _attributes_of(point: Any) -> bytes:
    encoded: bytes = HistogramPoint(attributes=point.attributes).SerializeToString()
    return encoded
