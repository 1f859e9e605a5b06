"""A breaker on a clock that tests move, and a dependency that refuses."""

from typing import Any

import pytest

from sre.circuit_breaker import (
    CircuitBreaker,
    State,
)


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Refused(Exception):
    """What the dependency of these tests raises."""


def fail(error: BaseException | None = None) -> None:
    """Raise, as a broken dependency would."""
    raise error or Refused("connection refused")


def breaker(clock: Clock | None = None, **options: Any) -> CircuitBreaker:
    """Return a breaker that opens at the third failure, for 60 s unless said."""
    clock = clock or Clock()
    return CircuitBreaker(
        "payments", **{"failure_threshold": 3, "clock": clock, "wall_clock": clock, **options}
    )


def state_of(guarded: CircuitBreaker) -> State:
    """Return the state as of now."""
    return guarded.state


def fail_times(guarded: CircuitBreaker, times: int) -> None:
    """Let the dependency fail `times` times."""
    for _ in range(times):
        with pytest.raises(Refused):
            guarded.call(fail)
