"""Which values another row has, of what a database refused to store."""

import re

from django.db import IntegrityError
from django.db.models import Model

__all__ = ["TAKEN", "taken_fields"]

TAKEN = "It is taken: somebody else stored it in this moment."
_UNIQUE_VIOLATION = "23505"
# PostgreSQL: Key (service_id, lower(name::text))=(7, a) already exists.
_KEY = re.compile(r"\((.+?)\)=\(")
# SQLite: UNIQUE constraint failed: oncall_schedule.slug, oncall_schedule.name
_COLUMN = re.compile(r"(\w+)\.(\w+)")


def taken_fields(error: IntegrityError, model: type[Model]) -> list[str]:
    """Return the fields of `model` whose values another row has already, in the model's order.

    An empty list where the database refused something else, or a row of another kind.
    """
    table, columns = _table_and_columns(error.__cause__)
    if table != model._meta.db_table:
        return []
    return [field.name for field in model._meta.concrete_fields if field.column in columns]


def _table_and_columns(cause: BaseException | None) -> tuple[str, set[str]]:
    if getattr(cause, "pgcode", None) == _UNIQUE_VIOLATION:
        said = cause.diag  # type: ignore[union-attr]
        key = _KEY.search(said.message_detail or "")
        # Without the types that columns are cast to.
        words = re.sub(r"::\w+", "", key[1]) if key else ""
        return said.table_name, set(re.findall(r"\w+", words))
    if getattr(cause, "sqlite_errorname", "") == "SQLITE_CONSTRAINT_UNIQUE":
        pairs = _COLUMN.findall(str(cause))
        return (pairs[0][0] if pairs else ""), {column for _, column in pairs}
    return "", set()
