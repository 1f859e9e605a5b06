"""When a budget will be spent, if what happened in the last hour goes on.

For a rolling window bad events also leave: the budget is spent at the least τ with

    bad(now + τ − W … now) + e · r · τ  ≥  allowed(now + τ)

where e is the recent error ratio and r the recent event rate, and allowed(now + τ) counts the events
still in the window and r · τ new ones. "Never" is a valid answer even while more is spent than
allowed, and "soon" one while less is: when much good traffic leaves, what is allowed shrinks.

Everything is compared exactly. Days that cannot hold the answer are passed over by a bound, then
hours, then minutes, so that a year costs a few dozen sums.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from slo.domain.blocks import DAY, HOUR, MINUTE, start_of

STEPS = {DAY: HOUR, HOUR: MINUTE}
LENGTH = {size: timedelta(minutes=size) for size in (DAY, HOUR, MINUTE)}
ONE = timedelta(minutes=1)

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


def rolling(*, now: datetime, length: timedelta, pace: Pace, sums: Sums) -> datetime | None:
    """Return when a rolling window's budget is spent; None when it never is at this pace.

    Once the window holds nothing but what is to come, nothing changes any more.

    Args:
        now: End of the present window, a whole minute.
        length: Of the window.
        pace: What goes on.
        sums: What is in the window; asked for few instants.
    """
    spans = _spans(now - length, now, DAY)
    found = _first(spans, DAY, now=now, length=length, pace=pace, sums=sums)
    if found is not None or pace.bad <= pace.allowed:
        return found
    # Only new events are left, and they spend more than they allow.
    return now + length


def _first(
    spans: Sequence[tuple[datetime, datetime]],
    size: int,
    *,
    now: datetime,
    length: timedelta,
    pace: Pace,
    sums: Sums,
) -> datetime | None:
    """Return the first minute at which the budget is spent while the window starts in `spans`."""
    counted = list(sums([spans[0][0], *(end for _, end in spans)]))
    for number, (start, end) in enumerate(spans):
        before, after = counted[number], counted[number + 1]
        if size == MINUTE:
            if _spent(before, _minutes(start, now, length), pace):
                return start + length
            continue
        if not _may_be_spent(before, after, start, end, now=now, length=length, pace=pace):
            continue
        inner = STEPS[size]
        found = _first(
            _spans(start, end, inner), inner, now=now, length=length, pace=pace, sums=sums
        )
        if found is not None:
            return found
    return None


def _spans(start: datetime, end: datetime, size: int) -> list[tuple[datetime, datetime]]:
    """Return [start, end) cut at UTC borders of `size`."""
    found = []
    at = start
    while at < end:
        after = min(start_of(size, at) + LENGTH[size], end)
        found.append((at, after))
        at = after
    return found


def _minutes(start: datetime, now: datetime, length: timedelta) -> int:
    """Return τ in minutes: how far from now the window starts at `start`."""
    return (start + length - now) // ONE


def _spent(counts: Spending, minutes: int, pace: Pace) -> bool:
    allowed = counts[1] + pace.allowed * minutes
    return allowed > 0 and counts[0] + pace.bad * minutes >= allowed


def _may_be_spent(
    before: Spending,
    after: Spending,
    start: datetime,
    end: datetime,
    *,
    now: datetime,
    length: timedelta,
    pace: Pace,
) -> bool:
    """Return False only when the budget cannot be spent while the window starts in [start, end)."""
    first, last = _minutes(start, now, length), _minutes(end, now, length)
    return before[0] + pace.bad * last >= after[1] + pace.allowed * first


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
