"""What `manage.py doctor` looks at: each finding says what was seen, and whether that is well."""

import importlib.metadata
import os
import platform
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import ERROR, run_checks
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from kombu.connection import Connection
from kombu.exceptions import KombuError

from core import broker, mail, sealed
from core.models import JobSlot, ProcessHeartbeat
from core.rotation import rotate
from incidents.domain.lifecycle import OPEN
from incidents.models import EscalationRun, Incident
from incidents.services.auditor import overdue_pages
from users_api.health import PAGER_LATE_AFTER, PROBE_SQL

PACKAGES = ("Django", "djangorestframework", "celery", "kombu", "gunicorn", "redis")
PROCESSES = ("web", "pager", "worker", "beat")
ALIVE_WITHIN = {"pager": PAGER_LATE_AFTER}
OTHERS_ALIVE_WITHIN = timedelta(seconds=60)
CLOCK_MAY_DIFFER = timedelta(seconds=2)
LEAST_FREE_BYTES = 500 * 1024 * 1024
# Answers kept for a day, as many as were asked for: nobody misses one.
SHORT_LIVED = {"core.KeptAnswer"}


class Verdict(StrEnum):
    """How a finding is to be read; only `wrong` makes the command fail."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"
    BLIND = "blind"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        name: What it is about.
        verdict: Whether it is well; `blind` where nothing could be seen.
        detail: What was seen, and what to do when it is not well.
    """

    name: str
    verdict: Verdict
    detail: str


def examine(*, now: datetime) -> list[Finding]:
    """Look at everything; one part that fails does not hide the others."""
    began = time.monotonic()

    def passed() -> datetime:
        return now + timedelta(seconds=time.monotonic() - began)

    found = [*_versions(), *_settings(), *_data_folder()]
    database = _guarded("database", _database)
    found += database
    found += _broker()
    if any(f.verdict is Verdict.WRONG and f.name == "database" for f in database):
        found.append(
            Finding("processes", Verdict.BLIND, "Their signs of life are in the database.")
        )
    else:
        found += _guarded("database", _writing)
        found += _guarded("clock", lambda: list(_clock(passed())))
        found += _guarded("processes", lambda: [*_processes(passed()), *_ticks(passed())])
        found += _guarded("paging", lambda: [_paging(passed())])
        found += _guarded("encryption", lambda: [_encryption(now)])
    return [*found, *_blind_spots()]


def _guarded(name: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return look()
    except DatabaseError as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return [Finding(name, Verdict.WRONG, f"The database refuses: {reason}")]


def _versions() -> Iterator[Finding]:
    installed = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    yield Finding("versions", Verdict.OK, f"Python {platform.python_version()}, {installed}")


def _settings() -> Iterator[Finding]:
    kind = "embedded" if settings.EMBEDDED else "production"
    yield Finding("settings", Verdict.OK, f"{kind}, served as {settings.PORTAL_URL}")
    for message in run_checks(include_deployment_checks=settings.HTTPS):
        verdict = Verdict.WRONG if message.level >= ERROR else Verdict.NOTE
        hint = f" {message.hint}" if message.hint else ""
        yield Finding(str(message.id), verdict, f"{message.msg}{hint}")


def _data_folder() -> Iterator[Finding]:
    folder = Path(settings.DATA_DIR)
    if not os.access(folder, os.W_OK):
        yield Finding("data folder", Verdict.WRONG, f"{folder} cannot be written to.")
        return
    free = shutil.disk_usage(folder).free
    detail = f"{folder}, {free // 1024**2} MiB free"
    yield Finding("data folder", Verdict.OK if free > LEAST_FREE_BYTES else Verdict.WRONG, detail)


def _database() -> list[Finding]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            mode = cursor.execute("PRAGMA journal_mode").fetchone()[0].upper()
            version = f"SQLite {sqlite3.sqlite_version}, journal mode {mode}"
            right = mode == settings.SQLITE_JOURNAL_MODE
        else:
            cursor.execute("SHOW server_version")
            version = f"PostgreSQL {cursor.fetchone()[0]}"
            right = True
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    found = [Finding("database", Verdict.OK, version)]
    if not right:
        wanted = f"Journal mode should be {settings.SQLITE_JOURNAL_MODE}: restart the portal."
        found.append(Finding("journal mode", Verdict.NOTE, wanted))
    if missing:
        detail = f"{missing} migrations are not applied: run `manage.py migrate`."
        found.append(Finding("migrations", Verdict.WRONG, detail))
    return found


def _writing() -> list[Finding]:
    """Write a row that never commits: a full disk and a read-only server show."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(PROBE_SQL, [f"doctor:{os.getpid()}"])
        transaction.set_rollback(True)
    return []


def _paging(now: datetime) -> Finding:
    """See whether people are called as they should be."""
    aside = EscalationRun.objects.filter(
        state=EscalationRun.State.QUARANTINED, incident__status__in=OPEN
    )
    troubles = {
        "pages overdue": overdue_pages(now=now),
        "escalations set aside": aside.count(),
        "open incidents of which somebody could not be reached": Incident.objects.filter(
            status__in=OPEN
        )
        .exclude(unreached="")
        .count(),
    }
    said = ", ".join(f"{count} {what}" for what, count in troubles.items() if count)
    if said:
        return Finding("paging", Verdict.WRONG, f"{said}: look at the list of incidents.")
    return Finding("paging", Verdict.OK, "Nothing is overdue or set aside.")


def _encryption(now: datetime) -> Finding:
    """See whether the keys that are set open what is stored; after a restore it may need others."""
    columns = [each for each in sealed.registered() if each.model not in SHORT_LIVED]
    reports = rotate(now=now, look_only=True, columns=columns)
    closed = {each.column: each.unreadable for each in reports if each.unreadable}
    if not closed:
        return Finding("encryption", Verdict.OK, "The keys that are set open what is stored.")
    said = ", ".join(f"{count} of {column}" for column, count in closed.items())
    detail = (
        f"No key opens {said}: nobody is called by such an address. Put the key that wrote them at the"
        " end of ENCRYPTION_KEYS (a portal that made its own has it in encryption_key in its data folder)."
    )
    return Finding("encryption", Verdict.WRONG, detail)


def _broker() -> list[Finding]:
    kind = "embedded" if settings.EMBEDDED_BROKER else "Redis"
    if settings.FILE_BROKER:
        return [Finding("broker", Verdict.NOTE, "Messages go through files; ticks repair losses.")]
    began = time.monotonic()
    client: Any = Connection(settings.CELERY_BROKER_URL, transport_options={"socket_timeout": 2})
    try:
        if refused := broker.refusal(settings.CELERY_BROKER_URL, timeout_s=2):
            detail = f"{kind} broker refuses messages ({refused}): evaluations wait, pages and intake go on."
            return [Finding("broker", Verdict.WRONG, detail)]
        with client:
            client.ensure_connection(max_retries=1, interval_start=0, timeout=3)
    except (OSError, KombuError):
        detail = f"{kind} broker does not answer: evaluations wait, pages and intake go on."
        return [Finding("broker", Verdict.WRONG, detail)]
    took_ms = (time.monotonic() - began) * 1000
    return [Finding("broker", Verdict.OK, f"{kind} broker answers in {took_ms:.0f} ms")]


def _clock(now: datetime) -> Iterator[Finding]:
    if connection.vendor != "postgresql":
        yield Finding("clock", Verdict.OK, f"{now:%Y-%m-%d %H:%M:%S} UTC, the database's too")
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp() - %s", [now])
        apart = abs(cursor.fetchone()[0])
    verdict = Verdict.OK if apart <= CLOCK_MAY_DIFFER else Verdict.WRONG
    yield Finding("clock", verdict, f"{apart.total_seconds():.1f} s from the database's clock")


def _processes(now: datetime) -> Iterator[Finding]:
    for process in PROCESSES:
        within = ALIVE_WITHIN.get(process, OTHERS_ALIVE_WITHIN)
        at = ProcessHeartbeat.objects.latest_at(process, until=now + within)
        if at is None:
            yield Finding(process, Verdict.WRONG, "has never left a sign of life: is it started?")
            continue
        age_s = max(0.0, (now - at).total_seconds())
        verdict = Verdict.OK if now - at <= within else Verdict.WRONG
        yield Finding(process, verdict, f"last sign of life {int(age_s)} s ago")


def _ticks(now: datetime) -> Iterator[Finding]:
    newest = JobSlot.objects.order_by("-slot").first()
    if newest is None:
        yield Finding("ticks", Verdict.NOTE, "No scheduled job has run yet.")
        return
    age_s = (now - newest.slot).total_seconds()
    yield Finding("ticks", Verdict.OK, f"newest slot {newest.job}, {int(age_s)} s ago")


def _blind_spots() -> Iterator[Finding]:
    yield Finding("other machines", Verdict.BLIND, "Only what shares this database is seen.")
    if mail.is_only_printed():
        detail = (
            "Printed where the portal runs, and sent to nobody. Set EMAIL_URL to a mail server."
        )
        yield Finding("email", Verdict.NOTE, detail)
    else:
        yield Finding("email", Verdict.BLIND, "Whether mail arrives shows in a mailbox only.")
    if settings.HTTPS:
        detail = "Certificate and proxy are looked at from outside, not from here."
        yield Finding("proxy", Verdict.BLIND, detail)
    if connection.vendor == "postgresql":
        detail = "Whether backups exist, and restore, is not visible from here."
        yield Finding("backups", Verdict.BLIND, detail)
