"""Statements that PostgreSQL reads and plans once a connection, not once a call.

For statements whose planning costs as much as what they do, such as inserts into many tables at
once. They live as long as the connection, so a pooler between portal and PostgreSQL must give each
connection of the portal a session of its own.
"""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection
from django.db.backends.utils import CursorWrapper

__all__ = ["execute"]

# By the driver's connection: a new one knows nothing.
_names: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()


def execute(cursor: CursorWrapper, sql: str, types: Sequence[str], values: Sequence[Any]) -> None:
    """Execute a statement of ours, prepared at its first use on this connection.

    Args:
        cursor: Of PostgreSQL.
        sql: One statement with `$1`, `$2` … for its values; there are few of them in all.
        types: PostgreSQL's names of the values' types.
        values: In their order.
    """
    names = _names.setdefault(connection.connection, {})
    name = names.get(sql)
    if name is None:
        name = f"sreportal_{len(names)}"
        # Beside what is counted and logged: it is of the connection, not of what is done now.
        with connection.wrap_database_errors:
            if not names:
                # They differ in the lengths of lists only: planning each anew would cost half of it.
                cursor.cursor.execute("SET plan_cache_mode = force_generic_plan")
            cursor.cursor.execute(f"PREPARE {name} ({', '.join(types)}) AS {sql}")
        names[sql] = name
    cursor.execute(f"EXECUTE {name} ({', '.join(['%s'] * len(values))})", values)
