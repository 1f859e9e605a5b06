"""Somebody who holds a row and then writes to the audit, beside somebody who waits for that row."""

from collections.abc import Callable
from threading import Thread

from django.db import connection, connections, transaction
from django.db.models import Model

from core import audit, clock
from core.locking import locked

__all__ = ["beside", "cross", "until_somebody_waits"]


def beside(deed: Callable[[], object]) -> tuple[Thread, list[Exception]]:
    """Begin a deed beside the test, which holds what it will wait for.

    Returns:
        Its thread, and what went wrong in it, once that has ended.
    """
    failed: list[Exception] = []

    def do() -> None:
        try:
            deed()
        except Exception as error:  # noqa: BLE001 what it was is for the test
            failed.append(error)
        finally:
            connections.close_all()

    doing = Thread(target=do)
    doing.start()
    return doing, failed


def until_somebody_waits(doing: Thread) -> None:
    """Return when somebody waits for a lock, or the deed is done."""
    while doing.is_alive() and not _somebody_waits():
        doing.join(0.05)


def cross(row: Model, deed: Callable[[], object]) -> None:
    """Hold `row` until `deed` waits for it, then write to the audit and let go.

    Raises:
        AssertionError: What went wrong in `deed`, such as a deadlock.
    """
    with transaction.atomic():
        locked(row)
        doing, failed = beside(deed)
        until_somebody_waits(doing)
        audit.record(act="row.changed", subject=row, actor="test", now=clock.now())
    doing.join(30)
    assert not failed, failed


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        # Else a transaction sees whoever was there when it asked for the first time, and nobody since.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE NOT granted AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])
