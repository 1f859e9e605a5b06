"""Circuit breakers by decorator, by name, and for the database.

    >>> @circuit_breaker(failure_threshold=5, recovery_timeout=60)
    ... def risky_operation(): ...
    >>> users = db_circuit_breaker.execute_query(lambda: list(User.objects.all()))
    >>> circuit_breaker_manager.get_all_states()["database"]["state"]
    'closed'

How a breaker decides is described in `sre.breaker`.
"""

import functools
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from typing import ParamSpec, Protocol, TypedDict, TypeVar, Unpack, cast
from weakref import WeakValueDictionary

from sre.breaker import CircuitBreaker, CircuitOpenError, Listener, Snapshot, State, Transition

__all__ = [
    "CircuitBreaker",
    "CircuitBreakerManager",
    "CircuitOpenError",
    "DatabaseCircuitBreaker",
    "Guarded",
    "Options",
    "Snapshot",
    "State",
    "Transition",
    "circuit_breaker",
    "circuit_breaker_manager",
    "db_circuit_breaker",
]

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

NOT_THE_DATABASE = frozenset({
    "DataError",
    "IntegrityError",
    "MultipleObjectsReturned",
    "MultipleResultsFound",
    "NoResultFound",
    "NotSupportedError",
    "ObjectDoesNotExist",
    "ProgrammingError",
})  # fmt: skip
"""Errors by which a healthy database or its mapper refuses one statement (PEP 249)."""


class Options(TypedDict, total=False):
    """Keywords of `CircuitBreaker`, explained there."""

    failure_threshold: int | None
    recovery_timeout: float
    half_open_permits: int
    half_open_max_wait: float
    failure_rate: float | None
    minimum_calls: int
    window: int
    is_failure: Callable[[Exception], bool] | None
    clock: Callable[[], float]
    wall_clock: Callable[[], float]


class Guarded(Protocol[P, T_co]):
    """A function behind a breaker of its own."""

    circuit_breaker: CircuitBreaker
    __qualname__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co:
        """Call the function, or reject."""


class CircuitBreakerManager:
    """Every breaker of this process by name.

    Breakers of decorated functions are forgotten together with their function.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: WeakValueDictionary[str, CircuitBreaker] = WeakValueDictionary()
        self._kept: dict[str, CircuitBreaker] = {}
        self._listeners: list[Listener] = []

    def get(self, name: str) -> CircuitBreaker | None:
        """Return the breaker called `name`, or None."""
        return self._known.get(name)

    def get_or_create(self, name: str, **options: Unpack[Options]) -> CircuitBreaker:
        """Return the breaker called `name`; `options` count only when it is new."""
        with self._lock:
            known = self._known.get(name)
            return known or self._add(CircuitBreaker(name, **options), keep=True)

    def register(self, breaker: CircuitBreaker) -> CircuitBreaker:
        """Add a breaker built elsewhere.

        Raises:
            ValueError: If another one has its name.
        """
        with self._lock:
            if self._known.get(breaker.name, breaker) is not breaker:
                raise ValueError(f"a circuit breaker called {breaker.name} exists already")
            return self._add(breaker, keep=True)

    def create_unique(self, name: str, **options: Unpack[Options]) -> CircuitBreaker:
        """Create a breaker called `name`, or `name#2`, `name#3`… when that is taken."""
        with self._lock:
            unique, number = name, 1
            while unique in self._known:
                number += 1
                unique = f"{name}#{number}"
            return self._add(CircuitBreaker(unique, **options), keep=False)

    def get_all_states(self) -> dict[str, Snapshot]:
        """Return what every breaker is doing, by name."""
        with self._lock:
            breakers = sorted(self._known.items())
        return {name: breaker.snapshot() for name, breaker in breakers}

    def add_listener(self, listener: Listener) -> None:
        """Tell `listener` of every transition of every breaker, present and future.

        It runs in the thread of the call that caused the transition, so it should
        only note it down; what it raises is logged and dropped.
        """
        with self._lock:
            self._listeners.append(listener)
            for breaker in self._known.values():
                breaker.add_listener(listener)

    def reset_all(self) -> None:
        """Close every breaker and forget what they have seen."""
        with self._lock:
            breakers = list(self._known.values())
        for breaker in breakers:
            breaker.reset()

    def _add(self, breaker: CircuitBreaker, *, keep: bool) -> CircuitBreaker:
        if breaker.name not in self._known:
            for listener in self._listeners:
                breaker.add_listener(listener)
        self._known[breaker.name] = breaker
        if keep:
            self._kept[breaker.name] = breaker
        return breaker


class DatabaseCircuitBreaker(CircuitBreaker):
    """A breaker that blames the database only for what it is to blame for.

    A violated constraint or a missing row is an answer, so it neither opens nor
    closes the circuit; a refused connection, a timeout or an error of unknown
    kind is a failure. The kinds are recognised by name, whatever the driver.

    Args:
        name: Unique name, shown to people.
        slow_query_s: A query that takes longer is counted as slow.
        options: Keywords of `CircuitBreaker`.
    """

    def __init__(self, name: str, *, slow_query_s: float = 1.0, **options: Unpack[Options]) -> None:
        options.setdefault("is_failure", is_database_failure)
        super().__init__(name, **options)
        self._slow_query_s = slow_query_s

    def execute_query(self, query: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `query(*args, **kwargs)`, or reject while the circuit is open.

        A lazy query set is not run by returning it: evaluate it inside.

        Raises:
            CircuitOpenError: Without querying, while the circuit is open.
        """
        started = time.perf_counter()
        try:
            return self.call(query, *args, **kwargs)
        finally:
            if time.perf_counter() - started > self._slow_query_s:
                with self._lock:
                    self._slow_total += 1


def is_database_failure(error: Exception) -> bool:
    """Say whether `error` speaks against the database rather than the statement."""
    return not any(kind.__name__ in NOT_THE_DATABASE for kind in type(error).__mro__)


def circuit_breaker(
    *,
    name: str | None = None,
    manager: CircuitBreakerManager | None = None,
    **options: Unpack[Options],
) -> Callable[[Callable[P, T]], Guarded[P, T]]:
    """Guard a function or an `async def` with a breaker of its own.

    The breaker is the wrapper's attribute `circuit_breaker`.

    Args:
        name: Name of the breaker; `module.qualname` unless said, numbered when taken.
        manager: Where to register it; `circuit_breaker_manager` unless said.
        options: Keywords of `CircuitBreaker`.
    """

    def decorate(function: Callable[P, T]) -> Guarded[P, T]:
        named = function if hasattr(function, "__qualname__") else type(function)
        chosen = name or f"{named.__module__}.{named.__qualname__}"
        registry = circuit_breaker_manager if manager is None else manager
        breaker = registry.create_unique(chosen, **options)
        is_async = inspect.iscoroutinefunction(function)
        wrapper = (_guarded_coroutine if is_async else _guarded)(function, breaker)
        guarded = cast("Guarded[P, T]", wrapper)
        guarded.circuit_breaker = breaker
        return guarded

    return decorate


def _guarded(function: Callable[P, T], breaker: CircuitBreaker) -> Callable[P, T]:
    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return breaker.call(function, *args, **kwargs)

    return call


def _guarded_coroutine(function: Callable[P, T], breaker: CircuitBreaker) -> Callable[P, T]:
    coroutine = cast("Callable[P, Awaitable[object]]", function)

    @functools.wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> object:
        return await breaker.call_async(coroutine, *args, **kwargs)

    return cast("Callable[P, T]", call)


circuit_breaker_manager = CircuitBreakerManager()
"""Every breaker of this process."""

db_circuit_breaker = DatabaseCircuitBreaker("database")
"""The breaker in front of this process's database."""

circuit_breaker_manager.register(db_circuit_breaker)
