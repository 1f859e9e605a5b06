"""When a budget comes back by itself."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from slo.domain.recovery import recovers_at

START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MONTH = timedelta(days=30)


def hours(*counts: int) -> list[tuple[datetime, Fraction]]:
    """Return bad events by hour from `START` on."""
    return [(START + HOUR * number, Fraction(count)) for number, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("counts", "bearable", "last_to_go"),
    [
        ((5, 0, 3), 3, 0),
        ((5, 0, 3), 2, 2),
        ((5, 1, 3), 3, 1),
        ((0, 0, 9), 0, 2),
    ],
)
def test_a_budget_recovers_when_enough_bad_hours_left_the_window(
    counts: tuple[int, ...], bearable: int, last_to_go: int
) -> None:
    """The last hour that must go has gone when its end is a window's length ago."""
    found = recovers_at(hours(*counts), bearable=Fraction(bearable), step=HOUR, length=MONTH)
    assert found == START + HOUR * (last_to_go + 1) + MONTH


def test_a_budget_that_is_not_overspent_needs_no_recovery() -> None:
    """Nothing has to leave."""
    assert recovers_at(hours(1, 2), bearable=Fraction(3), step=HOUR, length=MONTH) is None
    assert recovers_at([], bearable=Fraction(0), step=HOUR, length=MONTH) is None
