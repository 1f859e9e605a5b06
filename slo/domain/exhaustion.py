"""When a budget will be spent, if what happened in the last hour goes on.

For a rolling window bad events also leave: the budget is spent at the least τ with

    bad(now + τ − W … now) + e · r · τ  ≥  allowed(now + τ)

where e is the recent error ratio and r the recent event rate, and allowed(now + τ) counts the events
still in the window and r · τ new ones. "Never" is a valid answer even while more is spent than
allowed, and "soon" one while less is: when much good traffic leaves, what is allowed shrinks.

Everything is compared exactly. Stretches that cannot hold the answer are passed over by a bound; the
others are halved, at midnights as long as there are some, then at full hours, then at minutes. So
a year costs a few sums, and those of many objectives can be fetched together, step by step.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from slo.domain.blocks import DAY, HOUR, MINUTE, start_of

ONE = timedelta(minutes=1)
# Stretches halved in one step: more would fetch what lies behind the answer.
AT_ONCE = 8

Number = int | Fraction
Spending = tuple[Number, Number]
"""Bad events and allowed ones. Both in any one unit: only their comparison counts."""

Sums = Callable[[Sequence[datetime]], Sequence[Spending]]
"""Returns what happened from each instant to now."""


@dataclass(frozen=True)
class Pace:
    """What goes on.

    Args:
        bad: Bad events per minute.
        allowed: Allowed ones per minute: (1 − objective) · events per minute.
    """

    bad: Number
    allowed: Number


Search = Generator[Sequence[datetime], Sequence[Spending], datetime | None]
"""Yields the instants whose sums it needs next, is sent them, and returns when it is spent."""


def rolling(*, now: datetime, length: timedelta, pace: Pace, sums: Sums) -> datetime | None:
    """Return when a rolling window's budget is spent; None when it never is at this pace.

    Args:
        now: End of the present window, a whole minute.
        length: Of the window.
        pace: What goes on.
        sums: What is in the window; asked for few instants.
    """
    search = search_rolling(now=now, length=length, pace=pace)
    wanted = next(search)
    while True:
        try:
            wanted = search.send(sums(wanted))
        except StopIteration as end:
            found: datetime | None = end.value
            return found


def search_rolling(*, now: datetime, length: timedelta, pace: Pace) -> Search:
    """Look for what `rolling` returns, in steps between which the caller fetches sums."""
    (first,) = yield [now - length]
    nothing: Spending = (0, 0)
    # Once only new events are left, they spend more than they allow, or the budget lasts.
    found = now + length if pace.bad > pace.allowed else None
    spans = [(now - length, first, now, nothing)]
    while spans:
        # In order, so what is spent at the start of one ends the search behind it.
        front, spans = spans[:AT_ONCE], spans[AT_ONCE:]
        halved = []
        for start, before, end, after in front:
            passed, minutes = _minutes(start, now, length), (end - start) // ONE
            if _spent(before, passed, pace):
                found, spans = start + length, []
                break
            if minutes > 1 and _may_be_spent(before, after, passed, passed + minutes - 1, pace):
                halved.append((start, before, end, after))
        if not halved:
            continue
        middles = [_middle(start, end) for start, _, end, _ in halved]
        between = yield middles
        halves = []
        for span, middle, counts in zip(halved, middles, between, strict=True):
            start, before, end, after = span
            halves += [(start, before, middle, counts), (middle, counts, end, after)]
        spans = halves + spans
    return found


def _middle(start: datetime, end: datetime) -> datetime:
    """Return the border of a day, else of an hour, else of a minute nearest the middle."""
    half = start + (end - start) / 2
    for size in (DAY, HOUR):
        length = timedelta(minutes=size)
        below = start_of(size, half)
        inside = [at for at in (below, below + length) if start < at < end]
        if inside:
            return min(inside, key=lambda at: abs(at - half))
    return start_of(MINUTE, half)


def _minutes(start: datetime, now: datetime, length: timedelta) -> int:
    """Return τ in minutes: how far from now the window starts at `start`."""
    return (start + length - now) // ONE


def _spent(counts: Spending, minutes: int, pace: Pace) -> bool:
    allowed = counts[1] + pace.allowed * minutes
    return allowed > 0 and counts[0] + pace.bad * minutes >= allowed


def _may_be_spent(before: Spending, after: Spending, first: int, last: int, pace: Pace) -> bool:
    """Return False only when the budget cannot be spent from minute `first` to `last`."""
    loss = pace.bad - pace.allowed
    return before[0] - after[1] + loss * (last if loss > 0 else first) >= 0


def calendar(*, now: datetime, end: datetime, spent: Spending, pace: Pace) -> datetime | None:
    """Return when a calendar window's budget is spent; None when its period ends before that.

    Args:
        now: Up to where is counted, a whole minute.
        end: When the next period begins, with a new budget.
        spent: What happened in the period so far.
        pace: What goes on.
    """
    left, loss = spent[1] - spent[0], pace.bad - pace.allowed
    if left <= 0 and spent[1]:
        return now
    if loss <= 0:
        return None
    at = now + ONE * int(-(-left // loss))
    return at if at < end else None
