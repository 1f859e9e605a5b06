"""Holding stored rows while they are changed, so that nothing else that happens to them is undone.

What a caller read before may be over by now: saved as it was then, it would take back what others
changed since, and bring back what they deleted. Lock first, before the audit: who holds that and waits
for a row stops everybody, and for ever who holds the row and waits for it. What belongs to a row is
locked after it, several rows in the order of their keys.
"""

from collections.abc import Iterable
from hashlib import sha256
from time import monotonic
from typing import Any, TypeVar

from django.db import IntegrityError, connection
from django.db.models import Model, QuerySet

from core.errors import Conflict, NotFound
from core.taken import TAKEN, taken_fields

__all__ = ["as_stored", "hold", "lock", "lock_in_order", "locked", "store", "wait_until"]

# Whoever begins late has a moment all the same: most locks are held no longer.
LEAST_WAIT_S = 0.1
Row = TypeVar("Row", bound=Model)


def lock(row: Model, *, to_delete: bool = False) -> None:
    """Read a stored row anew and hold it until the caller's transaction ends.

    Args:
        row: Read by anybody at any time; holds what is stored now afterwards.
        to_delete: Waits for those who write rows that refer to it, too.

    Raises:
        NotFound: Somebody deleted it.
    """
    try:
        row.refresh_from_db(from_queryset=_held(row, to_delete=to_delete))
    except type(row).DoesNotExist as error:  # type: ignore[attr-defined]
        raise NotFound("Somebody deleted it a moment ago.") from error


def locked(row: Row, *, to_delete: bool = False) -> Row:
    """Return a stored row as it is now, locked until the transaction ends.

    Args:
        row: As it was read before.
        to_delete: Keep others from referring to it, too.

    Raises:
        NotFound: It was deleted meanwhile.
    """
    found: Row | None = _held(row, to_delete=to_delete).filter(pk=row.pk).first()
    if found is None:
        raise NotFound(f"That {row._meta.verbose_name} is not there any more.")
    return found


def as_stored(row: Row) -> Row:
    """Return a stored row as `locked` does, and a new one as it is.

    Raises:
        NotFound: It was deleted meanwhile.
    """
    return row if row.pk is None else locked(row)


def store(row: Model, changed: Iterable[str]) -> None:
    """Insert a new row; of a stored one write the changed fields and when that was.

    Raises:
        Conflict: Somebody else took a value in this moment that only one row may have; names the fields.
    """
    try:
        if row.pk is None:
            row.save(force_insert=True)
        else:
            row.save(update_fields={*changed, "updated_at"})
    except IntegrityError as error:
        if taken := taken_fields(error, type(row)):
            raise Conflict(TAKEN, fields={name: [TAKEN] for name in taken}) from error
        raise


def lock_in_order(rows: QuerySet[Any]) -> set[int]:
    """Lock several rows in the order of their keys; returns the keys of those that are there."""
    held = rows.order_by("pk").select_for_update(of=("self",), no_key=True)
    return {row.pk for row in held}


def hold(name: str) -> None:
    """Have whoever else holds a name wait until the caller's transaction ends; for what no row stands for yet.

    Take it before rows and the audit. SQLite has one writer at a time anyhow.

    Args:
        name: Begins with that of its app.
    """
    if connection.vendor == "postgresql":
        number = int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def wait_until(end: float) -> None:
    """Have the caller's transaction wait for what others hold until then, and a tenth of a second at least.

    Of SQLite one waits before the transaction begins, and in it for nothing.

    Args:
        end: By `time.monotonic`, in seconds.
    """
    if connection.vendor == "postgresql":
        wait_ms = round(1000 * max(LEAST_WAIT_S, end - monotonic()))
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{wait_ms}ms"])


def _held(row: Model, *, to_delete: bool) -> QuerySet[Any]:
    return type(row)._base_manager.select_for_update(of=("self",), no_key=not to_delete)
