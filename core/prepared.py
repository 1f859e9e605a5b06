"""Statements that PostgreSQL reads and plans once a connection, not once a call.

For statements whose planning costs as much as what they do, such as inserts into many tables at
once. They live as long as the connection, so a pooler between portal and PostgreSQL must give each
connection of the portal a session of its own. Connections are opened with `plan_cache_mode =
force_generic_plan`: calls differ in the lengths of lists only.

A plan is as good as the tables were known when it was made: of an empty one every index looks alike,
and the wrong one reads all of a table that has grown since. So plans are made anew after the first,
second, fourth, eighth … call of a connection, in the end every `REPLAN_EVERY` calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection
from django.db.backends.utils import CursorWrapper

from core.journeys import with_its_end

__all__ = ["execute"]

REPLAN_EVERY = 4096


@dataclass
class _Known:
    """What a connection of the driver knows: a new one knows nothing.

    Args:
        names: Of prepared statements, by their SQL.
        calls: So many until now.
        replan_at: After so many all plans are made anew.
    """

    names: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    replan_at: int = 1


_known: WeakKeyDictionary[Any, _Known] = WeakKeyDictionary()


def execute(
    cursor: CursorWrapper,
    sql: str,
    types: Sequence[str],
    values: Sequence[Any],
    *,
    then: str = "",
    is_last: bool = False,
) -> None:
    """Execute a statement of ours, prepared at its first use on this connection.

    Args:
        cursor: Of PostgreSQL.
        sql: One statement with `$1`, `$2` … for its values; there are few of them in all.
        types: PostgreSQL's names of the values' types.
        values: In their order.
        then: Further statements, not prepared, that travel with it; the result is that of the last.
        is_last: Whether nothing else happens in the transaction; then there is no result.
    """
    known = _known.setdefault(connection.connection, _Known())
    # What is done here is of the connection: it goes beside what is counted and logged.
    if known.calls == known.replan_at:
        known.replan_at += min(known.calls, REPLAN_EVERY)
        with connection.wrap_database_errors:
            cursor.cursor.execute("DISCARD PLANS")
    known.calls += 1
    name = known.names.get(sql)
    if name is None:
        name = f"sreportal_{len(known.names)}"
        with connection.wrap_database_errors:
            cursor.cursor.execute(f"PREPARE {name} ({', '.join(types)}) AS {sql}")
        known.names[sql] = name
    executed = f"EXECUTE {name} ({', '.join(['%s'] * len(values))})"
    together = f"{executed}; {then}" if then else executed
    cursor.execute(with_its_end(together) if is_last else together, values)
