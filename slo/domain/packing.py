"""Columns of counters as few bytes: each in the narrowest whole numbers that hold it."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]

_HEADER = struct.Struct("<BBH")
_COLUMN = struct.Struct("<BI")
_DEFLATED = 1
# Deflating shorter rows, or rows that hardly shrink, costs more than it saves.
_WORTH_DEFLATING = 4096
# Whole hours and days are read again each minute and hardly ever change. Longer rows, of many
# thousand objectives, would take more memory than they save time.
_WORTH_KEEPING = 32_768
_INFLATED_ROWS = 256


def pack(magic: int, columns: Sequence[Column]) -> bytes:
    """Return columns of numbers ≥ 0 as bytes that begin with `magic`, deflated where that pays."""
    head, parts = [], []
    for column in columns:
        width = _width(column)
        head.append(_COLUMN.pack(width, len(column)))
        kept = column if width else column[:1]
        parts.append(kept.astype(f"<u{width or 8}").tobytes())
    body = b"".join([*head, *parts])
    flags = 0
    if len(body) >= _WORTH_DEFLATING:
        deflated = zlib.compress(body, 1)
        if len(deflated) < len(body) * 0.9:
            body, flags = deflated, _DEFLATED
    return _HEADER.pack(magic, flags, len(columns)) + body


def unpack(magic: int, data: bytes) -> list[Column]:
    """Return the columns that `pack` made with the same `magic`.

    Raises:
        ValueError: If `data` is of another format.
    """
    columns = []
    for length, kept in _kept(magic, data):
        column = np.empty(length, dtype=np.int64)
        column[:] = kept
        columns.append(column)
    return columns


class Picker:
    """Takes single numbers of packed columns without unpacking the rest.

    Args:
        magic: As they were packed.
        columns: Number of the column of each wanted one.
        places: Its place in that column.
    """

    def __init__(self, magic: int, columns: Column, places: Column) -> None:
        self._magic = magic
        self._size = len(places)
        self._wanted = {
            int(number): (np.flatnonzero(columns == number), places[columns == number])
            for number in np.unique(columns)
        }

    def pick(self, data: bytes) -> Column:
        """Return the numbers; zero where a column is shorter.

        Raises:
            ValueError: If `data` is of another format.
        """
        found = np.zeros(self._size, dtype=np.int64)
        for number, (length, kept) in enumerate(_kept(self._magic, data)):
            if number in self._wanted and length:
                mine, places = self._wanted[number]
                inside = places < length
                if not inside.all():
                    mine, places = mine[inside], places[inside]
                found[mine] = kept[places] if len(kept) == length else kept
        return found


def _kept(magic: int, data: bytes) -> Iterator[tuple[int, NDArray[np.unsignedinteger[Any]]]]:
    """Yield the length of each column and its numbers, a single one if it is the same everywhere."""
    found, flags, count = _HEADER.unpack_from(data)
    if found != magic:
        raise ValueError(f"packed as format {found}, this version reads {magic}: run migrate")
    body = data[_HEADER.size :]
    if flags & _DEFLATED:
        inflate = _inflated if len(body) <= _WORTH_KEEPING else zlib.decompress
        body = inflate(body)
    at = count * _COLUMN.size
    for number in range(count):
        width, length = _COLUMN.unpack_from(body, number * _COLUMN.size)
        kept = length if width else min(length, 1)
        yield length, np.frombuffer(body, f"<u{width or 8}", kept, at)
        at += kept * (width or 8)


@lru_cache(maxsize=_INFLATED_ROWS)
def _inflated(body: bytes) -> bytes:
    return zlib.decompress(body)


def _width(column: Column) -> int:
    """Return how many bytes a value takes; 0 for a column that is the same everywhere."""
    if not len(column):
        return 1
    largest, smallest = int(column.max()), int(column.min())
    if smallest < 0:
        raise ValueError(f"only numbers from 0 on are packed, got {smallest}")
    if largest == smallest:
        return 0
    return next(width for width in (1, 2, 4, 8) if largest < 1 << (8 * width))
