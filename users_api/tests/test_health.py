"""The portal's health, as load balancers see it."""

import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.test import Client
from pytest_django.fixtures import Settings

from core import health as core_health
from core import ticks
from core.health import CheckResult, Status, board
from core.models import JobSlot, ProcessHeartbeat
from users_api import health

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DOWN = CheckResult(Status.CRITICAL, "not writable: OperationalError")


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Answers of other tests are not reused."""
    board._fresh_until = float("-inf")


@pytest.fixture
def long_running(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start of this process is long ago."""
    monkeypatch.setattr(health, "_STARTED", time.monotonic() - 3600)


@pytest.fixture
def unreachable_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread of this process can open a connection."""
    for connection in connections.all(initialized_only=True):
        connection.close()

    def refuse(*_args: Any) -> None:
        raise OperationalError("connection refused: host=db.internal user=portal")

    backend = type(connections["default"])
    monkeypatch.setattr(backend, "get_new_connection", refuse)
    monkeypatch.setattr(backend, "ensure_connection", refuse)


def tick(at: datetime) -> None:
    """An evaluation and a worker's sign of life at `at`."""
    JobSlot.objects.create(job="slo.evaluate", slot=at, started_at=at)
    ticks.beat("worker", now=at)
    ticks.beat("pager", now=at)


def test_live_looks_at_nothing(client: Client, unreachable_database: None) -> None:
    """A process that answers is alive, whatever it depends on."""
    client.cookies["sessionid"] = "s" * 32
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_database_down_is_critical_in_time(
    client: Client, unreachable_database: None, path: str
) -> None:
    """503 within two seconds, without a word about hosts or users, also with a session cookie."""
    client.cookies["sessionid"] = "s" * 32
    started = time.monotonic()
    answer = client.get(path)
    assert time.monotonic() - started < 2
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == {"status": DOWN.status, "detail": DOWN.detail}
    assert b"internal" not in answer.content


def test_database_that_takes_writes_is_healthy() -> None:
    """A row is written, and gone again."""
    assert health.check_database(NOON).status is Status.HEALTHY
    assert not ProcessHeartbeat.objects.exists()


def test_broker_down_only_degrades(settings: Settings) -> None:
    """Pages need no broker, so the portal stays in service without one."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{unused.getsockname()[1]}/0"
        result = health.check_broker(NOON)
    assert result.status is Status.DEGRADED


def test_broker_that_never_answers_only_degrades(client: Client, settings: Settings) -> None:
    """A broker that accepts and is silent costs two seconds at most, and no readiness."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        started = time.monotonic()
        answer = client.get("/health/ready")
        assert time.monotonic() - started < 2
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["broker"]["status"] == "degraded"


def test_broker_that_takes_no_messages_only_degrades(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is full, or was made a replica, answers; it is of as little use."""
    settings.CELERY_BROKER_URL = "redis://127.0.0.1/0"
    monkeypatch.setattr("core.broker.refusal", lambda _url, *, timeout_s: "OOM")
    result = health.check_broker(NOON)
    assert result.status is Status.DEGRADED
    assert result.detail == ("refuses messages (OOM): evaluations wait, pages and intake go on")


@pytest.mark.parametrize(
    ("age", "status"),
    [(timedelta(minutes=3), Status.HEALTHY), (timedelta(minutes=3, seconds=1), Status.DEGRADED)],
)
def test_ticks_are_late_after_three_minutes(
    long_running: None, age: timedelta, status: Status
) -> None:
    """Objectives that are not evaluated are not watched; what is sent here is stored all the same."""
    tick(NOON - age)
    assert health.check_ticks(NOON).status is status


def test_a_worker_that_gives_a_sign_meanwhile_is_on_time(long_running: None) -> None:
    """A sign that is some milliseconds younger than the question hides no process."""
    tick(NOON)
    ProcessHeartbeat.objects.update(at=NOON + timedelta(milliseconds=5))
    assert health.check_ticks(NOON).status is Status.HEALTHY


def test_missing_worker_is_named(long_running: None) -> None:
    """The detail says which process to look for."""
    JobSlot.objects.create(job="slo.evaluate", slot=NOON, started_at=NOON)
    result = health.check_ticks(NOON)
    said = "worker has not run yet: evaluations wait, pages and intake go on"
    assert (result.status, result.detail) == (Status.DEGRADED, said)


def test_first_start_has_time_for_its_first_tick() -> None:
    """A process that has just begun is not called late."""
    result = health.check_ticks(NOON)
    assert result.status is Status.HEALTHY
    assert "starting" in result.detail


@pytest.fixture
def own_board() -> core_health.HealthBoard:
    """A board with short deadlines and no checks."""
    return core_health.HealthBoard(deadline_s=0.2, keep_s=60)


def test_hanging_check_is_critical_and_started_once(own_board: core_health.HealthBoard) -> None:
    """A check without an answer costs the deadline and one thread, however often it is asked."""
    calls: list[datetime] = []

    def hang(now: datetime) -> CheckResult:
        calls.append(now)
        time.sleep(1)
        return CheckResult(Status.HEALTHY, "at last")

    own_board.register("slow", hang)
    assert own_board.results(NOON)["slow"].status is Status.CRITICAL
    own_board._fresh_until = float("-inf")
    assert own_board.results(NOON)["slow"].detail == "no answer within 0.2 s"
    assert len(calls) == 1


def test_failing_check_is_critical_without_its_message(
    own_board: core_health.HealthBoard,
) -> None:
    """An exception's text may hold a secret; its type does not."""

    def leak(_now: datetime) -> CheckResult:
        raise ValueError("password=hunter2")

    own_board.register("leak", leak)
    assert own_board.results(NOON)["leak"] == CheckResult(Status.CRITICAL, "failed: ValueError")


def test_answers_are_shared_for_a_while(own_board: core_health.HealthBoard) -> None:
    """Asking often costs no more than asking once; a new check is seen at once."""
    calls: list[datetime] = []

    def count(now: datetime) -> CheckResult:
        calls.append(now)
        return CheckResult(Status.DEGRADED, "so-so")

    own_board.register("count", count)
    results = [own_board.results(NOON) for _ in range(5)]
    assert len(calls) == 1
    assert core_health.worst(results[0]) is Status.DEGRADED
    own_board.register("other", count)
    assert set(own_board.results(NOON)) == {"count", "other"}
    assert core_health.worst({}) is Status.HEALTHY


@pytest.mark.django_db
def test_pager_is_late_after_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is called without one, so the portal is not ready; what just started is given time."""
    assert health.check_pager(NOON).status is Status.HEALTHY
    monkeypatch.setattr(health, "_STARTED", health._STARTED - 181)
    assert health.check_pager(NOON).detail == "no pager yet: nobody is called"
    ticks.beat("pager", now=NOON)
    assert health.check_pager(NOON + timedelta(seconds=10)).status is Status.HEALTHY
    late = health.check_pager(NOON + timedelta(seconds=11))
    assert (late.status, late.detail) == (
        Status.CRITICAL,
        "pager ran last 11 s ago: nobody is called",
    )


@pytest.mark.django_db
def test_who_ran_before_is_late_although_this_process_has_just_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A web process that is started again hides nothing: a pager is back within seconds."""
    ticks.beat("pager", now=NOON - timedelta(hours=2))
    monkeypatch.setattr(health, "_STARTED", time.monotonic())
    assert health.check_pager(NOON).status is Status.HEALTHY
    monkeypatch.setattr(health, "_STARTED", time.monotonic() - 21)
    assert health.check_pager(NOON).status is Status.CRITICAL


@pytest.mark.django_db
def test_a_sign_of_life_from_later_than_now_is_none(long_running: None) -> None:
    """By a clock that was fast: it would hide for an hour that the pager is dead."""
    ticks.beat("pager", now=NOON + timedelta(hours=1))
    assert health.check_pager(NOON).status is Status.CRITICAL
    assert health.check_pager(NOON + timedelta(minutes=30)).status is Status.CRITICAL
