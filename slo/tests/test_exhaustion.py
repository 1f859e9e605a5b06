"""When a budget will be spent, against looking at every minute."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.domain.exhaustion import Pace, Spending, Sums, calendar, rolling

NOW = datetime(2026, 5, 3, 13, 37, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def going_on(bad: Fraction, total: Fraction, allowed: Fraction) -> Pace:
    """Return the pace of bad and all events per minute, under the share that may be bad."""
    return Pace(bad, total * allowed)


def sums_of(history: Sequence[tuple[int, int]], allowed: Fraction) -> tuple[Sums, list[int]]:
    """Return what is in the window from each instant on, and a list that grows with each sum."""
    asked: list[int] = []

    def sums(instants: Sequence[datetime]) -> list[Spending]:
        asked.append(len(instants))
        found: list[Spending] = []
        for at in instants:
            rest = history[len(history) - int((NOW - at) / MINUTE) :]
            found.append((sum(b for b, _ in rest), allowed * sum(t for _, t in rest)))
        return found

    return sums, asked


def brute(
    history: Sequence[tuple[int, int]], bad_: Fraction, total_: Fraction, allowed: Fraction
) -> datetime | None:
    """Return the answer by looking at every minute of the definition."""
    bad, total = sum(b for b, _ in history), sum(t for _, t in history)
    for number, (gone_bad, gone_total) in enumerate(history):
        budget = allowed * (total + total_ * number)
        if budget > 0 and bad + bad_ * number >= budget:
            return NOW + MINUTE * number
        bad, total = bad - gone_bad, total - gone_total
    return NOW + MINUTE * len(history) if bad_ > allowed * total_ else None


def minutes(seed: int, days: int) -> list[tuple[int, int]]:
    """Return a window of minutes whose traffic and trouble come and go."""
    chance = random.Random(seed)
    found: list[tuple[int, int]] = []
    while len(found) < days * 1440:
        total = chance.choice([0, 1, 10, 100])
        share = chance.choice([0, 0, 0, 0.001, 0.01, 0.3])
        for _ in range(chance.randrange(1, 600)):
            found.append((round(total * share), total))
    return found[: days * 1440]


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_first_minute_at_which_the_budget_is_spent(seed: int) -> None:
    """Whatever leaves the window and whatever goes on: the same as looking at every minute."""
    history = minutes(seed, 2)
    chance = random.Random(seed)
    for _ in range(6):
        total = Fraction(chance.randrange(0, 200), chance.choice([1, 7]))
        bad = total * Fraction(chance.choice([0, 1, 2, 5, 10, 40, 400]), 1000)
        allowed = Fraction(chance.choice([1, 10, 50]), 1000)
        sums, _ = sums_of(history, allowed)
        pace, length = going_on(bad, total, allowed), timedelta(days=2)
        found = rolling(now=NOW, length=length, pace=pace, sums=sums)
        assert found == brute(history, bad, total, allowed)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(3, 40)), min_size=1440, max_size=1440),
    st.integers(0, 20),
    st.integers(1, 60),
)
def test_it_holds_for_any_day(history: list[tuple[int, int]], bad: int, allowed: int) -> None:
    """Random days, paces and objectives."""
    rate, share = Fraction(bad, 10), Fraction(allowed, 1000)
    sums, _ = sums_of(history, share)
    pace, length = going_on(rate, Fraction(10), share), timedelta(days=1)
    found = rolling(now=NOW, length=length, pace=pace, sums=sums)
    assert found == brute(history, rate, Fraction(10), share)


def test_a_spent_budget_is_spent_now() -> None:
    """More bad than allowed: no time is left."""
    sums, _ = sums_of([(1, 10)] * 1440, Fraction(1, 1000))
    pace = going_on(Fraction(1), Fraction(10), Fraction(1, 1000))
    assert rolling(now=NOW, length=timedelta(days=1), pace=pace, sums=sums) == NOW


def test_never_is_an_answer_while_more_is_spent_than_allowed() -> None:
    """Just above the pace, but an old outage is about to leave: it is spent only in the end."""
    history = [(80, 100)] * 10 + [(0, 100)] * 1430
    pace = going_on(Fraction(10001, 10000), Fraction(100), Fraction(1, 100))
    sums, _ = sums_of(history, Fraction(1, 100))
    found = rolling(now=NOW, length=timedelta(days=1), pace=pace, sums=sums)
    assert found == NOW + timedelta(days=1)
    calm = going_on(Fraction(1, 2), Fraction(100), Fraction(1, 100))
    assert rolling(now=NOW, length=timedelta(days=1), pace=calm, sums=sums) is None


def test_a_month_costs_a_few_sums() -> None:
    """No more than a month's days, the hours of few days and the minutes of few hours."""
    history = [(0, 100)] * (30 * 1440)
    figures = (Fraction(144, 10), Fraction(1000), Fraction(1, 1000))
    sums, asked = sums_of(history, figures[2])
    found = rolling(now=NOW, length=timedelta(days=30), pace=going_on(*figures), sums=sums)
    assert found == brute(history, *figures)
    assert sum(asked) < 32 + 3 * 25 + 3 * 61


@pytest.mark.parametrize(
    ("bad", "allowed", "pace", "minutes_left"),
    [
        (0, 10, Pace(2, 1), 10),
        (9, 10, Pace(Fraction(3, 2), 1), 2),
        (10, 10, Pace(0, 1), 0),
        (0, 10, Pace(1, 1), None),
        (0, 10**7, Pace(2, 1), None),
        (0, 0, Pace(0, 0), None),
    ],
)
def test_a_calendar_budget_is_spent_before_its_period_ends_or_not_at_all(
    bad: int, allowed: int, pace: Pace, minutes_left: int | None
) -> None:
    """Nothing leaves a calendar window, so it is a division; a new period is a new budget."""
    found = calendar(now=NOW, end=NOW + timedelta(days=3), spent=(bad, allowed), pace=pace)
    assert found == (None if minutes_left is None else NOW + MINUTE * minutes_left)
