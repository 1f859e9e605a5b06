"""When a spent budget comes back by itself: old bad events leave a rolling window."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction


def recovers_at(
    bad: Sequence[tuple[datetime, Fraction]],
    *,
    bearable: Fraction,
    step: timedelta,
    length: timedelta,
) -> datetime | None:
    """Return from when on no more than `bearable` bad events are left in the window.

    It is assumed that no further event is bad and that traffic goes on as it was, so the budget
    keeps its size.

    Args:
        bad: Bad events of the present window by step, oldest first: its start, and how many.
        bearable: Most bad events with which the budget counts as recovered.
        step: Length of a step.
        length: Of the rolling window.

    Returns:
        The moment when the last step that must go has left the window; None when none must.
    """
    left = sum((count for _, count in bad), Fraction(0))
    recovered = None
    for start, count in bad:
        if left <= bearable:
            break
        left -= count
        recovered = start + step + length
    return recovered
