"""What an SLO's figures mean in one word."""

from enum import StrEnum
from fractions import Fraction

MINIMUM_COVERAGE = Fraction(9, 10)
AT_RISK_BELOW = Fraction(1, 4)
HEALTHY_FROM = Fraction(3, 10)


class State(StrEnum):
    """State of an error budget."""

    HEALTHY = "healthy"
    AT_RISK = "at_risk"
    EXHAUSTED = "exhausted"
    NO_DATA = "no_data"


def coverage(*, measured: int, expected: int) -> Fraction | None:
    """Return the share of expected minutes that were measured; None when none were expected."""
    return Fraction(min(measured, expected), expected) if expected > 0 else None


def next_state(
    previous: State,
    *,
    remaining: Fraction | None,
    covered: Fraction | None,
    burns_fast: bool,
) -> State:
    """Return the state that follows from the figures.

    At risk begins below 25 % of the budget, or while a paging burn rate holds, and ends at 30 %:
    a budget that hovers on the border does not flap.

    Args:
        previous: State after the last evaluation.
        remaining: Share of the budget left, or None without events.
        covered: Share of expected minutes that were measured.
        burns_fast: Whether a paging burn-rate condition holds.
    """
    if remaining is None or covered is None or covered < MINIMUM_COVERAGE:
        return State.NO_DATA
    if remaining <= 0:
        return State.EXHAUSTED
    if burns_fast or remaining < AT_RISK_BELOW:
        return State.AT_RISK
    if previous is State.AT_RISK and remaining < HEALTHY_FROM:
        return State.AT_RISK
    return State.HEALTHY
