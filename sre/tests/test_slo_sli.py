"""Rules of recording requests and asking for indicators."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.slo_sli import (
    DEFAULT_BOUNDS_MS,
    OTHER_ENDPOINT,
    InvalidTypeError,
    InvalidValueError,
    SliCalculator,
    SliError,
    UndeclaredBoundError,
)
from sre.tests.calculators import HOUR, NOON, Clock, calculator


def test_documented_calls_answer_percentages(sli_calculator: SliCalculator) -> None:
    """The operations guide's example works on the module's own calculator."""
    before = datetime.now(UTC)
    sli_calculator.record_request("api_users", 200, 150.5)
    after = datetime.now(UTC)
    assert sli_calculator.calculate_availability_sli(before, after) == 100.0
    assert sli_calculator.calculate_latency_sli(before, after) == 100.0
    assert sli_calculator.calculate_error_rate_sli(before, after) == 100.0


def test_availability_counts_everything_but_5xx_as_good() -> None:
    """A 404 is the client's mistake, so the service was available."""
    sli = calculator()
    for status in (200, 302, 404, 503):
        sli.record_request("users", status, 10)
    assert sli.calculate_availability_sli(NOON, NOON + HOUR) == 75.0


def test_error_rate_counts_only_below_400_as_success() -> None:
    """The figure is the success rate, so that 99 means one failure in a hundred."""
    sli = calculator()
    for status in (200, 302, 404, 503):
        sli.record_request("users", status, 10)
    assert sli.calculate_error_rate_sli(NOON, NOON + HOUR) == 50.0


def test_a_time_equal_to_the_threshold_is_within_it() -> None:
    """200.0 ms meets "within 200 ms", the next representable time does not."""
    sli = calculator()
    sli.record_request("users", 200, 200.0)
    sli.record_request("users", 200, 200.00000000000003)
    assert sli.calculate_latency_sli(NOON, NOON + HOUR, 200) == 50.0


def test_nothing_recorded_is_none_not_zero() -> None:
    """No data is neither healthy nor broken."""
    sli = calculator()
    assert sli.calculate_availability_sli(NOON, NOON + HOUR) is None
    assert sli.calculate_latency_sli(NOON, NOON + HOUR) is None
    assert sli.calculate_latency_percentile(NOON, NOON + HOUR) is None
    assert sli.calculate_error_rate_sli(NOON, NOON + HOUR) is None
    assert sli.calculate_freshness_sli(NOON, NOON + HOUR) is None
    assert sli.retained_since is None


def test_an_endpoint_can_be_asked_for_alone() -> None:
    """One broken endpoint does not colour another."""
    sli = calculator()
    sli.record_request("users", 200, 10)
    sli.record_request("orders", 500, 900)
    assert sli.calculate_availability_sli(NOON, NOON + HOUR, "users") == 100.0
    assert sli.calculate_availability_sli(NOON, NOON + HOUR, endpoint="orders") == 0.0
    assert sli.calculate_latency_sli(NOON, NOON + HOUR, 200, "orders") == 0.0
    assert sli.calculate_error_rate_sli(NOON, NOON + HOUR, "nowhere") is None


def test_intervals_widen_to_whole_minutes() -> None:
    """Start goes back and end forward to a minute; the minute at `end` itself is out."""
    sli = calculator()
    sli.record_request("users", 200, 10, timestamp=NOON + timedelta(seconds=30))
    later = NOON + timedelta(seconds=59)
    assert sli.calculate_availability_sli(later, later + timedelta(microseconds=1)) == 100.0
    assert sli.calculate_availability_sli(NOON - HOUR, NOON) is None
    assert sli.calculate_availability_sli(NOON + timedelta(minutes=1), NOON + HOUR) is None


def test_timestamps_may_be_aware_datetimes_or_epoch_seconds() -> None:
    """Late measurements land in the minute they belong to, in any order."""
    sli = calculator()
    sli.record_request("users", 200, 10)
    sli.record_request("users", 500, 10, NOON - HOUR)
    sli.record_request("users", 500, 10, (NOON - HOUR).timestamp())
    sli.record_request("users", 200, 10)
    assert sli.calculate_availability_sli(NOON - HOUR, NOON) == 0.0
    assert sli.calculate_availability_sli(NOON - HOUR, NOON + HOUR) == 50.0


def test_the_clock_moving_on_starts_a_new_minute() -> None:
    """Each minute keeps what was recorded in it, also when the clock is set back."""
    clock = Clock()
    sli = SliCalculator(clock=clock)
    for minutes in (0, 1, 2, 3, 4, 5, 1):
        clock.now = (NOON + timedelta(minutes=minutes)).timestamp()
        sli.record_request("users", 200, 10)
    minute = timedelta(minutes=1)
    counts = {row.minute: row.count for row in sli.drain().requests}
    assert counts == {
        int((NOON + minutes * minute).timestamp()): 2 if minutes == 1 else 1 for minutes in range(6)
    }


@pytest.mark.parametrize("seed", [True, False], ids=["hot entry", "new entry"])
@pytest.mark.parametrize(
    ("arguments", "error", "field"),
    [
        (("", 200, 10), InvalidValueError, "endpoint"),
        (("x" * 201, 200, 10), InvalidValueError, "endpoint"),
        ((None, 200, 10), InvalidTypeError, "endpoint"),
        ((["users"], 200, 10), InvalidTypeError, "endpoint"),
        (("users", 99, 10), InvalidValueError, "status_code"),
        (("users", 600, 10), InvalidValueError, "status_code"),
        (("users", "200", 10), InvalidTypeError, "status_code"),
        (("users", None, 10), InvalidTypeError, "status_code"),
        (("users", 200, -0.001), InvalidValueError, "response_time_ms"),
        (("users", 200, float("nan")), InvalidValueError, "response_time_ms"),
        (("users", 200, float("inf")), InvalidValueError, "response_time_ms"),
        (("users", 200, float("-inf")), InvalidValueError, "response_time_ms"),
        (("users", 200, "10"), InvalidTypeError, "response_time_ms"),
        (("users", 200, None), InvalidTypeError, "response_time_ms"),
        (("users", 200, timedelta(seconds=1)), InvalidTypeError, "response_time_ms"),
        (("users", 200, 10, NOON.replace(tzinfo=None)), InvalidValueError, "timestamp"),
        (("users", 200, 10, "noon"), InvalidTypeError, "timestamp"),
        (("users", 200, 10, float("nan")), InvalidValueError, "timestamp"),
        (("users", 200, 10, None, 7), InvalidTypeError, "method"),
    ],
)
def test_bad_arguments_are_refused_by_name_and_count_nothing(
    seed: bool, arguments: tuple[Any, ...], error: type[SliError], field: str
) -> None:
    """A refused record leaves counts and sums exactly as they were."""
    sli = calculator()
    if seed:
        sli.record_request("users", 200, 10)
    with pytest.raises(error, match=field) as raised:
        sli.record_request(*arguments)
    assert raised.value.field == field
    rows = sli.drain().requests
    assert [(row.count, row.total) for row in rows] == [(1, 10.0)] * seed


def test_errors_are_standard_value_and_type_errors() -> None:
    """Callers may catch the built-in kinds."""
    assert issubclass(InvalidValueError, ValueError)
    assert issubclass(UndeclaredBoundError, ValueError)
    assert issubclass(InvalidTypeError, TypeError)


def test_questions_refuse_naive_reversed_and_untimely_arguments() -> None:
    """An ambiguous interval is never guessed at."""
    sli = calculator()
    with pytest.raises(InvalidValueError, match="start: naive"):
        sli.calculate_availability_sli(NOON.replace(tzinfo=None), NOON)
    with pytest.raises(InvalidValueError, match="end: naive"):
        sli.calculate_latency_sli(NOON, (NOON + HOUR).replace(tzinfo=None))
    with pytest.raises(InvalidValueError, match="end: must be after start"):
        sli.calculate_error_rate_sli(NOON, NOON)
    with pytest.raises(InvalidTypeError, match="start: expected a datetime"):
        sli.calculate_freshness_sli("noon", NOON)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="percentile"):
        sli.calculate_latency_percentile(NOON, NOON + HOUR, 0)
    with pytest.raises(InvalidValueError, match="percentile"):
        sli.calculate_latency_percentile(NOON, NOON + HOUR, 100.5)


@pytest.mark.parametrize(
    ("threshold", "neighbours"), [(210, "200 and 250"), (1, "nearest: 5\\."), (1e6, "60000")]
)
def test_an_undeclared_threshold_names_its_neighbours(threshold: float, neighbours: str) -> None:
    """An interpolated share would look exact, so it is refused."""
    with pytest.raises(UndeclaredBoundError, match=neighbours):
        calculator().calculate_latency_sli(NOON, NOON + HOUR, threshold)


def test_declared_bounds_make_further_thresholds_exact() -> None:
    """A calculator built with a bound answers for it."""
    sli = calculator(extra_bounds=[210])
    sli.record_request("users", 200, 205)
    assert sli.calculate_latency_sli(NOON, NOON + HOUR, 200) == 0.0
    assert sli.calculate_latency_sli(NOON, NOON + HOUR, 210) == 100.0
    assert sli.bounds_ms == tuple(sorted({*map(float, DEFAULT_BOUNDS_MS), 210.0}))


@pytest.mark.parametrize("bounds", [[], [0, 5], [-1], [float("nan")]])
def test_impossible_bounds_are_refused(bounds: list[float]) -> None:
    """Bounds are finite and above zero, and there is at least one."""
    with pytest.raises(InvalidValueError, match="bounds_ms"):
        SliCalculator(bounds_ms=bounds)


def test_percentiles_are_interpolated_inside_their_bucket() -> None:
    """Ten times between 150 and 200 ms put the median estimate at 175 ms."""
    sli = calculator()
    for _ in range(10):
        sli.record_request("users", 200, 180)
    assert sli.calculate_latency_percentile(NOON, NOON + HOUR, 50) == pytest.approx(175)
    assert sli.calculate_latency_percentile(NOON, NOON + HOUR, 100) == 200
    sli.record_request("users", 200, 120_000)
    assert sli.calculate_latency_percentile(NOON, NOON + HOUR, 100) == 60_000


def test_freshness_is_the_share_of_young_enough_observations() -> None:
    """Ages equal to the threshold are fresh; sources can be told apart."""
    sli = calculator()
    sli.record_freshness("users", 300)
    sli.record_freshness("users", 301)
    sli.record_freshness("orders", 5, NOON)
    assert sli.calculate_freshness_sli(NOON, NOON + HOUR, source="users") == 50.0
    assert sli.calculate_freshness_sli(NOON, NOON + HOUR) == pytest.approx(200 / 3)
    assert sli.calculate_freshness_sli(NOON, NOON + HOUR, threshold_s=600) == 100.0
    with pytest.raises(InvalidValueError, match="age_s"):
        sli.record_freshness("users", -1)
    with pytest.raises(UndeclaredBoundError, match="threshold_s"):
        sli.calculate_freshness_sli(NOON, NOON + HOUR, threshold_s=301)


def test_unknown_methods_share_one_name() -> None:
    """A client cannot grow the table by inventing methods."""
    sli = calculator()
    sli.record_request("users", 200, 10, method="BREW")
    sli.record_request("users", 200, 10, method="POST")
    assert {row.key[1] for row in sli.drain().requests} == {"OTHER", "POST"}


def test_endpoints_beyond_the_limit_share_one_name() -> None:
    """A thousand invented names cost two entries, and no request is lost."""
    sli = calculator(max_endpoints=1)
    for number in range(1000):
        sli.record_request(f"user-{number}", 200, 10)
    counts = {row.key[0]: row.count for row in sli.drain().requests}
    assert counts == {"user-0": 1, OTHER_ENDPOINT: 999}


def test_memory_is_bounded_by_minutes_and_entries() -> None:
    """The oldest minutes go first, and the calculator says from when on it knows."""
    sli = calculator(max_minutes=10)
    for minute in range(100):
        sli.record_request("users", 200, 10, NOON + timedelta(minutes=minute))
    assert sli.retained_since == NOON + timedelta(minutes=90)
    few = calculator(max_entries=5)
    for minute in range(20):
        few.record_request("users", 200 + minute % 2, 10, NOON + timedelta(minutes=minute))
    assert few.retained_since == NOON + timedelta(minutes=15)


def test_minutes_are_set_aside_without_anybody_asking() -> None:
    """A process that only records keeps few open pages per thread."""
    sli = calculator(max_minutes=10)
    for minute in range(500):
        sli.record_request("users", 200, 10, NOON + timedelta(minutes=minute))
    shard = sli._requests.local.shard
    assert len(shard.pages) <= 3
    assert len(shard.retired) == 0
    assert len(sli._requests.folded) <= 10


Event = tuple[str, int, float, int]

"""Endpoint, status, duration (ms), minutes after noon."""

requests = st.tuples(
    st.sampled_from(["users", "orders"]),
    st.sampled_from([200, 301, 404, 500, 503]),
    st.one_of(
        st.sampled_from([float(bound) for bound in DEFAULT_BOUNDS_MS]),
        st.floats(min_value=0, max_value=100_000),
    ),
    st.integers(min_value=0, max_value=120),
)


def recorded(events: list[Event]) -> SliCalculator:
    """Return a calculator that has seen the events, minute by minute after noon."""
    sli = calculator()
    for endpoint, status, duration, minute in events:
        sli.record_request(endpoint, status, duration, NOON + timedelta(minutes=minute))
    return sli


@given(
    st.lists(requests, max_size=60),
    st.integers(0, 120),
    st.integers(1, 60),
    st.sampled_from(DEFAULT_BOUNDS_MS),
)
def test_percentages_agree_with_counting_by_hand(
    events: list[Event], first: int, length: int, threshold: int
) -> None:
    """Every indicator equals the brute-force count of the same interval."""
    sli = recorded(events)
    start = NOON + timedelta(minutes=first)
    end = start + timedelta(minutes=length)
    inside = [event for event in events if first <= event[3] < first + length]

    def percent(good: int) -> float | None:
        return 100 * good / len(inside) if inside else None

    assert sli.calculate_availability_sli(start, end) == percent(
        sum(status < 500 for _, status, _, _ in inside)
    )
    assert sli.calculate_error_rate_sli(start, end) == percent(
        sum(status < 400 for _, status, _, _ in inside)
    )
    assert sli.calculate_latency_sli(start, end, threshold) == percent(
        sum(duration <= threshold for _, _, duration, _ in inside)
    )


@given(st.lists(requests, max_size=40), st.randoms())
def test_the_order_of_recording_does_not_matter(events: list[Event], random: Random) -> None:
    """Permuting the requests changes no count."""
    shuffled = list(events)
    random.shuffle(shuffled)

    def counts(sli: SliCalculator) -> dict[Any, tuple[int, ...]]:
        return {(row.minute, row.key): row.buckets for row in sli.drain(10_000).requests}

    assert counts(recorded(events)) == counts(recorded(shuffled))


@given(st.lists(requests, max_size=40), st.lists(st.integers(0, 40), max_size=5))
def test_drained_portions_add_up_to_the_whole(events: list[Event], cuts: list[int]) -> None:
    """However often one drains, the portions merge into the same totals."""
    whole = {(row.minute, row.key): row.buckets for row in recorded(events).drain(10_000).requests}
    sli = calculator()
    merged: dict[Any, tuple[int, ...]] = {}
    for index, (endpoint, status, duration, minute) in enumerate(events):
        sli.record_request(endpoint, status, duration, NOON + timedelta(minutes=minute))
        if index in cuts or index == len(events) - 1:
            for row in sli.drain(10_000).requests:
                known = merged.get((row.minute, row.key), (0,) * len(row.buckets))
                merged[row.minute, row.key] = tuple(
                    a + b for a, b in zip(known, row.buckets, strict=True)
                )
    assert merged == whole


@given(st.lists(requests, min_size=1, max_size=40), st.floats(1, 100))
def test_percentile_estimates_stay_within_the_bucket_of_the_true_value(
    events: list[Event], percentile: float
) -> None:
    """The estimate is off by less than the bucket it falls into."""
    sli = recorded(events)
    estimate = sli.calculate_latency_percentile(NOON, NOON + 3 * HOUR, percentile)
    ordered = sorted(duration for _, _, duration, _ in events)
    rank = -(-len(ordered) * percentile // 100)
    true = ordered[max(int(rank), 1) - 1]
    edges = [0.0, *sli.bounds_ms]
    lower = max((edge for edge in edges if edge < true), default=0.0)
    upper = min((bound for bound in sli.bounds_ms if bound >= true), default=edges[-1])
    assert estimate is not None
    assert lower - 1e-9 <= estimate <= upper + 1e-9
