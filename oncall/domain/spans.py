"""Stretches of time and what sets of them add up to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["Span", "intersect", "merged", "subtract"]


@dataclass(frozen=True, order=True)
class Span:
    """From `start` to `end`, aware; the end does not belong to it.

    Raises:
        ValueError: If it does not end after it starts.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(f"a span ends after it starts, got {self.start} to {self.end}")

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start

    def cut(self, other: "Span") -> "Span | None":
        """Return what both share, if anything."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Span(start, end) if start < end else None


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same time in as few spans as can be, oldest first."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def intersect(spans: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """Return the time that is in both, oldest first."""
    ours, theirs = merged(spans), merged(others)
    found, mine, yours = [], 0, 0
    while mine < len(ours) and yours < len(theirs):
        shared = ours[mine].cut(theirs[yours])
        if shared:
            found.append(shared)
        if ours[mine].end <= theirs[yours].end:
            mine += 1
        else:
            yours += 1
    return found


def subtract(span: Span, taken: Iterable[Span]) -> Iterator[Span]:
    """Yield what of `span` is not in `taken`, oldest first."""
    start = span.start
    for other in merged(taken):
        if other.end <= start or other.start >= span.end:
            continue
        if other.start > start:
            yield Span(start, other.start)
        start = other.end
    if start < span.end:
        yield Span(start, span.end)
