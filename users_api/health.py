"""`/health`, `/health/ready` and `/health/live`: for load balancers, for the whole portal.

They are public, touch no session and answer within two seconds whatever is down. Live says that
this process answers. Ready says that what is sent to it will be stored and watched.
"""

import time
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from core import broker, clock, ticks
from core.health import CheckResult, Status, board, worst
from core.models import JobSlot, ProcessHeartbeat

TICK_JOB = "slo.evaluate"
TICK_LATE_AFTER = timedelta(minutes=3)
WATCHED_PROCESSES = ("worker",)
# Without a pager nobody is called; it leaves its mark every two seconds.
PAGER_LATE_AFTER = timedelta(seconds=10)
# A chore that fails each time notes it once a minute.
PAGER_FAILS_WITHIN = timedelta(minutes=2)
# What just started has not ticked yet; until then it is not known to be late. A pager that ran before
# is back within seconds.
START_GRACE_S = 180.0
PAGER_GRACE_S = 20.0
_STARTED = time.monotonic()

PROBE_TIMEOUT_S = 1
# A row that never commits: disk, permissions and a read-only replica all show.
PROBE_SQL = (
    "INSERT INTO core_processheartbeat (process, instance, started_at, at, monotonic)"
    " VALUES ('probe', %s, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP, 0)"
)


@login_not_required
@require_safe
def live(_request: HttpRequest) -> HttpResponse:
    """This process answers; nothing else is looked at."""
    return _uncached(JsonResponse({"status": Status.HEALTHY}))


@login_not_required
@require_safe
def ready(_request: HttpRequest) -> HttpResponse:
    """The portal can store and watch: 200, or 503 when a check is critical."""
    return _uncached(_report(clock.now()))


@login_not_required
@require_safe
def summary(_request: HttpRequest) -> HttpResponse:
    """Like `ready`, with the time of the answer and how long this process has been up."""
    now = clock.now()
    uptime_s = round(time.monotonic() - _STARTED)
    return _uncached(_report(now, generated_at=now.isoformat(), uptime_s=uptime_s))


VIEWS: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/health": summary,
    "/health/ready": ready,
    "/health/live": live,
}
"""What `HealthMiddleware` answers, by path."""


def check_database(_now: datetime) -> CheckResult:
    """Write a row and roll it back, over a connection of its own that gives up within a second."""
    connection = _impatient_connection()
    started = time.monotonic()
    try:
        connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        with connection.cursor() as cursor:
            cursor.execute(PROBE_SQL, [ticks.instance_name()])
        connection.rollback()
    except (DatabaseError, InterfaceError) as error:
        return CheckResult(Status.CRITICAL, f"not writable: {type(error).__name__}")
    finally:
        connection.close()
    return CheckResult(Status.HEALTHY, f"writable in {_ms_since(started)} ms")


def check_broker(_now: datetime) -> CheckResult:
    """See that the broker takes messages. Without it evaluations wait; intake and pages go on."""
    if settings.FILE_BROKER:
        return CheckResult(Status.HEALTHY, "messages go through files")
    started = time.monotonic()
    try:
        refused = broker.refusal(settings.CELERY_BROKER_URL, timeout_s=PROBE_TIMEOUT_S)
    except OSError:
        waiting = "unreachable: evaluations wait, pages and intake go on"
        return CheckResult(Status.DEGRADED, waiting)
    if refused:
        waiting = f"refuses messages ({refused}): evaluations wait, pages and intake go on"
        return CheckResult(Status.DEGRADED, waiting)
    return CheckResult(Status.HEALTHY, f"reachable in {_ms_since(started)} ms")


def check_ticks(now: datetime) -> CheckResult:
    """See that objectives were evaluated lately and that a worker lives.

    Without either, what is sent here is stored and people are called all the same: it is degraded.
    """
    slot = JobSlot.objects.filter(job=TICK_JOB).order_by("-slot").values_list("slot", flat=True)
    late = [_lateness(TICK_JOB, slot.first(), now)]
    late += [
        _lateness(
            process, ProcessHeartbeat.objects.latest_at(process, until=now + TICK_LATE_AFTER), now
        )
        for process in WATCHED_PROCESSES
    ]
    found = [sentence for sentence in late if sentence]
    if not found:
        return CheckResult(Status.HEALTHY, "on time")
    if time.monotonic() - _STARTED < START_GRACE_S:
        return CheckResult(Status.HEALTHY, f"starting; {'; '.join(found)}")
    said = f"{'; '.join(found)}: evaluations wait, pages and intake go on"
    return CheckResult(Status.DEGRADED, said)


def check_pager(now: datetime) -> CheckResult:
    """See that a pager looks for whom to call."""
    last = ProcessHeartbeat.objects.latest_at("pager", until=now + PAGER_LATE_AFTER)
    if last is not None and now - last <= PAGER_LATE_AFTER:
        return _chores_of_pager(now)
    said = f"pager ran last {int((now - last).total_seconds())} s ago" if last else "no pager yet"
    if time.monotonic() - _STARTED < (PAGER_GRACE_S if last else START_GRACE_S):
        return CheckResult(Status.HEALTHY, f"starting; {said}")
    return CheckResult(Status.CRITICAL, f"{said}: nobody is called")


def _chores_of_pager(now: datetime) -> CheckResult:
    """Tell of chores that fail again and again: the others are done, and pages go out."""
    failing = ticks.failures("pager.", since=now - PAGER_FAILS_WITHIN)
    if not failing:
        return CheckResult(Status.HEALTHY, "looks for whom to call")
    named = ", ".join(f"{job.partition('.')[2]} ({error})" for job, error in failing.items())
    return CheckResult(
        Status.DEGRADED, f"looks for whom to call, but fails at: {named}; see its log"
    )


def _lateness(name: str, last: datetime | None, now: datetime) -> str:
    if last is None:
        return f"{name} has not run yet"
    if now - last > TICK_LATE_AFTER:
        return f"{name} ran last {int((now - last).total_seconds())} s ago"
    return ""


def _report(now: datetime, **more: Any) -> JsonResponse:
    results = board.results(now)
    status = worst(results)
    checks = {
        name: {"status": result.status, "detail": result.detail}
        for name, result in sorted(results.items())
    }
    code = 503 if status is Status.CRITICAL else 200
    return JsonResponse({"status": status, **more, "checks": checks}, status=code)


def _uncached(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response


def _impatient_connection() -> BaseDatabaseWrapper:
    configured: dict[str, Any] = deepcopy(connections["default"].settings_dict)
    options = configured.setdefault("OPTIONS", {})
    if connections["default"].vendor == "sqlite":
        options["timeout"] = PROBE_TIMEOUT_S
        options.pop("init_command", None)
    else:
        wait_ms = 1000 * PROBE_TIMEOUT_S
        options["connect_timeout"] = PROBE_TIMEOUT_S
        options["options"] = f"-c statement_timeout={wait_ms} -c lock_timeout={wait_ms}"
    backend = load_backend(configured["ENGINE"])
    connection: BaseDatabaseWrapper = backend.DatabaseWrapper(configured, "default")
    return connection


def _ms_since(started: float) -> int:
    return round(1000 * (time.monotonic() - started))
