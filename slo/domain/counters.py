"""Events a minute from the samples of counters, exactly.

A counter only grows, and begins again at 0 when its process does. The events between two samples
are their difference, or all of the second one after a restart; they are counted in the minute in
which the second one was taken. Nothing is extrapolated, so counts are whole and add up to what was
served, whatever ranges they are fetched in.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

__all__ = ["LOOKBACK_MS", "MINUTE_MS", "MOST", "Series", "events", "minute_of", "sums"]

MINUTE_MS = 60_000
# A sample so much older says nothing of the minute; Prometheus looks back as far.
LOOKBACK_MS = 5 * MINUTE_MS
# More events a minute than anything serves; days of them still add up within 64 bits.
MOST = 10**12


@dataclass(frozen=True)
class Series:
    """One series of an answer.

    Args:
        labels: With or without the metric's name.
        points: (instant in ms since 1970, value), ascending; values are finite.
    """

    labels: Mapping[str, str]
    points: Sequence[tuple[int, Decimal]]

    @property
    def target(self) -> tuple[str, str]:
        """Who was scraped: the labels `job` and `instance`."""
        return self.labels.get("job", ""), self.labels.get("instance", "")


def minute_of(at_ms: int) -> int:
    """Return the start (ms) of the minute that a sample closes: one on its border belongs to it."""
    return (at_ms - 1) // MINUTE_MS * MINUTE_MS


def events(
    series: Sequence[Series], *, beside: Sequence[Series] = (), start: int, end: int
) -> dict[int, int]:
    """Return the events of every minute in [start, end) in which a sample was taken.

    A series that appears counts from 0 when its target was scraped within five minutes before, by
    any of the series here: then it was born in between, like the counter of a first error. A
    target seen for the first time has been counting for nobody knows how long, so its first
    sample only sets the mark.

    Args:
        series: Of one counter.
        beside: Series of other counters, which show when targets were scraped.
        start: Start of the first minute (ms).
        end: End of the last minute (ms).
    """
    scraped = _scrapes([*series, *beside])
    found: dict[int, Decimal] = {}
    for each in series:
        before: tuple[int, Decimal] | None = None
        for at, value in each.points:
            minute = minute_of(at)
            if start <= minute < end:
                grown = _grown(before, at, value, scraped[each.target])
                found[minute] = found.get(minute, Decimal(0)) + grown
            before = at, value
    return {minute: _whole(count) for minute, count in found.items()}


def _grown(
    before: tuple[int, Decimal] | None, at: int, value: Decimal, scraped: Sequence[int]
) -> Decimal:
    if before is None or at - before[0] > LOOKBACK_MS:
        since = bisect_left(scraped, at - LOOKBACK_MS)
        was_known = since < len(scraped) and scraped[since] < at
        return value if was_known else Decimal(0)
    return value - before[1] if value >= before[1] else value


def _scrapes(series: Iterable[Series]) -> Mapping[tuple[str, str], Sequence[int]]:
    instants: dict[tuple[str, str], set[int]] = defaultdict(set)
    for each in series:
        instants[each.target].update(at for at, _ in each.points)
    return defaultdict(list, {target: sorted(times) for target, times in instants.items()})


def sums(series: Sequence[Series], *, start: int, end: int) -> dict[int, int]:
    """Return the rounded sum over all series by minute: each value is that of the minute it ends."""
    found: dict[int, Decimal] = {}
    for each in series:
        for at, value in each.points:
            minute = minute_of(at)
            if start <= minute < end:
                found[minute] = found.get(minute, Decimal(0)) + value
    return {minute: _whole(count) for minute, count in found.items()}


def _whole(count: Decimal) -> int:
    bounded = max(min(count, Decimal(MOST + 1)), Decimal(-1))
    return int(bounded.to_integral_value(ROUND_HALF_EVEN))
