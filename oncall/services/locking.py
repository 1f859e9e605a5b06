"""Rows as they are stored now, locked: what somebody else changed meanwhile is never undone.

Whatever belongs to a schedule (overrides, swaps, calendars) is locked after its schedule, and
policies in the order of their keys: whoever keeps to that order never waits for somebody who waits
for them.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from core.errors import NotFound

__all__ = ["as_stored", "lock_in_order", "locked", "store"]

Row = TypeVar("Row", bound=Model)


def locked(row: Row, *, to_delete: bool = False) -> Row:
    """Return a stored row as it is now, locked until the transaction ends.

    Args:
        row: As it was read before.
        to_delete: Keep others from referring to it, too.

    Raises:
        NotFound: It was deleted meanwhile.
    """
    rows = type(row)._default_manager.select_for_update(of=("self",), no_key=not to_delete)
    found: Row | None = rows.filter(pk=row.pk).first()
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
    """Insert a new row; of a stored one write the changed fields and when that was."""
    if row.pk is None:
        row.save(force_insert=True)
    else:
        row.save(update_fields={*changed, "updated_at"})


def lock_in_order(rows: QuerySet[Any]) -> set[int]:
    """Lock several rows in the order of their keys; returns the keys of those that are there."""
    held = rows.order_by("pk").select_for_update(of=("self",), no_key=True)
    return {row.pk for row in held}
