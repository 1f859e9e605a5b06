"""Budgets and burn rates agree with the published figures, exactly."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.domain.counts import Counts, Judged, allowed_ratio, burn_rate, error_budget

THREE_NINES = Decimal("0.999")
COUNTS = st.integers(0, 10**9).flatmap(
    lambda total: st.builds(Counts, st.integers(0, total), st.just(total))
)


def judged(good: int, total: int, objective: Decimal = THREE_NINES) -> list[Judged]:
    return [Judged(objective, Counts(good, total))]


def test_budget_of_three_nines_over_thirty_days_is_43_2_minutes() -> None:
    """Workbook: 99.9 % over 30 days allows 43.2 bad minutes."""
    minutes = timedelta(days=30) // timedelta(minutes=1)
    assert error_budget(judged(minutes, minutes)).allowed == Fraction("43.2")


def test_complete_outage_burns_a_thousand_times_too_fast_at_three_nines() -> None:
    """The error ratio is 1, the allowed one 0.001."""
    assert burn_rate(judged(0, 500)) == 1000


def test_remaining_budget_is_signed_and_never_clamped() -> None:
    """Five times the allowed failures leave −400 %."""
    assert error_budget(judged(995, 1000, THREE_NINES)).remaining == -4


def test_no_events_are_no_data() -> None:
    """Neither a burn rate nor a remaining budget follows from nothing."""
    assert burn_rate(judged(0, 0)) is None
    assert error_budget(judged(0, 0)).remaining is None
    assert Counts().ratio is None


def test_each_part_is_judged_by_its_own_objective() -> None:
    """1,000 events at 99.9 % and 1,000 at 99 % allow 1 + 10 failures."""
    parts = judged(1000, 1000) + judged(990, 1000, Decimal("0.99"))
    budget = error_budget(parts)
    assert budget.allowed == 11
    assert budget.remaining == Fraction(1, 11)


@pytest.mark.parametrize("objective", ["0", "1", "1.5", "-0.1"])
def test_objective_without_budget_is_refused(objective: str) -> None:
    """100 % and nonsense are refused with the reason."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        allowed_ratio(Decimal(objective))


@given(st.lists(COUNTS, min_size=1, max_size=6))
def test_merging_is_summing(parts: list[Counts]) -> None:
    """One window judged in pieces by one objective has the budget of the whole."""
    whole = sum(parts, Counts())
    pieces = [Judged(THREE_NINES, part) for part in parts]
    assert error_budget(pieces) == error_budget([Judged(THREE_NINES, whole)])
    assert burn_rate(pieces) == burn_rate([Judged(THREE_NINES, whole)])


@given(COUNTS, st.integers(1, 1000))
def test_one_more_failure_never_slows_the_burn(counts: Counts, more: int) -> None:
    """Burn rate is monotone in bad events."""
    worse = Counts(counts.good, counts.total + more)
    before = burn_rate([Judged(THREE_NINES, counts)]) or Fraction(0)
    after = burn_rate([Judged(THREE_NINES, worse)])
    assert after is not None
    assert after >= before
