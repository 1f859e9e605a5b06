"""Report what this process has counted to a portal, in the background.

    reporter = Reporter(
        sli_calculator, service="users-api", portal_url="https://sre.example.org", token=token
    )
    reporter.start()

or, with SRE_PORTAL_URL, SRE_PORTAL_TOKEN and SRE_SERVICE in the environment,
`start_from_env()`.

A daemon thread sends what has been added since the last report. A report that
was not acknowledged is sent again unchanged under the same idempotency key, so
the portal can tell a repetition from news; meanwhile new counts merge inside the
calculator, whose limits bound the backlog. Nothing here blocks or breaks a
request, and a forked child reports for itself.
"""

import atexit
import logging
import os
import random
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sre.delivery import HttpDelivery, RefusedError, UndeliveredError
from sre.report import FreshnessCounts, Report, RequestCounts
from sre.slo_sli import Drained, SliCalculator, sli_calculator
from sre.validation import minute_of

__all__ = [
    "FreshnessCounts",
    "Report",
    "Reporter",
    "ReporterStatus",
    "RequestCounts",
    "start_from_env",
]

logger = logging.getLogger(__name__)

DELIVERY_TIMEOUT_S = 10.0
EXIT_TIMEOUT_S = 2.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
COVERED_MINUTES_KEPT = 7 * 24 * 60
"""An outage of the portal longer than a week leaves a gap rather than an endless list."""


@dataclass(frozen=True, slots=True)
class ReporterStatus:
    """How a reporter is getting on.

    Attributes:
        is_running: Whether its thread lives in this process.
        delivered: Reports accepted.
        refused: Reports the portal refused for good; their counts are lost.
        rejected: Rows the portal left out of reports it accepted, for instance for
            being too old; its answers name them.
        dropped: Requests lost with a refused report, or because the backlog outgrew
            the calculator's limits.
        failures: Attempts that failed since the last success.
        last_error: Why the last attempt failed, None after a success.
    """

    is_running: bool
    delivered: int
    refused: int
    rejected: int
    dropped: int
    failures: int
    last_error: str | None


class Reporter:
    """Hands what a calculator counts to a portal, every few seconds.

    Args:
        calculator: Whose counts to report.
        service: Slug of the service in the portal.
        portal_url: Where the portal is; not with `sink`.
        token: API token with the scope `ingest`; not with `sink`.
        interval_s: Seconds between reports.
        sink: Takes each report inside this process instead of a portal. When it
            raises, it must have taken nothing: the same report comes again.
        collectors: Called before each report in the reporter's thread, for
            instance to record freshness.
        max_rows: Rows of either kind per report.
        clock: Seconds since the epoch.

    Raises:
        ValueError: If neither or both of portal and sink are given, or one is unusable.
    """

    def __init__(
        self,
        calculator: SliCalculator = sli_calculator,
        *,
        service: str,
        portal_url: str | None = None,
        token: str | None = None,
        interval_s: float = 5.0,
        sink: Callable[[Report], None] | None = None,
        collectors: Iterable[Callable[[], None]] = (),
        max_rows: int = 2000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not service:
            raise ValueError("service must not be empty")
        if not 0 < interval_s <= 30:
            raise ValueError("interval_s must lie in (0, 30], or minutes would go uncovered")
        self._calculator = calculator
        self._service = service
        self._interval_s = interval_s
        self._deliver = _delivery(portal_url, token, sink)
        self._collectors = tuple(collectors)
        self._max_rows = max_rows
        self._clock = clock
        self._is_armed = False
        self._begin()
        calculator.on_first_record(self._ensure_running)
        atexit.register(_flush_at_exit, weakref.ref(self))
        _living.add(self)

    def _begin(self) -> None:
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._delivering = threading.Lock()
        self._thread: threading.Thread | None = None
        self._alive: set[int] = set()
        self._in_flight: Report | None = None
        self._retry_at = 0.0
        self._finish_by = 0.0
        self._is_finished = False
        self._delivered = self._refused = self._rejected = self._dropped = self._failures = 0
        self._last_error: str | None = None
        self._id = f"{socket.gethostname()}:{os.getpid()}:{int(self._clock())}"

    def start(self, *, lazy: bool = False) -> None:
        """Report from now on, in this process and in those forked from it.

        A forked child begins when it records its first request.

        Args:
            lazy: Begin here, too, only with the first request. For a server that
                loads the application and then forks: its parent serves nobody.
        """
        self._is_armed = True
        if not lazy:
            self._ensure_running()

    def stop(self, timeout_s: float = EXIT_TIMEOUT_S) -> bool:
        """Report a last time and end the thread; return whether all was delivered."""
        self._is_armed = False
        thread, self._thread = self._thread, None
        if thread is None or not thread.is_alive():
            return self.flush(timeout_s)
        # The thread itself says the last words: it can be left behind when they take too long,
        # as name resolution may, which knows no timeout.
        self._is_finished = False
        self._finish_by = time.monotonic() + timeout_s
        self._stopping.set()
        thread.join(timeout_s)
        return self._is_finished

    def flush(self, timeout_s: float = DELIVERY_TIMEOUT_S) -> bool:
        """Report now, in this thread, and return whether all was delivered."""
        deadline = time.monotonic() + timeout_s
        if not self._delivering.acquire(timeout=timeout_s):
            return False
        try:
            self._collect()
            return self._deliver_backlog(deadline)
        finally:
            self._delivering.release()

    def status(self) -> ReporterStatus:
        """Return how reporting is getting on in this process."""
        thread = self._thread
        return ReporterStatus(
            is_running=thread is not None and thread.is_alive(),
            delivered=self._delivered,
            refused=self._refused,
            rejected=self._rejected,
            dropped=self._dropped,
            failures=self._failures,
            last_error=self._last_error,
        )

    def _ensure_running(self) -> None:
        if not self._is_armed or self._thread is not None:
            return
        with self._starting:
            if self._thread is not None:
                return
            # An event of its own: a thread that was left behind must not take heart again.
            self._stopping = threading.Event()
            thread = threading.Thread(
                target=self._run, args=(self._stopping,), name="sre-reporter", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                logger.warning("no reporter thread can be started any more")
            else:
                self._thread = thread
                _flush_when_worker_ends(self)

    def _run(self, stopping: threading.Event) -> None:
        self._alive.add(self._minute())
        while not stopping.wait(self._interval_s):
            try:
                self._tick()
            except Exception:
                logger.exception("reporting failed")
        try:
            self._is_finished = self.flush(max(self._finish_by - time.monotonic(), 0.0))
        except Exception:
            logger.exception("the last report failed")

    def _tick(self) -> None:
        with self._delivering:
            self._collect()
            if time.monotonic() >= self._retry_at:
                self._deliver_backlog(time.monotonic() + DELIVERY_TIMEOUT_S)

    def _collect(self) -> None:
        self._alive.add(self._minute())
        for collect in self._collectors:
            try:
                collect()
            except Exception:
                logger.exception("a collector failed")

    def _deliver_backlog(self, deadline: float) -> bool:
        if self._in_flight is not None and not self._attempt(self._in_flight, deadline):
            return False
        while True:
            report = self._in_flight = self._next_report()
            if report is None:
                return True
            if not self._attempt(report, deadline):
                return False
            # Requests keep coming, so "nothing left" might never be true.
            if max(len(report.requests), len(report.freshness)) < self._max_rows:
                self._in_flight = None
                return True

    def _attempt(self, report: Report, deadline: float) -> bool:
        try:
            rejected = self._deliver(report, max(deadline - time.monotonic(), 0.001))
        except RefusedError as error:
            self._refused += 1
            self._dropped += sum(counts.count for counts in report.requests)
            self._last_error = str(error)
            logger.error("a report was refused and is lost: %s", error)  # noqa: TRY400
            return True
        except Exception as error:  # noqa: BLE001 - whatever a sink raises, the report is kept
            self._postpone(error)
            return False
        if self._failures:
            logger.info("reporting works again after %s failed attempts", self._failures)
        if rejected:
            logger.warning("the portal left %s rows out of a report", rejected)
            self._rejected += rejected
        self._delivered += 1
        self._failures = 0
        self._last_error = None
        return True

    def _postpone(self, error: Exception) -> None:
        self._failures += 1
        self._last_error = str(error) or type(error).__name__
        pause = min(FIRST_PAUSE_S * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE_S)
        asked = error.retry_after if isinstance(error, UndeliveredError) else None
        wait = max(pause * random.uniform(0.5, 1), min(asked or 0.0, LONGEST_PAUSE_S))  # noqa: S311
        self._retry_at = time.monotonic() + wait
        if self._failures == 1:
            logger.warning("report kept for later: %s", self._last_error)

    def _next_report(self) -> Report | None:
        drained = self._calculator.drain(self._max_rows)
        covers = self._covered(drained)
        if not drained and not covers:
            return None
        return Report.of(
            drained,
            service=self._service,
            reporter=self._id,
            covers=covers,
            bounds_ms=self._calculator.bounds_ms,
            age_bounds_s=self._calculator.age_bounds_s,
        )

    def _covered(self, drained: Drained) -> tuple[int, ...]:
        """Return the minutes that are complete so far; none while a backlog is left."""
        lost = self._calculator.take_overflow()
        self._dropped += sum(lost.values())
        self._alive.difference_update(lost)
        if max(len(drained.requests), len(drained.freshness)) >= self._max_rows:
            return ()
        minutes, self._alive = self._alive, set()
        return tuple(sorted(minutes)[-COVERED_MINUTES_KEPT:])

    def _minute(self) -> int:
        return minute_of(self._clock())


def start_from_env(
    calculator: SliCalculator = sli_calculator, *, collectors: Iterable[Callable[[], None]] = ()
) -> Reporter | None:
    """Start reporting if the environment says where, or return None.

    Reads SRE_PORTAL_URL, SRE_PORTAL_TOKEN and SRE_SERVICE, and begins with the
    first request of each process.

    Raises:
        ValueError: If a variable is set to something unusable.
    """
    url = os.environ.get("SRE_PORTAL_URL")
    token = os.environ.get("SRE_PORTAL_TOKEN")
    service = os.environ.get("SRE_SERVICE")
    if not (url and token and service):
        return None
    reporter = Reporter(
        calculator, service=service, portal_url=url, token=token, collectors=collectors
    )
    reporter.start(lazy=True)
    return reporter


def _delivery(
    portal_url: str | None, token: str | None, sink: Callable[[Report], None] | None
) -> Callable[[Report, float], int]:
    if sink is not None and portal_url is None:
        return _into(sink)
    if sink is not None or portal_url is None or token is None:
        raise ValueError("give either portal_url and token, or a sink")
    portal = HttpDelivery(portal_url, token)
    return lambda report, timeout_s: portal.deliver(
        report.to_json(), key=report.key, timeout_s=timeout_s
    )


def _into(sink: Callable[[Report], None]) -> Callable[[Report, float], int]:
    def deliver(report: Report, _timeout_s: float) -> int:
        sink(report)
        return 0

    return deliver


_living: "weakref.WeakSet[Reporter]" = weakref.WeakSet()


def _begin_anew_in_child() -> None:
    # Threads do not survive a fork, and what the parent holds the parent reports.
    for reporter in list(_living):
        reporter._begin()


def _flush_at_exit(reference: "weakref.ref[Reporter]") -> None:
    reporter = reference()
    if reporter is not None and reporter._thread is not None:
        reporter.stop(EXIT_TIMEOUT_S)


def _flush_when_worker_ends(reporter: Reporter) -> None:
    # Children of multiprocessing end by `os._exit`, which passes over atexit; it runs its own
    # finalizers before. A program without it need not load it.
    process = sys.modules.get("multiprocessing.process")
    util = sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, _flush_at_exit, args=(weakref.ref(reporter),), exitpriority=0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_in_child)
