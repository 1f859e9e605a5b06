"""Many rows that have most of their columns in common: what they share travels once, not once a row.

Rows are of kinds. A kind has the columns that all of its rows share, a row a few of its own. A step
that calls the same people for five hundred incidents is one kind, and five hundred numbers.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import Model

from core import prepared
from core.bulk import document_as_table, json_of, quoted, table_of, types_of

__all__ = ["insert_alike", "update_alike"]

Row = Mapping[str, Any]


def insert_alike(
    model: type[Model],
    kinds: Sequence[Row],
    kind_of: Sequence[int],
    own: Mapping[str, Sequence[Any]],
    *,
    on_conflict: str = "",
) -> None:
    """Insert rows in their order.

    Args:
        model: Whose table.
        kinds: Shared columns, all with the same names, as `core.bulk.insert_rows` takes them.
        kind_of: Of each row its kind: an index of `kinds`.
        own: Columns → the value of each row, a number, text or None.
        on_conflict: What happens to rows whose unique values exist already, as there.
    """
    if not kind_of:
        return
    columns = tuple(kinds[0]), tuple(own)
    sql, types = _insertion(connection.vendor, model, *columns, on_conflict)
    with connection.cursor() as cursor:
        _execute(cursor, sql, types, json_of(model, kinds), kind_of, *own.values())


def update_alike(
    model: type[Model],
    kinds: Sequence[Row],
    kind_of: Sequence[int],
    ids: Sequence[int],
    *,
    matching: Mapping[str, str] | None = None,
    only_if: str = "true",
) -> set[int]:
    """Give rows the columns of their kinds; returns the ids of those that were changed.

    Args:
        model: Whose table.
        kinds: The changes.
        kind_of: Of each row its kind: an index of `kinds`.
        ids: Of each row its `id`.
        matching: Names in a kind that are no changes → columns that must be stored with that value.
        only_if: A condition on the stored row as well, in SQL.
    """
    if not kind_of:
        return set()
    same = tuple((matching or {}).items())
    sql, types = _change(connection.vendor, model, tuple(kinds[0]), same, only_if)
    with connection.cursor() as cursor:
        _execute(cursor, sql, types, json_of(model, kinds), kind_of, ids)
        if cursor.rowcount == len(ids):
            return set(ids)
        return {pk for (pk,) in cursor.fetchall()}


def _execute(
    cursor: Any, sql: str, types: Sequence[str], document: str, *columns: Sequence[Any]
) -> None:
    if connection.vendor == "postgresql":
        prepared.execute(cursor, sql, types, [document, *map(_array, columns)])
    else:
        cursor.execute(sql, [document, json.dumps(list(zip(*columns, strict=True)))])


def _array(values: Sequence[Any]) -> str:
    """Return numbers, texts or None as PostgreSQL reads a list: the driver takes ten times as long."""
    if set(map(type, values)) == {int}:
        return f"{{{','.join(map(str, values))}}}"
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: int | str | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@lru_cache(maxsize=64)
def _insertion(
    vendor: str,
    model: type[Model],
    shared: tuple[str, ...],
    own: tuple[str, ...],
    on_conflict: str,
) -> tuple[str, list[str]]:
    rows, types = _rows(vendor, model, dict(zip(shared, shared, strict=True)), own)
    into = ", ".join(map(quoted, (*shared, *own)))
    values = ", ".join(
        [*(f"given.{quoted(c)}" for c in shared), *(f"own.{quoted(c)}" for c in own)]
    )
    conflict = f" ON CONFLICT {on_conflict}" if on_conflict else ""
    sql = (
        f"INSERT INTO {table_of(model)} ({into}) SELECT {values} FROM {rows}"  # noqa: S608 names of our columns
        f" WHERE true ORDER BY own.turn{conflict}"
    )
    return sql, types


@lru_cache(maxsize=64)
def _change(
    vendor: str,
    model: type[Model],
    shared: tuple[str, ...],
    same: tuple[tuple[str, str], ...],
    only_if: str,
) -> tuple[str, list[str]]:
    columns = {**dict(zip(shared, shared, strict=True)), **dict(same)}
    rows, types = _rows(vendor, model, columns, ("id",))
    changed = [name for name, column in columns.items() if name == column]
    changes = ", ".join(f"{quoted(name)} = given.{quoted(name)}" for name in changed)
    table = table_of(model)
    conditions = [f"{table}.{quoted(column)} = given.{quoted(name)}" for name, column in same]
    condition = " AND ".join([f"{table}.id = own.id", *conditions, f"({only_if})"])
    sql = (
        f"UPDATE {table} SET {changes} FROM {rows}"  # noqa: S608 names of our columns
        f" WHERE {condition} RETURNING {table}.id"
    )
    return sql, types


def _rows(
    vendor: str, model: type[Model], shared: Mapping[str, str], own: tuple[str, ...]
) -> tuple[str, list[str]]:
    """Return what stands behind FROM, each row beside its kind, and the types of its values.

    Args:
        vendor: Of the database.
        model: Whose columns have the types.
        shared: Names in a kind → columns of that type.
        own: Columns.
    """
    if vendor == "sqlite":
        named = ", ".join(
            f"json_extract(value, '$[{number}]') AS {quoted(name)}"
            for number, name in enumerate(own, 1)
        )
        return (
            f"{document_as_table(vendor, model, tuple(shared.items()))}"  # noqa: S608 names of our columns
            " JOIN (SELECT key AS turn, json_extract(value, '$[0]') AS of_kind,"
            f" {named} FROM json_each(%s)) AS own ON own.of_kind = given.nr"
        ), []
    known = types_of(model)
    types = ["json", "int[]", *(f"{_plain(known[name])}[]" for name in own)]
    lists = ", ".join(f"${number}" for number in range(2, 3 + len(own)))
    names = ", ".join(map(quoted, own))
    defined = ", ".join(f"{quoted(name)} {known[column]}" for name, column in shared.items())
    listed = ", ".join(map(quoted, shared))
    return (
        f"unnest({lists}) WITH ORDINALITY AS own (of_kind, {names}, turn)"
        f" JOIN ROWS FROM (json_to_recordset($1) AS ({defined})) WITH ORDINALITY"
        f" AS given ({listed}, nr) ON given.nr = own.of_kind + 1"
    ), types


def _plain(kind: str) -> str:
    """Return the type without its length: a list of it is not cut at that."""
    return kind.split("(", maxsplit=1)[0]
