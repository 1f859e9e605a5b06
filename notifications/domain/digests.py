"""How one message names many incidents within what its way can carry.

A line for each while they fit, then numbers alone: whoever reads it knows of every one.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Entry", "as_many", "in_full", "joined", "told", "without_controls"]

Fits = Callable[[str], bool]
Numbers = Callable[[Iterable["Entry"]], str]
# What XML cannot hold, providers refuse, or a terminal obeys; senders put it into titles all the same.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# From so many numbers in a row on, the first and the last are shorter.
_ROW = 3


def without_controls(text: str) -> str:
    """Return a text without control characters; line feeds and tabs stay."""
    return _CONTROLS.sub("", text)


@dataclass(frozen=True)
class Entry:
    """One incident of a digest.

    Args:
        number: The incident's.
        line: What it is, in one line that begins with severity and number.
        answer: Where it is answered or opened, as a line of its own.
    """

    number: int
    line: str
    answer: str = ""

    def __post_init__(self) -> None:
        # A title of several lines could pass for other incidents.
        for name in ("line", "answer"):
            value = without_controls(" ".join(getattr(self, name).split()))
            object.__setattr__(self, name, value)


def in_full(entries: Iterable[Entry]) -> str:
    """Return everything: each incident's line, and where it is answered."""
    lines = ((entry.line, entry.answer) for entry in entries)
    return "\n\n".join("\n".join(part for part in pair if part) for pair in lines)


def told(entries: Sequence[Entry], fits: Fits, *, with_answers: bool = True) -> str:
    """Return the most that fits of a digest, and every incident by its number at least.

    Args:
        entries: The worst first.
        fits: Whether the way can carry a text; what is longer than one that cannot is not asked.
        with_answers: Whether links are told, where there is room for all of them.

    Returns:
        What fits; where not even the numbers do, the numbers all the same.
    """
    if with_answers and fits(whole := in_full(entries)):
        return whole
    return _fitted(entries, fits, _each) or _fitted(entries, fits, joined) or joined(entries)


def _fitted(entries: Sequence[Entry], fits: Fits, numbers: Numbers) -> str:
    """Return as many lines as fit beside the numbers of the others; "" where no number does."""

    def text(count: int) -> str:
        return _lines(entries, count, numbers)

    if not fits(text(0)):
        return ""
    return text(_most(len(entries), lambda count: fits(text(count))))


def as_many(entries: Sequence[Entry], fits: Fits) -> str:
    """Return the numbers; where they do not fit, the worst of them and how many more there are."""
    if fits(whole := joined(entries)):
        return whole

    def cut(count: int) -> str:
        return f"{_each(entries[:count])} and {len(entries) - count} more"

    return cut(_most(len(entries), lambda count: fits(cut(count))))


def joined(entries: Iterable[Entry]) -> str:
    """Return numbers in order, what is in a row by its first and last: `#3 #7 to #12`."""
    rows: list[list[int]] = []
    for number in sorted(entry.number for entry in entries):
        if rows and number == rows[-1][-1] + 1:
            rows[-1].append(number)
        else:
            rows.append([number])
    return " ".join(_row(row) for row in rows)


def _row(row: Sequence[int]) -> str:
    if len(row) >= _ROW:
        return f"#{row[0]} to #{row[-1]}"
    return " ".join(f"#{number}" for number in row)


def _each(entries: Iterable[Entry]) -> str:
    return " ".join(f"#{entry.number}" for entry in entries)


def _lines(entries: Sequence[Entry], count: int, numbers: Callable[[Iterable[Entry]], str]) -> str:
    """Return that many lines, and the others by number."""
    lines = [entry.line for entry in entries[:count]]
    if others := numbers(entries[count:]):
        lines.append(f"and {others}" if lines else others)
    return "\n".join(lines)


def _most(count: int, fits: Callable[[int], bool]) -> int:
    """Return the greatest number up to `count` that fits; 0 is taken to."""
    low, high = 0, count
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
