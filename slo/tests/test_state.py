"""States follow from figures, do not flap and never call an absence of data healthy."""

from fractions import Fraction

import pytest

from slo.domain.state import State, coverage, next_state

FULL = Fraction(1)


@pytest.mark.parametrize(
    ("previous", "remaining", "expected"),
    [
        (State.HEALTHY, "0.26", State.HEALTHY),
        (State.HEALTHY, "0.24", State.AT_RISK),
        (State.AT_RISK, "0.29", State.AT_RISK),
        (State.AT_RISK, "0.30", State.HEALTHY),
        (State.HEALTHY, "0", State.EXHAUSTED),
        (State.EXHAUSTED, "0.01", State.AT_RISK),
        (State.NO_DATA, "0.9", State.HEALTHY),
    ],
)
def test_budget_decides_with_hysteresis(previous: State, remaining: str, expected: State) -> None:
    """Entry at 25 %, exit at 30 %, exhausted at 0."""
    state = next_state(previous, remaining=Fraction(remaining), covered=FULL, burns_fast=False)
    assert state is expected


def test_fast_burn_is_a_risk_while_budget_is_left() -> None:
    """A paging burn rate is not healthy, whatever is left."""
    state = next_state(State.HEALTHY, remaining=FULL, covered=FULL, burns_fast=True)
    assert state is State.AT_RISK


@pytest.mark.parametrize("covered", [None, Fraction(89, 100)])
def test_uncovered_window_is_no_data(covered: Fraction | None) -> None:
    """Below 90 % of the minutes nothing is said about the budget."""
    state = next_state(State.HEALTHY, remaining=FULL, covered=covered, burns_fast=False)
    assert state is State.NO_DATA


def test_no_events_are_no_data() -> None:
    """A covered window without events is not healthy."""
    state = next_state(State.EXHAUSTED, remaining=None, covered=FULL, burns_fast=False)
    assert state is State.NO_DATA


def test_coverage_of_nothing_expected_is_unknown() -> None:
    """0 of 0 is neither full nor empty."""
    assert coverage(measured=0, expected=0) is None
    assert coverage(measured=9, expected=10) == Fraction(9, 10)
