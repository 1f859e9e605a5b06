"""Is this portal fit to serve: named checks, run side by side under one deadline.

An app registers its check in `AppConfig.ready()`; `/health` shows them all. Whoever asks gets an
answer in time even if a check never returns, and asking often costs nothing: answers are kept for
a second.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog
from django.db import connections

__all__ = ["CheckResult", "HealthBoard", "Status", "board", "register_check", "worst"]

log = structlog.get_logger(__name__)


class Status(StrEnum):
    """How well something works, from best to worst."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found; `detail` is public, so it names no host, user or secret."""

    status: Status
    detail: str


Check = Callable[[datetime], CheckResult]


class HealthBoard:
    """A set of checks and their latest answers.

    Args:
        deadline_s: How long checks are waited for.
        keep_s: How long answers are reused.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        deadline_s: float = 1.5,
        keep_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deadline_s = deadline_s
        self._keep_s = keep_s
        self._clock = clock
        self._checks: dict[str, Check] = {}
        self._silence: dict[str, Status] = {}
        self._running: dict[str, _Run] = {}
        self._lock = threading.Lock()
        self._results: dict[str, CheckResult] = {}
        self._fresh_until = float("-inf")

    def register(self, name: str, check: Check, *, silence: Status = Status.CRITICAL) -> None:
        """Add a check, or replace the one of this name.

        Args:
            name: Shown to whoever asks.
            check: Called in a thread of its own.
            silence: What it means when it has no answer by the deadline.
        """
        with self._lock:
            self._checks[name] = check
            self._silence[name] = silence
            self._fresh_until = float("-inf")

    def results(self, now: datetime) -> dict[str, CheckResult]:
        """Return what every check says; those that ask at the same time share one run.

        Args:
            now: Passed to the checks.
        """
        with self._lock:
            if self._clock() >= self._fresh_until:
                self._results = self._run_all(now)
                self._fresh_until = self._clock() + self._keep_s
            return self._results

    def _run_all(self, now: datetime) -> dict[str, CheckResult]:
        until = time.monotonic() + self._deadline_s
        for name, check in self._checks.items():
            previous = self._running.get(name)
            # A check that hangs keeps its one thread; starting more would only pile them up.
            if previous is None or not previous.is_alive():
                self._running[name] = run = _Run(name, check, now)
                run.start()
        for name in self._checks:
            self._running[name].join(max(0.0, until - time.monotonic()))
        return {name: self._running[name].result or self._late(name) for name in self._checks}

    def _late(self, name: str) -> CheckResult:
        return CheckResult(self._silence[name], f"no answer within {self._deadline_s:g} s")


class _Run(threading.Thread):
    """One run of one check; a daemon, so that a hanging one does not keep the process alive."""

    def __init__(self, name: str, check: Check, now: datetime) -> None:
        super().__init__(name=f"health-{name}", daemon=True)
        self._check = check
        self._now = now
        self.result: CheckResult | None = None

    def run(self) -> None:
        try:
            self.result = self._check(self._now)
        except Exception as error:  # noqa: BLE001 whatever it is, the portal is not well
            log.warning("health_check_failed", check=self.name, error=str(error))
            self.result = CheckResult(Status.CRITICAL, f"failed: {type(error).__name__}")
        finally:
            connections.close_all()


def worst(results: dict[str, CheckResult]) -> Status:
    """Return the worst status; healthy without any check."""
    order = list(Status)
    return max((result.status for result in results.values()), key=order.index, default=order[0])


board = HealthBoard()
"""The checks of this process."""


def register_check(name: str, check: Check, *, silence: Status = Status.CRITICAL) -> None:
    """Show `check` on `/health` and `/health/ready` of this process; see `HealthBoard.register`."""
    board.register(name, check, silence=silence)
