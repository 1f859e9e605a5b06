"""What an SLO's figures mean in one word."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

MINIMUM_COVERAGE = Fraction(9, 10)


@dataclass(frozen=True)
class StatePolicy:
    """At which shares of the budget left a state begins and ends: a gap keeps it from flapping.

    Args:
        at_risk_below: At risk begins below this share.
        healthy_from: At risk ends at this share; not below `at_risk_below`.
        recovered_above: Exhausted begins at 0 and ends above this share.
    """

    at_risk_below: Decimal = Decimal("0.25")
    healthy_from: Decimal = Decimal("0.30")
    recovered_above: Decimal = Decimal(0)


STANDARD = StatePolicy()


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
    policy: StatePolicy = STANDARD,
) -> State:
    """Return the state that follows from the figures.

    By the standard policy at risk begins below 25 % of the budget, or while a paging burn rate
    holds, and ends at 30 %: a budget that hovers on the border does not flap.

    Args:
        previous: State after the last evaluation.
        remaining: Share of the budget left, or None without events.
        covered: Share of expected minutes that were measured.
        burns_fast: Whether a paging burn-rate condition holds.
        policy: Where states begin and end.
    """
    if remaining is None or covered is None or covered < MINIMUM_COVERAGE:
        return State.NO_DATA
    if remaining <= 0:
        return State.EXHAUSTED
    if previous is State.EXHAUSTED and remaining <= Fraction(policy.recovered_above):
        return State.EXHAUSTED
    if burns_fast or remaining < Fraction(policy.at_risk_below):
        return State.AT_RISK
    if previous in {State.AT_RISK, State.EXHAUSTED} and remaining < Fraction(policy.healthy_from):
        return State.AT_RISK
    return State.HEALTHY
