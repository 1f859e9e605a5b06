"""Creating and changing a row that people edit, with what changed in the audit."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from django.db.models import Model

from core import audit
from core.locking import lock

if TYPE_CHECKING:
    from accounts.models import User

Row = TypeVar("Row", bound=Model)


def assign(row: Model, fields: dict[str, Any]) -> dict[str, list[str]]:
    """Set `fields` on `row` and return what changed, as before and after."""
    changes = {}
    for name, value in fields.items():
        before = getattr(row, name)
        if before != value:
            changes[name] = [str(before), str(value)]
            setattr(row, name, value)
    return changes


def save(
    row: Row, act: str, *, actor: "User | str | None", now: datetime, fields: dict[str, Any]
) -> Row:
    """Create `row` or change it; nothing changed is nothing written. For a caller's transaction.

    Args:
        row: A stored one, or a new one.
        act: What the audit calls it, without `_created` or `_changed`.
        actor: Who.
        now: When.
        fields: By name.

    Raises:
        ValidationError: With the messages by field.
        NotFound: The stored one was deleted.
    """
    is_new = row.pk is None
    if not is_new:
        lock(row)
    changes = assign(row, fields)
    row.full_clean()
    if is_new or changes:
        row.save()
        done = f"{act}_created" if is_new else f"{act}_changed"
        audit.record(act=done, subject=row, actor=actor, now=now, changes=changes)
    return row
