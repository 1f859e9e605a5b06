"""Heat maps: a row a day, a column an hour, each cell as deep as its count."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["HeatMap", "Name", "Noun", "heat_map"]

LEVELS = 4


class Noun(NamedTuple):
    """What is counted: one of it, and several."""

    one: str
    several: str


class Name(NamedTuple):
    """What a row or a column is called: where there is little room, and in full."""

    short: str
    full: str


@dataclass(frozen=True)
class Cell:
    """One cell: its count, its depth from 0 (none) to `LEVELS`, what it says, its rows ("" has none)."""

    count: int
    level: int
    text: str
    href: str


@dataclass(frozen=True)
class HeatRow:
    """One row: its name and its cells."""

    name: Name
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class HeatMap:
    """A heat map ready to be drawn: nothing left to compute."""

    id: str
    title: str
    summary: str
    rows: tuple[HeatRow, ...]
    columns: tuple[Name, ...]


def heat_map(
    counts: Sequence[Sequence[int]],
    *,
    id: str,  # noqa: A002 it becomes the element's id
    title: str,
    rows: Sequence[Name],
    columns: Sequence[Name],
    noun: Noun,
    href: Callable[[int, int], str] | None = None,
) -> HeatMap:
    """Return a map of counts, one at least a row and a column.

    Args:
        counts: A sequence a row, of one count a column.
        id: Element id, unique on the page.
        title: What it shows; the caption and accessible name.
        rows: Names of the rows.
        columns: Names of the columns.
        noun: What is counted.
        href: The address of what a cell counts, by row and column; asked only where there is any.
    """
    most = max((count for row in counts for count in row), default=0)

    def cell(row: int, column: int) -> Cell:
        count = counts[row][column]
        return Cell(
            count,
            level=math.ceil(count / most * LEVELS) if most else 0,
            text=f"{rows[row].full} {columns[column].full}: {_counted(count, noun)}",
            href=href(row, column) if href and count else "",
        )

    return HeatMap(
        id=id,
        title=title,
        summary=_summary(counts, rows, columns, noun),
        rows=tuple(
            HeatRow(name, tuple(cell(number, column) for column in range(len(columns))))
            for number, name in enumerate(rows)
        ),
        columns=tuple(columns),
    )


def _counted(count: int, noun: Noun) -> str:
    return f"{count:,} {noun.one if count == 1 else noun.several}"


def _summary(
    counts: Sequence[Sequence[int]], rows: Sequence[Name], columns: Sequence[Name], noun: Noun
) -> str:
    """Return how many in total and where most of them are, as a sentence."""
    total = sum(map(sum, counts))
    if not total:
        return f"No {noun.several}."
    most, row, column = max(
        (count, -number, -place)
        for number, line in enumerate(counts)
        for place, count in enumerate(line)
    )
    where = f"{rows[-row].full} {columns[-column].full}"
    return f"{_counted(total, noun)}; most on {where}: {most:,}."
