"""What can be guarded, blocks, coroutines and databases, and how all breakers are found by name."""

import asyncio
import functools
import gc
from datetime import UTC

import pytest

from sre.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerManager,
    CircuitOpenError,
    DatabaseCircuitBreaker,
    Guarded,
    State,
    circuit_breaker,
    circuit_breaker_manager,
    db_circuit_breaker,
)
from sre.tests.breakers import Clock, Refused, breaker, fail, fail_times, state_of


def test_coroutines_are_guarded_and_cancellation_is_no_failure() -> None:
    """`async def` follows the same rules; a cancelled trial gives its permit back."""
    clock = Clock()

    @circuit_breaker(failure_threshold=1, recovery_timeout=60, clock=clock)
    async def fetch(delay: float, *, broken: bool = False) -> str:
        if broken:
            fail()
        await asyncio.sleep(delay)
        return "fetched"

    async def scenario() -> None:
        guard = fetch.circuit_breaker
        assert await fetch(0) == "fetched"
        with pytest.raises(Refused):
            await fetch(0, broken=True)
        with pytest.raises(CircuitOpenError):
            await fetch(0)
        clock.now += 60
        trial = asyncio.create_task(fetch(3600))
        await asyncio.sleep(0)
        with pytest.raises(CircuitOpenError):
            await fetch(0)
        trial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trial
        assert state_of(guard) is State.HALF_OPEN
        assert await fetch(0) == "fetched"
        assert state_of(guard) is State.CLOSED

    asyncio.run(scenario())


def test_a_block_can_be_guarded() -> None:
    """`with breaker.guard()` is one call."""
    guarded = breaker(failure_threshold=1)
    with guarded.guard():
        pass
    with pytest.raises(Refused), guarded.guard():
        fail()
    with pytest.raises(CircuitOpenError), guarded.guard():
        pytest.fail("the block must not run")


def test_the_database_breaker_blames_only_the_database() -> None:
    """A violated constraint is an answer; a refused connection is not."""

    class IntegrityError(Exception):
        """As every DB-API driver names it."""

    class OperationalError(Exception):
        """As every DB-API driver names it."""

    database = DatabaseCircuitBreaker("database", failure_threshold=2)
    for _ in range(5):
        with pytest.raises(IntegrityError):
            database.execute_query(fail, IntegrityError())
    assert state_of(database) is State.CLOSED
    for _ in range(2):
        with pytest.raises(OperationalError):
            database.execute_query(fail, OperationalError())
    with pytest.raises(CircuitOpenError):
        database.execute_query(int)


def test_the_documented_database_breaker_runs_queries_and_is_listed() -> None:
    """`db_circuit_breaker.execute_query` returns what the query returns."""
    assert db_circuit_breaker.execute_query(lambda: ["alice", "bob"]) == ["alice", "bob"]
    states = circuit_breaker_manager.get_all_states()
    assert states["database"]["state"] == "closed"
    assert states["database"]["since"].tzinfo is UTC


def test_decorated_functions_are_listed_by_their_own_name_and_never_twice() -> None:
    """The second function of the same name gets a number; both go with their function."""
    manager = CircuitBreakerManager()

    def build() -> Guarded[[], None]:
        @circuit_breaker(manager=manager)
        def operation() -> None:
            """Do nothing."""

        return operation

    first, second = build(), build()
    name = f"{__name__}.{first.__qualname__}"
    assert sorted(manager.get_all_states()) == [name, f"{name}#2"]
    assert manager.get(f"{name}#2") is second.circuit_breaker
    del first, second
    gc.collect()
    assert manager.get_all_states() == {}


def test_a_callable_without_a_name_can_be_given_one() -> None:
    """A partial has no qualname of its own, so its kind stands in or a name is said."""
    manager = CircuitBreakerManager()
    unnamed = circuit_breaker(manager=manager)(functools.partial(pow, 2))
    assert unnamed.circuit_breaker.name == "functools.partial"
    guarded = circuit_breaker(name="half", manager=manager)(functools.partial(pow, 2))
    assert guarded(3) == 8
    assert manager.get("half") is guarded.circuit_breaker


def test_the_manager_creates_each_name_once() -> None:
    """Asking again returns the same breaker; another one of that name is refused."""
    manager = CircuitBreakerManager()
    first = manager.get_or_create("redis", failure_threshold=1)
    assert manager.get_or_create("redis", failure_threshold=9) is first
    assert manager.register(first) is first
    with pytest.raises(ValueError, match="redis"):
        manager.register(CircuitBreaker("redis"))
    assert manager.get("nobody") is None


def test_the_manager_tells_of_present_and_future_breakers_and_resets_all() -> None:
    """One listener per process is enough to publish every transition."""
    manager = CircuitBreakerManager()
    heard: list[str] = []
    present = manager.get_or_create("present", failure_threshold=1)
    manager.add_listener(lambda change: heard.append(f"{change.breaker} {change.new}"))
    future = manager.get_or_create("future", failure_threshold=1)
    manager.register(future)
    fail_times(present, 1)
    fail_times(future, 1)
    manager.reset_all()
    assert heard == ["present open", "future open", "present closed", "future closed"]
