"""Laws and published figures of budgets and burn rates."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.burn_rate import (
    ErrorBudget,
    Number,
    burn_rate,
    burns_at_least,
    detection_time,
    error_budget,
    exact,
    highest_burn_rate,
    is_reachable,
    objective_fraction,
    short_window_for,
    threshold_for,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
objectives = st.integers(1, 99_999).map(lambda part: Fraction(part, 100_000))
counts = st.integers(0, 10**9).flatmap(
    lambda total: st.tuples(st.integers(0, total), st.just(total))
)


@pytest.mark.parametrize("objective", [0.999, Decimal("0.999"), Fraction(999, 1000)])
def test_every_spelling_of_an_objective_is_the_same_fraction(objective: Number) -> None:
    """A float means the decimal somebody typed, not its binary neighbour."""
    assert objective_fraction(objective) == Fraction(999, 1000)


@pytest.mark.parametrize("objective", [0, 1, 1.5, -0.1, Decimal(100), float("nan"), float("inf")])
def test_an_objective_outside_zero_and_one_is_refused(objective: float) -> None:
    """100 % leaves no budget to burn, and percentages are not fractions."""
    with pytest.raises(ValueError):
        objective_fraction(objective)


@pytest.mark.parametrize("number", [True, "0.999", None])
def test_only_numbers_are_numbers(number: Any) -> None:
    """A bool or a string is a mistake, not an objective."""
    with pytest.raises(TypeError):
        exact(number)


@pytest.mark.parametrize(
    ("share", "long", "period_days", "expected"),
    [
        ("0.02", HOUR, 30, "14.4"),
        ("0.05", 6 * HOUR, 30, "6"),
        ("0.1", DAY, 30, "3"),
        ("0.1", 3 * DAY, 30, "1"),
        ("0.02", HOUR, 28, "13.44"),
        ("0.05", 6 * HOUR, 28, "5.6"),
        ("0.1", DAY, 28, "2.8"),
        ("0.02", HOUR, 7, "3.36"),
        ("0.05", 6 * HOUR, 7, "1.4"),
        ("0.02", HOUR, 90, "43.2"),
        ("0.1", 3 * DAY, 90, "3"),
    ],
)
def test_thresholds_are_those_of_the_workbook(
    share: str, long: timedelta, period_days: int, expected: str
) -> None:
    """Factors for 30, 28, 7 and 90 days agree with the published ones exactly."""
    threshold = threshold_for(
        budget_share=Decimal(share), long_window=long, period=period_days * DAY
    )
    assert threshold == Fraction(expected)


@pytest.mark.parametrize(
    ("share", "long"), [(0, HOUR), (1.1, HOUR), (0.1, timedelta(0)), (0.1, 31 * DAY)]
)
def test_impossible_alert_windows_are_refused(share: float, long: timedelta) -> None:
    """A share lies in (0, 1] and the long window fits into the period."""
    with pytest.raises(ValueError):
        threshold_for(budget_share=share, long_window=long, period=30 * DAY)


def test_short_window_is_a_twelfth() -> None:
    """1 h goes with 5 min, as in the Workbook."""
    assert short_window_for(HOUR) == timedelta(minutes=5)


def test_complete_outage_of_three_nines_is_detected_after_51_84_seconds() -> None:
    """1 h x 14.4 x 0.1 % is 51.84 s."""
    found = detection_time(error_ratio=1, threshold=14.4, objective=0.999, long_window=HOUR)
    assert found == timedelta(seconds=51, milliseconds=840)


def test_an_error_ratio_below_the_threshold_is_never_detected() -> None:
    """Never is an answer of its own."""
    assert (
        detection_time(error_ratio=0.01, threshold=14.4, objective=0.999, long_window=HOUR) is None
    )
    assert detection_time(error_ratio=0, threshold=0, objective=0.9, long_window=HOUR) is None
    with pytest.raises(ValueError):
        detection_time(error_ratio=1.1, threshold=1, objective=0.9, long_window=HOUR)


def test_budget_of_three_nines_over_thirty_days_is_43_2_minutes() -> None:
    """Counting minutes as events, 43,200 of them allow 43.2 bad ones."""
    budget = error_budget(good=43_200, total=43_200, objective=0.999)
    assert budget == ErrorBudget(allowed=Fraction("43.2"), bad=0)


def test_overspent_budgets_are_signed_and_not_clamped() -> None:
    """Five times the allowance leaves -400 %."""
    budget = error_budget(good=995_000, total=1_000_000, objective=Decimal("0.999"))
    assert budget.remaining == -4000
    assert budget.remaining_share == -4


def test_an_empty_window_has_no_share_and_no_rate() -> None:
    """No traffic is no data: neither fires nor clears."""
    assert error_budget(good=0, total=0, objective=0.9).remaining_share is None
    assert burn_rate(good=0, total=0, objective=0.9) is None
    assert burns_at_least(1, good=0, total=0, objective=0.9) is None


@pytest.mark.parametrize(("good", "total"), [(2, 1), (-1, 1)])
def test_impossible_counts_are_refused(good: int, total: int) -> None:
    """More good events than events is a broken source, not a perfect service."""
    with pytest.raises(ValueError):
        burn_rate(good=good, total=total, objective=0.9)


def test_a_tie_with_the_threshold_fires() -> None:
    """144 bad of 10,000 burn 99.9 % at exactly 14.4; one fewer does not."""
    assert burns_at_least(14.4, good=9_856, total=10_000, objective=0.999) is True
    assert burns_at_least(14.4, good=9_857, total=10_000, objective=0.999) is False


def test_a_threshold_above_a_complete_outage_is_unreachable() -> None:
    """A 90 % objective burns at most at 10."""
    assert highest_burn_rate(0.9) == 10
    assert not is_reachable(14.4, 0.9)
    assert is_reachable(9, 0.9)
    assert not is_reachable(9.01, 0.9)


@given(counts, counts, objectives, objectives)
def test_budgets_of_stretches_add_up(
    first: tuple[int, int], second: tuple[int, int], before: Fraction, after: Fraction
) -> None:
    """A changed target splits the window; the parts' budgets are the whole's."""
    a = error_budget(good=first[0], total=first[1], objective=before)
    b = error_budget(good=second[0], total=second[1], objective=after)
    assert (a + b).remaining == a.remaining + b.remaining
    if before == after:
        whole = error_budget(
            good=first[0] + second[0], total=first[1] + second[1], objective=before
        )
        assert a + b == whole


@given(counts, objectives)
def test_burning_at_one_spends_the_budget_exactly(
    count: tuple[int, int], objective: Fraction
) -> None:
    """Rate and budget are two readings of one fact."""
    good, total = count
    rate = burn_rate(good=good, total=total, objective=objective)
    budget = error_budget(good=good, total=total, objective=objective)
    assert budget.remaining_share == (None if rate is None else 1 - rate)
    assert rate is None or 0 <= rate <= highest_burn_rate(objective)


@given(counts, objectives)
def test_one_more_bad_event_never_slows_the_burn(
    count: tuple[int, int], objective: Fraction
) -> None:
    """The burn rate grows with the bad events."""
    good, total = count
    before = burn_rate(good=good, total=total, objective=objective)
    after = burn_rate(good=good, total=total + 1, objective=objective)
    assert after is not None
    assert before is None or after >= before
