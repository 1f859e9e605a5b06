"""Appending to the delta log: committed when the call returns.

PostgreSQL makes concurrent commits share a flush by itself. SQLite has one writer, and waiting for
it there is sleeping for up to 100 ms, so threads queue here instead: whoever comes first commits
for all who came meanwhile.
"""

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from django.db import connection, transaction

from core.errors import Unavailable
from telemetry.models import TelemetryDelta

_WAIT_S = 20
# By hand, as this statement is run for every batch: composing it costs more than running it.
_INSERT = (
    f"INSERT INTO {TelemetryDelta._meta.db_table}"  # noqa: S608 the name is ours
    " (received_at, token_id, size, payload, attempts, error) VALUES (%s, %s, %s, %s, 0, '')"
)


class _Entry:
    """One row that waits for a commit, and how that went."""

    def __init__(self, delta: TelemetryDelta) -> None:
        self.delta = delta
        self.is_done = False
        self.error: Exception | None = None


_waiting: list[_Entry] = []
_waiting_lock = Lock()
_writer = Lock()


def append(delta: TelemetryDelta) -> None:
    """Insert and commit one row.

    Raises:
        Unavailable: SQLite's writer was busy for too long; nothing was stored.
        django.db.DatabaseError: The row was not stored.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        trust_quiet_connection()
        _insert([delta])
        return
    entry = _Entry(delta)
    with _waiting_lock:
        _waiting.append(entry)
    try:
        with write_turn():
            if not entry.is_done:
                _commit_waiting()
    finally:
        with _waiting_lock:
            if entry in _waiting:
                _waiting.remove(entry)
    if entry.error is not None:
        raise entry.error


@contextmanager
def write_turn() -> Iterator[None]:
    """Hold this process's turn as SQLite's writer; free on other databases."""
    if connection.vendor != "sqlite":
        yield
        return
    if not _writer.acquire(timeout=_WAIT_S):
        raise Unavailable("Too many batches are waiting. Nothing was stored.")
    try:
        yield
    finally:
        _writer.release()


def _commit_waiting() -> None:
    with _waiting_lock:
        entries = _waiting.copy()
        _waiting.clear()
    try:
        with transaction.atomic():
            _insert([entry.delta for entry in entries])
    except Exception as error:  # noqa: BLE001 each of those who wait gets to know
        for entry in entries:
            entry.error = error
    finally:
        for entry in entries:
            entry.is_done = True


def _insert(deltas: Sequence[TelemetryDelta]) -> None:
    rows = [
        (
            connection.ops.adapt_datetimefield_value(delta.received_at),
            delta.token_id,
            delta.size,
            bytes(delta.payload),
        )
        for delta in deltas
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, rows)


def trust_quiet_connection() -> None:
    """Spare a kept connection the question whether it still works, when nothing arrived on it.

    A server that ended it has said so, which makes its socket readable; then Django asks.
    """
    kept = connection.connection
    if kept is None or connection.vendor != "postgresql" or kept.closed:
        return
    poll = select.poll()
    poll.register(kept.fileno(), select.POLLIN | select.POLLPRI)
    if not poll.poll(0):
        connection.health_check_done = True  # type: ignore[attr-defined]
