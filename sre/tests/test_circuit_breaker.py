"""Rules of circuit breakers."""

import contextlib
import threading
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.circuit_breaker import (
    CircuitOpenError,
    DatabaseCircuitBreaker,
    State,
    Transition,
    circuit_breaker,
)
from sre.tests.breakers import Clock, Refused, breaker, fail, fail_times, state_of


def test_opens_at_the_fifth_failure_in_a_row_and_closes_after_a_good_trial() -> None:
    """The documented decorator: five failures, 60 s of rejections, one trial call."""
    clock = Clock()
    healthy = False
    calls = 0

    @circuit_breaker(failure_threshold=5, recovery_timeout=60, clock=clock)
    def risky_operation(value: int) -> int:
        """Do something risky."""
        nonlocal calls
        calls += 1
        if not healthy:
            fail()
        return value

    for _ in range(5):
        with pytest.raises(Refused):
            risky_operation(1)
    with pytest.raises(CircuitOpenError, match=r"retry after 60\.0 s") as rejected:
        risky_operation(1)
    assert (calls, rejected.value.retry_after) == (5, 60.0)
    assert rejected.value.state is State.OPEN
    clock.now += 59.9
    with pytest.raises(CircuitOpenError):
        risky_operation(1)
    healthy = True
    clock.now += 0.1
    assert risky_operation(7) == 7
    assert state_of(risky_operation.circuit_breaker) is State.CLOSED
    assert risky_operation.__doc__ == "Do something risky."


def test_a_success_in_between_starts_the_row_anew() -> None:
    """Only consecutive failures count against the threshold."""
    guarded = breaker()
    for _ in range(5):
        fail_times(guarded, 2)
        guarded.call(int)
    assert state_of(guarded) is State.CLOSED
    fail_times(guarded, 3)
    assert state_of(guarded) is State.OPEN


def test_a_failed_trial_opens_for_another_whole_timeout() -> None:
    """Recovery is tried once, then left alone again."""
    clock = Clock()
    guarded = breaker(clock)
    fail_times(guarded, 3)
    clock.now += 60
    fail_times(guarded, 1)
    assert state_of(guarded) is State.OPEN
    clock.now += 59
    with pytest.raises(CircuitOpenError):
        guarded.call(int)
    clock.now += 1
    guarded.call(int)
    assert state_of(guarded) is State.CLOSED


def test_every_half_open_permit_must_succeed() -> None:
    """Three permits: two good calls keep it half open, the third closes it."""
    clock = Clock()
    guarded = breaker(clock, half_open_permits=3)
    fail_times(guarded, 3)
    clock.now += 60
    states = []
    for _ in range(3):
        guarded.call(int)
        states.append(guarded.state)
    assert states == [State.HALF_OPEN, State.HALF_OPEN, State.CLOSED]


def test_half_open_admits_no_more_calls_than_permits() -> None:
    """Of eight simultaneous callers two get through, the others are rejected."""
    clock = Clock()
    guarded = breaker(clock, half_open_permits=2)
    fail_times(guarded, 3)
    clock.now += 60
    admitted, rejected = [], []
    release = threading.Event()
    settled = threading.Semaphore(0)

    def trial() -> None:
        def slow() -> None:
            admitted.append(1)
            settled.release()
            release.wait(10)

        try:
            guarded.call(slow)
        except CircuitOpenError as error:
            rejected.append(error.state)
            settled.release()

    threads = [threading.Thread(target=trial) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in threads:
        settled.acquire(timeout=10)
    assert len(admitted) == 2
    assert rejected == [State.HALF_OPEN] * 6
    release.set()
    for thread in threads:
        thread.join()
    assert state_of(guarded) is State.CLOSED


def test_results_of_an_earlier_state_change_nothing() -> None:
    """A slow call that began before the trouble neither opens nor closes it later."""
    clock = Clock()
    guarded = breaker(clock)

    def slow_success() -> None:
        fail_times(guarded, 3)

    guarded.call(slow_success)
    assert state_of(guarded) is State.OPEN

    def slow_failure() -> None:
        guarded.reset()
        fail()

    clock.now += 60
    with pytest.raises(Refused):
        guarded.call(slow_failure)
    assert state_of(guarded) is State.CLOSED
    assert guarded.snapshot()["consecutive_failures"] == 0


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_interruptions_are_no_failures_and_give_their_permit_back(
    interruption: type[BaseException],
) -> None:
    """Ctrl-C during the only trial call leaves the permit for the next caller."""
    clock = Clock()
    guarded = breaker(clock)
    for _ in range(5):
        with pytest.raises(interruption):
            guarded.call(fail, interruption())
    assert state_of(guarded) is State.CLOSED
    fail_times(guarded, 3)
    clock.now += 60
    with pytest.raises(interruption):
        guarded.call(fail, interruption())
    assert state_of(guarded) is State.HALF_OPEN
    guarded.call(int)
    assert state_of(guarded) is State.CLOSED


def test_trial_calls_that_never_return_do_not_block_recovery() -> None:
    """After `half_open_max_wait` the lost permit is written off."""
    clock = Clock()
    guarded = breaker(clock, half_open_max_wait=30)
    fail_times(guarded, 3)
    clock.now += 60

    def hang() -> None:
        clock.now += 29
        with pytest.raises(CircuitOpenError):
            guarded.call(int)
        clock.now += 1
        with pytest.raises(CircuitOpenError) as rejected:
            guarded.call(int)
        assert rejected.value.state is State.OPEN

    guarded.call(hang)
    assert state_of(guarded) is State.OPEN
    clock.now += 60
    guarded.call(int)
    assert state_of(guarded) is State.CLOSED


def test_a_failure_rate_opens_it_without_a_row() -> None:
    """Every second call failing is 50 %, judged from the tenth call on."""
    guarded = breaker(failure_threshold=None, failure_rate=0.5, minimum_calls=10, window=20)
    for _ in range(4):
        fail_times(guarded, 1)
        guarded.call(int)
    fail_times(guarded, 1)
    assert state_of(guarded) is State.CLOSED
    guarded.call(int)
    assert state_of(guarded) is State.OPEN


def test_the_failure_rate_is_taken_over_the_latest_calls() -> None:
    """Old failures leave the window."""
    guarded = breaker(failure_threshold=None, failure_rate=0.9, minimum_calls=4, window=4)
    fail_times(guarded, 3)
    for _ in range(3):
        guarded.call(int)
    snapshot = guarded.snapshot()
    assert (snapshot["calls"], snapshot["failures"], snapshot["failure_rate"]) == (4, 1, 0.25)
    assert state_of(guarded) is State.CLOSED


def test_errors_the_dependency_is_not_to_blame_for_count_as_nothing() -> None:
    """A caller's ValueError neither adds to the row nor breaks it."""
    guarded = breaker(is_failure=lambda error: not isinstance(error, ValueError))
    fail_times(guarded, 2)
    for _ in range(5):
        with pytest.raises(ValueError):
            guarded.call(fail, ValueError())
    assert state_of(guarded) is State.CLOSED
    fail_times(guarded, 1)
    assert state_of(guarded) is State.OPEN


def test_a_broken_predicate_counts_as_failure_and_hides_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The caller still gets the dependency's own error."""
    guarded = breaker(failure_threshold=1, is_failure=lambda error: error.missing)
    fail_times(guarded, 1)
    assert state_of(guarded) is State.OPEN
    assert "is_failure failed" in caplog.text


def test_forced_open_and_disabled_stay_until_reset() -> None:
    """An operator's word outranks what the calls say."""
    clock = Clock()
    guarded = breaker(clock)
    guarded.force_open()
    clock.now += 3600
    with pytest.raises(CircuitOpenError) as rejected:
        guarded.call(int)
    assert (rejected.value.state, rejected.value.retry_after) == (State.FORCED_OPEN, None)
    guarded.disable()
    fail_times(guarded, 10)
    assert state_of(guarded) is State.DISABLED
    guarded.reset()
    assert state_of(guarded) is State.CLOSED


def test_a_breaker_reset_while_a_caller_waits_for_the_lock_admits_it() -> None:
    """What counts is the state under the lock, not the one glanced at before."""
    guarded = breaker()
    guarded.force_open()
    seen: list[int] = []

    class ResettingLock:
        """Resets the breaker just before the caller gets the lock."""

        def __init__(self, lock: Any) -> None:
            self.lock = lock

        def __enter__(self) -> None:
            guarded._lock = self.lock
            guarded.reset()
            self.lock.acquire()

        def __exit__(self, *error: object) -> None:
            self.lock.release()

    guarded._lock = cast("Any", ResettingLock(guarded._lock))
    guarded.call(seen.append, 1)
    assert seen == [1]


def test_listeners_hear_of_transitions_and_cannot_break_the_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A listener that raises is logged, the next one still hears, the call goes on."""
    clock = Clock()
    guarded = breaker(clock)
    heard: list[Transition] = []

    def broken(transition: Transition) -> None:
        guarded.snapshot()
        raise RuntimeError(transition.reason)

    guarded.add_listener(broken)
    guarded.add_listener(heard.append)
    fail_times(guarded, 3)
    clock.now += 60
    guarded.call(int)
    guarded.reset()
    assert [(change.old, change.new, change.reason) for change in heard] == [
        (State.CLOSED, State.OPEN, "3 failures in a row"),
        (State.OPEN, State.HALF_OPEN, "recovery timeout is over"),
        (State.HALF_OPEN, State.CLOSED, "every trial call succeeded"),
    ]
    assert [change.generation for change in heard] == [1, 2, 3]
    assert heard[0].at == datetime.fromtimestamp(1000, UTC)
    assert "a listener failed" in caplog.text


def test_the_lock_is_not_held_during_the_call() -> None:
    """Four threads meet inside the guarded call, which a held lock would prevent."""
    guarded = breaker()
    meeting = threading.Barrier(4, timeout=10)
    threads = [threading.Thread(target=guarded.call, args=(meeting.wait,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert guarded.snapshot()["calls"] == 4
    assert guarded.snapshot()["failures"] == 0


def test_concurrent_failures_open_it_once() -> None:
    """Racing threads cause one transition and lose no count."""
    guarded = breaker(failure_threshold=4000, window=4000)
    heard: list[Transition] = []
    guarded.add_listener(heard.append)

    def storm() -> None:
        for _ in range(1000):
            with contextlib.suppress(Refused):
                guarded.call(fail)

    threads = [threading.Thread(target=storm) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [change.reason for change in heard] == ["4000 failures in a row"]


@pytest.mark.parametrize(
    "options",
    [
        {"failure_threshold": 0},
        {"failure_threshold": None},
        {"failure_rate": 0},
        {"failure_rate": 1.01},
        {"recovery_timeout": -1},
        {"half_open_permits": 0},
        {"half_open_max_wait": 0},
        {"minimum_calls": 0},
        {"minimum_calls": 101},
    ],
)
def test_impossible_options_are_refused_by_name(options: dict[str, Any]) -> None:
    """A breaker that could never open, or never close, is not built."""
    field = "failure_rate" if options == {"failure_threshold": None} else next(iter(options))
    with pytest.raises(ValueError, match=field):
        breaker(**options)


def test_the_snapshot_tells_what_an_operator_asks() -> None:
    """State, since when, how bad, and when it will be tried again."""
    clock = Clock()
    guarded = breaker(clock)
    assert guarded.snapshot()["failure_rate"] is None
    fail_times(guarded, 2)
    guarded.call(int)
    assert guarded.snapshot()["failure_rate"] == pytest.approx(2 / 3)
    fail_times(guarded, 3)
    clock.now += 20
    with pytest.raises(CircuitOpenError):
        guarded.call(int)
    assert guarded.snapshot() == {
        "state": "open",
        "failure_rate": None,
        "calls": 0,
        "failures": 0,
        "consecutive_failures": 3,
        "rejected": 1,
        "failed_total": 5,
        "slow_total": 0,
        "since": datetime.fromtimestamp(1000, UTC),
        "retry_after": 40.0,
        "generation": 1,
    }


@given(st.lists(st.one_of(st.booleans(), st.just(60.0)), max_size=80), st.integers(1, 5))
def test_it_is_open_exactly_when_the_last_failures_in_a_row_say_so(
    steps: list[bool | float], threshold: int
) -> None:
    """Against a plain model: any mix of good calls, failures and waiting."""
    clock = Clock()
    guarded = breaker(clock, failure_threshold=threshold)
    row, opened_at = 0, None
    for step in steps:
        if isinstance(step, float):
            clock.now += step
            continue
        expected_rejection = opened_at is not None and clock.now < opened_at + 60
        try:
            guarded.call(int) if step else guarded.call(fail)
        except CircuitOpenError:
            assert expected_rejection
            continue
        except Refused:
            row += 1
            if opened_at is not None or row >= threshold:
                opened_at = clock.now
        else:
            row, opened_at = 0, None
        assert not expected_rejection


def test_a_slow_query_is_counted_and_a_failed_one_twice_over() -> None:
    """The database's breaker counts calls beyond its limit, whether or not they fail."""
    guarded = DatabaseCircuitBreaker("timed", slow_query_s=0.0)
    guarded.execute_query(int)
    with pytest.raises(ZeroDivisionError):
        guarded.execute_query(lambda: 1 / 0)
    quick = DatabaseCircuitBreaker("quick", slow_query_s=60.0)
    quick.execute_query(int)
    assert (guarded.snapshot()["slow_total"], guarded.snapshot()["failed_total"]) == (2, 1)
    assert quick.snapshot()["slow_total"] == 0
