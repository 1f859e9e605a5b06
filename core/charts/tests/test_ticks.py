"""Round places for grid lines, and values in words."""

import itertools
import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.charts import ticks

START = datetime(2026, 11, 23, 7, 3, tzinfo=UTC)
reals = st.floats(-1e9, 1e9)


@given(st.floats(1e-6, 1e9), st.integers(1, 12))
def test_nice_step_is_round_and_large_enough(span: float, count: int) -> None:
    """A step is 1, 2, 2.5 or 5 times a power of ten, and `count` of them cover the span."""
    step = ticks.nice_step(span, count)
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert any(math.isclose(mantissa, nice, rel_tol=1e-6) for nice in (1, 2, 2.5, 5, 10))
    assert step * count >= span * (1 - 1e-6)


@given(reals, reals, st.integers(1, 10), st.booleans(), st.booleans())
def test_range_holds_the_values_and_its_grid_rises(
    low: float, high: float, count: int, keep_low: bool, keep_high: bool
) -> None:
    """The range contains both ends, is never empty, and its grid rises strictly within it."""
    low, high = sorted((low, high))
    bottom, top, grid = ticks.nice_range(low, high, count, keep_low=keep_low, keep_high=keep_high)
    slack = max(abs(low), abs(high), 1.0) * 1e-6
    assert bottom <= low + slack
    assert top >= high - slack
    assert bottom < top
    assert all(a < b for a, b in itertools.pairwise(grid))
    assert all(bottom - slack <= value <= top + slack for value in grid)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (214.04, "ms", "214 ms"),
        (0.9994, "%", "99.94 %"),
        (1.0, "%", "100 %"),
        (0.0, "ms", "0 ms"),
        (-0.0, "", "0"),
        (-4.0, "%", "−400 %"),
        (1234567.0, "req", "1,234,567 req"),
        (0.0123, "s", "0.0123 s"),
        (None, "ms", "no data"),
        (math.nan, "ms", "no data"),
    ],
)
def test_values_are_written_with_their_unit(value: float | None, unit: str, words: str) -> None:
    """Four significant digits, a true minus sign, fractions as percent, None as no data."""
    assert ticks.written(value, unit) == words


@pytest.mark.parametrize(("step", "digits"), [(50, 0), (2.5, 1), (0.001, 3), (0.25, 2)])
def test_decimals_tell_grid_values_apart(step: float, digits: int) -> None:
    """Grid labels have just the decimals that their step needs."""
    assert ticks.decimals(step) == digits


@given(st.integers(60, 3 * 365 * 86_400), st.sampled_from(["UTC", "Europe/Madrid", "Asia/Kolkata"]))
def test_time_ticks_rise_and_stay_inside(seconds: int, zone: str) -> None:
    """Instants rise strictly within the window, and there are never too many."""
    end = START + timedelta(seconds=seconds)
    found = [at for at, _ in ticks.time_ticks(START, end, 7, ZoneInfo(zone))]
    assert found == sorted(set(found))
    assert all(START <= at <= end for at in found)
    assert len(found) <= 9


def test_three_hours_are_cut_into_half_hours() -> None:
    """A window of three hours is labelled each half hour, on the half hour."""
    labels = [label for _, label in ticks.time_ticks(START, START + timedelta(hours=3))]
    assert labels == ["07:30", "08:00", "08:30", "09:00", "09:30", "10:00"]


def test_midnight_carries_the_date() -> None:
    """Where a new day begins, the label is the date."""
    found = ticks.time_ticks(START, START + timedelta(hours=24))
    assert (datetime(2026, 11, 24, tzinfo=UTC), "24 Nov") in found


def test_local_ticks_stand_at_local_times() -> None:
    """In another zone, ticks stand at that zone's round times."""
    kolkata = ZoneInfo("Asia/Kolkata")
    found = ticks.time_ticks(START, START + timedelta(hours=12), 7, kolkata)
    assert all(at.astimezone(kolkata).minute == 0 for at, _ in found)


def test_clock_change_skips_the_missing_hour() -> None:
    """In the night when 02:00 does not exist, no tick claims that it does."""
    madrid = ZoneInfo("Europe/Madrid")
    start = datetime(2026, 3, 29, 0, 0, tzinfo=madrid).astimezone(UTC)
    labels = [label for _, label in ticks.time_ticks(start, start + timedelta(hours=6), 7, madrid)]
    assert "02:00" not in labels
    assert "03:00" in labels


def test_years_are_labelled_by_month_and_year() -> None:
    """Over many months, labels are months, and January is the year."""
    end = datetime(2028, 2, 1, tzinfo=UTC)
    labels = [label for _, label in ticks.time_ticks(START, end)]
    assert "2027" in labels
    assert "2028" in labels


def test_backward_window_has_no_ticks() -> None:
    """A window that ends before it starts has nothing to label."""
    assert ticks.time_ticks(START, START - timedelta(hours=1)) == []
