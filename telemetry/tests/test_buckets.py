"""Counts per bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.domain.buckets import (
    DEFAULT_BOUNDS_MS,
    count_by_bound,
    fold,
    full_bounds,
    own_bounds,
    quantile,
)

DURATIONS = st.lists(st.floats(0, 100_000), max_size=60)


def test_a_value_on_a_bound_belongs_to_it() -> None:
    """200 ms is within 200 ms, 200.001 ms is not."""
    counts = count_by_bound([200, 200.001], (100, 200, 300))
    assert counts == [0, 1, 1, 0]


def test_the_last_count_is_above_all_bounds() -> None:
    """What is longer than the last bound is counted, not lost."""
    assert count_by_bound([301], (100, 200, 300)) == [0, 0, 0, 1]


@given(DURATIONS, st.sets(st.integers(1, 3_600_000), max_size=10))
def test_folding_own_bounds_gives_what_counting_over_the_defaults_gives(
    durations: list[float], own: set[int]
) -> None:
    """Own bounds refine: folded back, not one value sits elsewhere."""
    bounds = full_bounds(own)
    if bounds[-1] > DEFAULT_BOUNDS_MS[-1]:
        durations = [value for value in durations if value <= DEFAULT_BOUNDS_MS[-1]]
    folded = fold(count_by_bound(durations, bounds), bounds, DEFAULT_BOUNDS_MS)
    assert folded == count_by_bound(durations, DEFAULT_BOUNDS_MS)


@given(DURATIONS.filter(bool), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    """The estimate may be off within its bucket, never beyond it."""
    values = [min(value, 60_000) for value in values]
    counts = count_by_bound(values, DEFAULT_BOUNDS_MS)
    rank = max(1, -(-share * len(values) // 1))
    true = sorted(values)[int(rank) - 1]
    estimate = quantile(counts, DEFAULT_BOUNDS_MS, share)
    upper = next(bound for bound in DEFAULT_BOUNDS_MS if true <= bound)
    lower = max((bound for bound in DEFAULT_BOUNDS_MS if bound < true), default=0)
    assert estimate is not None
    assert lower <= estimate <= upper + 1e-6


def test_no_values_have_no_quantile() -> None:
    """No data is not a duration of zero."""
    assert quantile([0] * 22, DEFAULT_BOUNDS_MS, 0.95) is None


def test_own_bounds_leave_out_the_default_ones() -> None:
    """A default bound that is asked for again adds nothing."""
    assert own_bounds([350, 120, 200, 120]) == (120, 350)


@pytest.mark.parametrize("values", [[0], [-5], [4_000_000], list(range(101, 112))])
def test_own_bounds_out_of_range_or_too_many_are_refused(values: list[int]) -> None:
    """Whole milliseconds from 1 to an hour, ten at most."""
    with pytest.raises(ValueError, match="ound"):
        own_bounds(values)
