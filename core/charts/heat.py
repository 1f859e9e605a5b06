"""Heat maps: a row a day, a column an hour, each cell as deep as its count."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.charts.model import Tick

__all__ = ["HeatMap", "heat_map"]

LEVELS = 4
ROW_HEIGHT = 22


@dataclass(frozen=True)
class Cell:
    """One cell: its left edge in percent, its depth from 0 (none) to `LEVELS`, what it says."""

    x: float
    level: int
    text: str


@dataclass(frozen=True)
class HeatRow:
    """One row: its name, its top edge and its middle in pixels, its cells and their counts."""

    label: str
    y: int
    middle: float
    cells: tuple[Cell, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class HeatMap:
    """A heat map ready to be drawn: nothing left to compute.

    `width` is that of a cell in percent, `ticks` are the names of columns at their left edges.
    """

    id: str
    title: str
    summary: str
    zone: str
    height: int
    width: float
    rows: tuple[HeatRow, ...]
    columns: tuple[str, ...]
    ticks: tuple[Tick, ...]


def heat_map(
    counts: Sequence[Sequence[int]],
    *,
    id: str,  # noqa: A002 it becomes the element's id
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    noun: str,
    zone: str = "",
    every: int = 3,
) -> HeatMap:
    """Return a map of counts, one at least a row and a column.

    Args:
        counts: A sequence a row, of one count a column.
        id: Element id, unique on the page.
        title: What it shows; the caption and accessible name.
        rows: Names of the rows.
        columns: Names of the columns.
        noun: What is counted, in the plural.
        zone: In which the names are times; "" where they are none.
        every: Which columns are named below: the first and each so many after it.
    """
    most = max((count for row in counts for count in row), default=0)
    width = 100 / len(columns)

    def cell(row: int, column: int) -> Cell:
        count = counts[row][column]
        level = math.ceil(count / most * LEVELS) if most else 0
        text = f"{rows[row]} {columns[column]}: {count:,} {noun}"
        return Cell(round(column * width, 3), level, text)

    return HeatMap(
        id=id,
        title=title,
        summary=_summary(counts, rows, columns, noun),
        zone=zone,
        height=ROW_HEIGHT * len(rows),
        width=round(width, 3),
        rows=tuple(
            HeatRow(
                name,
                number * ROW_HEIGHT,
                (number + 0.5) * ROW_HEIGHT,
                tuple(cell(number, column) for column in range(len(columns))),
                tuple(counts[number]),
            )
            for number, name in enumerate(rows)
        ),
        columns=tuple(columns),
        ticks=tuple(
            Tick(round(number * width, 3), columns[number])
            for number in range(0, len(columns), every)
        ),
    )


def _summary(
    counts: Sequence[Sequence[int]], rows: Sequence[str], columns: Sequence[str], noun: str
) -> str:
    """Return how many in total and where most of them are, as a sentence."""
    total = sum(map(sum, counts))
    if not total:
        return f"No {noun}."
    most, row, column = max(
        (count, -number, -place)
        for number, line in enumerate(counts)
        for place, count in enumerate(line)
    )
    return f"{total:,} {noun}; most at {rows[-row]} {columns[-column]}: {most:,}."
