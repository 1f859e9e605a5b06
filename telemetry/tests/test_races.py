"""Compactors that meet, or die halfway."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, connections, transaction

from catalog.models import Service
from core.bulk import insert_together
from telemetry import queries
from telemetry.models import (
    CoveredMinute,
    DirtyMinute,
    MinuteCount,
    Series,
    ServiceTelemetry,
    TelemetryDelta,
)
from telemetry.services import compaction, ingest
from telemetry.tests.builders import MINUTE, NOW, event, make_service, minute

pytestmark = pytest.mark.django_db(transaction=True)
BATCHES = 60
EACH = 7
CONNECT = """
import sys, time, django
django.setup()
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
from core import clock
from telemetry.models import MinuteCount
from telemetry.services import compaction
"""
# Stops between adding and the end of the transaction, says so, and waits to be killed.
HANG = f"""{CONNECT}
def hang(*args, **kwargs):
    print("added", flush=True)
    time.sleep(60)
compaction.insert_together = hang
compaction.compact(now=clock.now())
"""
FINISH = f"""{CONNECT}
while compaction.compact(now=clock.now()): pass
print(sum(MinuteCount.objects.values_list("count", flat=True)))
"""


@pytest.fixture
def service() -> Service:
    """The service of all batches."""
    return make_service()


def _store_batches() -> None:
    for _ in range(BATCHES):
        ingest.store_batch([event()] * EACH, now=NOW)


def _total(service: Service) -> int:
    return sum(row.count for row in queries.counts([service.pk], minute(1), NOW + MINUTE))


def _compact_until_empty(_: int) -> None:
    try:
        while TelemetryDelta.objects.exists():
            compaction.compact(now=NOW, limit=5)
    finally:
        connections.close_all()


def test_compactors_at_the_same_time_count_each_batch_once(service: Service) -> None:
    """Two workers may have the same tick; no batch is lost or doubled."""
    _store_batches()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(_compact_until_empty, range(3)))
    assert _total(service) == BATCHES * EACH
    assert not TelemetryDelta.objects.exists()


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The name under which another process finds the rows of this test."""
    if connection.vendor == "postgresql":
        return str(connection.settings_dict["NAME"])
    copy = str(tmp_path / "copy.sqlite3")  # the tests' own is in memory
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [copy])
    return copy


def _process(script: str, database: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, database],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "sreportal.settings"},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def waiting_batches(service: Service) -> None:
    """Batches that no compactor has taken yet."""
    _store_batches()


def test_a_killed_compactor_leaves_everything_to_the_next(
    waiting_batches: None, database: str
) -> None:
    """Killed after adding and before the commit, its batches count exactly once."""
    with _process(HANG, database) as hanging:
        assert hanging.stdout is not None
        assert hanging.stdout.readline() == "added\n"
        hanging.kill()
    with _process(FINISH, database) as next_one:
        assert next_one.communicate(timeout=60)[0] == f"{BATCHES * EACH}\n"


def test_a_key_used_by_two_requests_at_once_stores_one_batch(service: Service) -> None:
    """A sender that times out and retries while the first request still runs counts once."""

    def send(_: int) -> ingest.Answer:
        try:
            body = b'[{"service":"users-api","endpoint":"/","status":200,"duration_ms":1}]'
            return ingest.store_body(body, now=NOW, key="k-1")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4)))
    assert [answer.accepted for answer in answers] == [1, 1, 1, 1]
    assert sum(not answer.is_replay for answer in answers) == 1
    assert TelemetryDelta.objects.count() == 1


def test_batches_that_arrive_at_once_are_all_stored(service: Service) -> None:
    """Whoever commits for others commits all of them, and each is there when it is answered."""

    def send(_: int) -> int:
        try:
            for _ in range(10):
                ingest.store_batch([event()], now=NOW)
            return 10
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        answered = sum(pool.map(send, range(6)))
    assert TelemetryDelta.objects.count() == answered


@pytest.mark.skipif(settings.EMBEDDED_DATABASE, reason="SQLite has one writer at a time")
def test_a_service_deleted_during_a_merge_leaves_no_counts(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The merge holds its services: deleting one waits, and then takes what was merged with it."""
    _store_batches()
    added, go_on = threading.Event(), threading.Event()

    def wait(*args: Any, **kwargs: Any) -> None:
        added.set()
        assert go_on.wait(20)
        insert_together(*args, **kwargs)

    def delete() -> bool:
        try:
            with transaction.atomic():
                Service.objects.get(pk=service.pk).delete()
        except IntegrityError:
            return False
        finally:
            connections.close_all()
        return True

    monkeypatch.setattr(compaction, "insert_together", wait)
    with ThreadPoolExecutor(2) as threads:
        merging = threads.submit(_compact_until_empty, 0)
        assert added.wait(20)
        deleting = threads.submit(delete)
        while not _is_waiting_for_a_lock():
            assert not deleting.done()
        go_on.set()
        merging.result(20)
        is_gone = deleting.result(20)
    assert Service.objects.filter(pk=service.pk).exists() is not is_gone
    if is_gone:
        assert not MinuteCount.objects.exists()
    else:
        assert _total(service) == BATCHES * EACH


def test_without_its_service_no_count_is_left(service: Service) -> None:
    """Also where it is deleted by SQL, which knows nothing of what refers to it."""
    _store_batches()
    _compact_until_empty(0)
    assert MinuteCount.objects.exists()
    for model in (DirtyMinute, CoveredMinute, Series, ServiceTelemetry):
        model.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM catalog_service WHERE id = %s", [service.pk])
    assert not MinuteCount.objects.exists()


def _is_waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])
