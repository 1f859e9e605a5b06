"""What a circuit breaker is made of: its states, what calls say of it, and what it tells others."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypedDict


class State(StrEnum):
    """What a breaker does with the next call."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    DISABLED = "disabled"


class Outcome(StrEnum):
    """What a finished call says about the health of what it called."""

    SUCCESS = "success"
    FAILURE = "failure"
    NOTHING = "nothing"


class CircuitOpenError(Exception):
    """The call was rejected without being tried.

    Attributes:
        name: Name of the breaker.
        state: Why: open, forced open, or half open with every permit taken.
        retry_after: Seconds until a call may be admitted; None when unknown.
    """

    def __init__(self, name: str, state: State, retry_after: float | None) -> None:
        when = "" if retry_after is None else f", retry after {retry_after:.1f} s"
        super().__init__(f"circuit breaker {name} is {state.replace('_', ' ')}{when}")
        self.name = name
        self.state = state
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Transition:
    """A breaker changed its state.

    Attributes:
        breaker: Name of the breaker.
        old: State before.
        new: State now.
        at: When (aware UTC).
        generation: Running number per breaker. Listeners run outside the lock, so
            two threads may deliver two transitions in the wrong order; this is the
            right one.
        reason: Why, in words.
    """

    breaker: str
    old: State
    new: State
    at: datetime
    generation: int
    reason: str


class Snapshot(TypedDict):
    """One breaker as `CircuitBreakerManager.get_all_states` shows it.

    `failure_rate` is the fraction of failures among the last `calls` finished
    calls of the current state, None before any. `failed_total` counts failures
    since the breaker was made, `slow_total` calls that took too long (only the
    database's breaker times its calls).
    """

    state: str
    failure_rate: float | None
    calls: int
    failures: int
    consecutive_failures: int
    rejected: int
    failed_total: int
    slow_total: int
    since: datetime
    retry_after: float | None
    generation: int


Listener = Callable[[Transition], None]


class Phase:
    """One stay in one state, with the calls it admitted.

    `admits_all` spares calls the lock while nothing is wrong.
    """

    __slots__ = (
        "admits_all",
        "admitted",
        "failures",
        "generation",
        "outcomes",
        "since",
        "started",
        "state",
    )

    def __init__(
        self, state: State, *, generation: int, started: float, since: float, window: int
    ) -> None:
        self.state = state
        self.admits_all = state in {State.CLOSED, State.DISABLED}
        self.generation = generation
        self.started = started
        self.since = since
        self.admitted = 0
        self.failures = 0
        self.outcomes: deque[bool] = deque(maxlen=window)

    def note(self, *, failed: bool) -> None:
        """Remember one outcome; the oldest beyond the window is forgotten."""
        outcomes = self.outcomes
        if self.failures and len(outcomes) == outcomes.maxlen:
            self.failures -= outcomes[0]
        outcomes.append(failed)
        self.failures += failed

    @property
    def failure_rate(self) -> float | None:
        """Failures among the remembered outcomes, or None without any."""
        return self.failures / len(self.outcomes) if self.outcomes else None
