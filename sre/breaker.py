"""The state machine of one circuit breaker.

CLOSED lets every call through. `failure_threshold` failures in a row (or a
failure rate, when one is given) make it OPEN: calls are rejected with
`CircuitOpenError` for `recovery_timeout` seconds. Then it is HALF_OPEN and
admits `half_open_permits` trial calls: when all succeed it closes, when one
fails it opens again. FORCED_OPEN and DISABLED stay until an operator resets.

The lock guards bookkeeping only and is never held during a call or a listener.
Every change of state starts a new `Phase`; a call remembers the phase that
admitted it, so a result that arrives after its phase is over changes nothing.

Errors:

    CircuitOpenError    rejected without being tried; `retry_after` seconds
"""

import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar

from sre.breaker_parts import (
    CircuitOpenError,
    Listener,
    Outcome,
    Phase,
    Snapshot,
    State,
    Transition,
)

__all__ = [
    "CircuitBreaker",
    "CircuitOpenError",
    "Listener",
    "Snapshot",
    "State",
    "Transition",
]

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


CLOSED = State.CLOSED
"""The same, without the look-up in the class that every call would pay for."""


class CircuitBreaker:
    """Guards calls to one dependency; safe from any thread and event loop.

    Args:
        name: Unique name, shown to people.
        failure_threshold: Failures in a row that open it; None for the rate rule only.
        recovery_timeout: Seconds it stays open before it admits trial calls.
        half_open_permits: Trial calls admitted; all must succeed to close it.
        half_open_max_wait: Seconds after which trial calls that never came back are
            given up and it opens again.
        failure_rate: Fraction of failures, in (0, 1], that opens it as well.
        minimum_calls: Finished calls before the rate is judged.
        window: Number of latest calls the rate is taken over.
        is_failure: Says of an `Exception` whether the dependency is at fault; by
            default every one is. Others count neither as failure nor as success.
        clock: Monotonic seconds.
        wall_clock: Seconds since the epoch, for display.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        name: str,
        *,
        failure_threshold: int | None = 5,
        recovery_timeout: float = 60.0,
        half_open_permits: int = 1,
        half_open_max_wait: float = 60.0,
        failure_rate: float | None = None,
        minimum_calls: int = 20,
        window: int = 100,
        is_failure: Callable[[Exception], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        _check("failure_threshold", failure_threshold is None or failure_threshold >= 1)
        _check("failure_rate", failure_rate is None or 0 < failure_rate <= 1)
        _check("failure_rate", failure_threshold is not None or failure_rate is not None)
        _check("recovery_timeout", recovery_timeout >= 0)
        _check("half_open_permits", half_open_permits >= 1)
        _check("half_open_max_wait", half_open_max_wait > 0)
        _check("minimum_calls", 1 <= minimum_calls <= window)
        self.name = name
        self.recovery_timeout = recovery_timeout
        self._failure_threshold = failure_threshold
        self._half_open_permits = half_open_permits
        self._half_open_max_wait = half_open_max_wait
        self._failure_rate = failure_rate
        self._minimum_calls = minimum_calls
        self._window = window
        self._is_failure = is_failure
        self._clock = clock
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        self._rejected = 0
        self._failed_total = 0
        self._slow_total = 0
        self._consecutive = 0
        self._phase = self._new_phase(State.CLOSED, generation=0)

    @property
    def state(self) -> State:
        """The state as of the last call: OPEN turns HALF_OPEN when a call is admitted."""
        return self._phase.state

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `function(*args, **kwargs)`, or reject.

        Raises:
            CircuitOpenError: Without calling, if the breaker does not admit it.
            BaseException: Whatever the function raises, unchanged.
        """
        phase = self._phase
        if not phase.admits_all:
            phase = self._admit()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            self._settle(phase, self._judge(error))
            raise
        self._succeed(phase)
        return result

    async def call_async(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Await `function(*args, **kwargs)`, or reject; a cancelled call counts as nothing."""
        phase = self._phase
        if not phase.admits_all:
            phase = self._admit()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            self._settle(phase, self._judge(error))
            raise
        self._succeed(phase)
        return result

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Treat the block of a `with` statement as one call."""
        phase = self._admit()
        try:
            yield
        except BaseException as error:
            self._settle(phase, self._judge(error))
            raise
        self._succeed(phase)

    def add_listener(self, listener: Listener) -> None:
        """Tell `listener` of every transition; what it raises is logged and dropped."""
        with self._lock:
            self._listeners = [*self._listeners, listener]

    def force_open(self, reason: str = "forced open by an operator") -> None:
        """Reject every call until `reset`."""
        self._change(State.FORCED_OPEN, reason)

    def disable(self, reason: str = "disabled by an operator") -> None:
        """Let every call through and judge none until `reset`."""
        self._change(State.DISABLED, reason)

    def reset(self, reason: str = "reset by an operator") -> None:
        """Close it and forget what it has seen."""
        self._change(State.CLOSED, reason)

    def snapshot(self) -> Snapshot:
        """Return the state and figures of this moment."""
        with self._lock:
            phase = self._phase
            return Snapshot(
                state=phase.state.value,
                failure_rate=phase.failure_rate,
                calls=len(phase.outcomes),
                failures=phase.failures,
                consecutive_failures=self._consecutive,
                rejected=self._rejected,
                failed_total=self._failed_total,
                slow_total=self._slow_total,
                since=datetime.fromtimestamp(phase.since, UTC),
                retry_after=self._retry_after(phase),
                generation=phase.generation,
            )

    def _admit(self) -> Phase:
        transition = None
        with self._lock:
            now = self._clock()
            if self._phase.state is State.OPEN and now >= self._opens_until(self._phase):
                transition = self._move(State.HALF_OPEN, "recovery timeout is over")
            elif self._is_stuck(now):
                transition = self._move(State.OPEN, "trial calls did not come back")
            phase = self._phase
            admitted = self._take_permit(phase)
            retry_after = None if admitted else self._retry_after(phase)
        self._announce(transition)
        if not admitted:
            raise CircuitOpenError(self.name, phase.state, retry_after)
        return phase

    def _take_permit(self, phase: Phase) -> bool:
        if phase.admits_all:
            return True
        if phase.state is State.HALF_OPEN and phase.admitted < self._half_open_permits:
            phase.admitted += 1
            return True
        self._rejected += 1
        return False

    def _succeed(self, phase: Phase) -> None:
        if self._failure_rate is not None or phase.state is not CLOSED:
            self._settle(phase, Outcome.SUCCESS)
            return
        with self._lock:
            if phase is self._phase:
                phase.note(failed=False)
                self._consecutive = 0

    def _settle(self, phase: Phase, outcome: Outcome) -> None:
        transition = None
        with self._lock:
            self._failed_total += outcome is Outcome.FAILURE
            if phase is not self._phase or phase.state is State.DISABLED:
                return
            if outcome is Outcome.NOTHING:
                phase.admitted -= phase.state is State.HALF_OPEN
                return
            failed = outcome is Outcome.FAILURE
            phase.note(failed=failed)
            self._consecutive = self._consecutive + 1 if failed else 0
            if phase.state is State.HALF_OPEN:
                transition = self._after_trial(phase, failed=failed)
            elif failed or self._failure_rate is not None:
                transition = self._after_call(phase)
        if transition is not None:
            self._announce(transition)

    def _after_trial(self, phase: Phase, *, failed: bool) -> Transition | None:
        if failed:
            return self._move(State.OPEN, "a trial call failed")
        if len(phase.outcomes) >= self._half_open_permits:
            return self._move(State.CLOSED, "every trial call succeeded")
        return None

    def _after_call(self, phase: Phase) -> Transition | None:
        if self._failure_threshold is not None and self._consecutive >= self._failure_threshold:
            return self._move(State.OPEN, f"{self._consecutive} failures in a row")
        rate = phase.failure_rate
        if (
            self._failure_rate is not None
            and rate is not None
            and len(phase.outcomes) >= self._minimum_calls
            and rate >= self._failure_rate
        ):
            counts = f"{phase.failures} of the last {len(phase.outcomes)} calls failed"
            return self._move(State.OPEN, counts)
        return None

    def _judge(self, error: BaseException) -> Outcome:
        if not isinstance(error, Exception):
            return Outcome.NOTHING
        try:
            blamed = self._is_failure is None or self._is_failure(error)
        except Exception:
            logger.exception("circuit breaker %s: is_failure failed", self.name)
            blamed = True
        return Outcome.FAILURE if blamed else Outcome.NOTHING

    def _change(self, state: State, reason: str) -> None:
        with self._lock:
            self._consecutive = 0
            transition = self._move(state, reason)
        self._announce(transition)

    def _move(self, state: State, reason: str) -> Transition:
        old = self._phase
        if state is State.CLOSED:
            self._consecutive = 0
        self._phase = phase = self._new_phase(state, generation=old.generation + 1)
        at = datetime.fromtimestamp(phase.since, UTC)
        return Transition(self.name, old.state, state, at, phase.generation, reason)

    def _new_phase(self, state: State, *, generation: int) -> Phase:
        window = self._half_open_permits if state is State.HALF_OPEN else self._window
        return Phase(
            state,
            generation=generation,
            started=self._clock(),
            since=self._wall_clock(),
            window=window,
        )

    def _announce(self, transition: Transition | None) -> None:
        if transition is None or transition.old is transition.new:
            return
        for listener in self._listeners:
            try:
                listener(transition)
            except Exception:
                logger.exception("circuit breaker %s: a listener failed", self.name)

    def _opens_until(self, phase: Phase) -> float:
        return phase.started + self.recovery_timeout

    def _is_stuck(self, now: float) -> bool:
        phase = self._phase
        return (
            phase.state is State.HALF_OPEN
            and phase.admitted >= self._half_open_permits
            and now >= phase.started + self._half_open_max_wait
        )

    def _retry_after(self, phase: Phase) -> float | None:
        if phase.state is not State.OPEN:
            return None
        return max(self._opens_until(phase) - self._clock(), 0.0)


def _check(field: str, holds: bool) -> None:
    if not holds:
        raise ValueError(f"{field} is out of range")
