"""Request counts of a batch as columns: quick to count, small to keep, and quick to add up.

A row is one series in one minute; a series is what does not change from minute to minute: service,
endpoint, method and status. All rows of one `RequestColumns` are counted over the same bounds.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from telemetry.domain.buckets import full_bounds

__all__ = ["Events", "RequestColumns", "Series", "add_up", "count"]

Series = tuple[int, str, str, int]
Integers = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
Packed = tuple[int, bytes]


class RequestColumns(msgspec.Struct, array_like=True):
    """Counts as stored: each column little-endian, in the narrowest unsigned type that holds it.

    Args:
        own_bounds: Those the service added to the default ones (ms).
        series: Service id, endpoint, method and status.
        first_minute: The earliest minute, since 1970.
        rows: Of each row, the position in `series`.
        minutes: Of each row, how many minutes after the first.
        sums_ms: Of each row, its durations added up, as 64-bit floats.
        cells: Of each row, how many fell to each bound, and above the last one.
    """

    own_bounds: tuple[int, ...]
    series: list[Series]
    first_minute: int
    rows: Packed
    minutes: Packed
    sums_ms: bytes
    cells: Packed


@dataclass(frozen=True)
class Events:
    """Single requests as columns: code of the series, minute since 1970, and duration (ms)."""

    series: Integers
    minutes: NDArray[np.int64]
    durations_ms: Floats

    def of(self, chosen: NDArray[np.bool_]) -> "Events":
        """Return the chosen ones."""
        return Events(self.series[chosen], self.minutes[chosen], self.durations_ms[chosen])


def count(events: Events, series: Sequence[Series], own_bounds: tuple[int, ...]) -> RequestColumns:
    """Return what events add; there must be one at least.

    Args:
        events: Their `series` are positions in `series`.
        series: Each once; those without events are left out.
        own_bounds: The bounds that all of them are counted over besides the default ones.
    """
    first = int(events.minutes.min())
    span = int(events.minutes.max()) - first + 1
    found, row = np.unique(events.series * span + (events.minutes - first), return_inverse=True)
    bounds = np.array(full_bounds(own_bounds), np.float64)
    width = len(bounds) + 1
    cell = row * width + np.searchsorted(bounds, events.durations_ms)
    used, rows = np.unique(found // span, return_inverse=True)
    return RequestColumns(
        own_bounds,
        [series[code] for code in used.tolist()],
        first,
        _pack(rows),
        _pack(found % span),
        np.bincount(row, events.durations_ms).astype("<f8").tobytes(),
        _pack(np.bincount(cell, minlength=len(found) * width)),
    )


def add_up(
    columns: Iterable[RequestColumns],
) -> Iterator[tuple[tuple[int, ...], Series, int, float, list[int]]]:
    """Yield own bounds, series, minute, sum (ms) and counts per bound, each key once.

    Raises:
        ValueError: If counts do not fit their bounds, or a row has no series.
    """
    by_bounds: dict[tuple[int, ...], list[RequestColumns]] = {}
    for one in columns:
        by_bounds.setdefault(one.own_bounds, []).append(one)
    for own_bounds, alike in by_bounds.items():
        for series, minute, sum_ms, cells in _add_alike(alike, len(full_bounds(own_bounds)) + 1):
            yield own_bounds, series, minute, sum_ms, cells


def _add_alike(
    columns: Sequence[RequestColumns], width: int
) -> Iterator[tuple[Series, int, float, list[int]]]:
    codes: dict[Series, int] = {}
    parts = [_read(one, codes, width) for one in columns]
    rows, minutes, sums, cells = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((minutes, rows))
    rows, minutes = rows[order], minutes[order]
    is_new = np.append(True, (np.diff(rows) != 0) | (np.diff(minutes) != 0))
    starts = np.flatnonzero(is_new)
    sums = np.add.reduceat(sums[order], starts)
    cells = np.add.reduceat(cells[order], starts, axis=0, dtype=np.int64)
    series = list(codes)
    for code, minute, sum_ms, counts in zip(
        rows[starts].tolist(),
        minutes[starts].tolist(),
        sums.tolist(),
        cells.tolist(),
        strict=True,
    ):
        yield series[code], minute, sum_ms, counts


def _read(
    one: RequestColumns, codes: dict[Series, int], width: int
) -> tuple[Integers, Integers, Floats, Integers]:
    """Return rows, minutes, sums and counts; `codes` numbers the series of all that are added."""
    rows, minutes = _unpack(one.rows), _unpack(one.minutes).astype(np.int64)
    sums = np.frombuffer(one.sums_ms, "<f8")
    cells = _unpack(one.cells).reshape(-1, width)
    if not len(rows) or not len(rows) == len(minutes) == len(sums) == len(cells):
        raise ValueError("The columns are not equally long.")
    if int(rows.max()) >= len(one.series):
        raise ValueError("A row has no series.")
    known = np.array([codes.setdefault(series, len(codes)) for series in one.series], np.int64)
    return known[rows], minutes + one.first_minute, sums, cells


def _pack(values: Integers) -> Packed:
    size = np.min_scalar_type(int(values.max())).itemsize
    return size, values.astype(f"<u{size}").tobytes()


def _unpack(packed: Packed) -> Integers:
    size, data = packed
    if size not in (1, 2, 4, 8):
        raise ValueError("No such width of a column.")
    return np.frombuffer(data, f"<u{size}")
