"""Many rows in one statement, on both databases: the rows travel as one JSON document.

Django's own bulk operations build SQL for every single value, which costs more than the database
does. Values are finite numbers, texts, booleans, None, aware datetimes, UUIDs, on PostgreSQL bytes, and what
JSON columns hold; nothing is validated here.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import count
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import BinaryField, Model

from core import prepared

__all__ = [
    "Part",
    "insert_rows",
    "insert_together",
    "on_postgresql",
    "reserve_ids",
    "select_rows",
    "select_values",
    "update_rows",
]

Row = Mapping[str, Any]
M = TypeVar("M", bound=Model)
# Rows of one kind from which on it pays to say once what they share, and the name of its number.
_MANY = 4
_KIND = "of_kind"


class Part(NamedTuple):
    """Rows of one table.

    Args:
        model: Whose table. Columns that it names in `ALIKE` are the same in most rows of a batch:
            where they are, they travel once and not once a row.
        rows: By columns as in the table, e.g. `incident_id`; those that are left out must have a
            default in the database.
        on_conflict: What happens to rows whose unique values exist already, in SQL, e.g. `DO NOTHING`
            or `(name) DO UPDATE SET count = EXCLUDED.count`; empty is an error.
        columns: What is stored of each row; None: all that the first one has.
    """

    model: type[Model]
    rows: Sequence[Row]
    on_conflict: str = ""
    columns: tuple[str, ...] | None = None


def insert_rows(model: type[Model], rows: Sequence[Row], *, on_conflict: str = "") -> None:
    """Insert rows, all with the same columns; see `Part`."""
    insert_together([Part(model, rows, on_conflict)])


def insert_together(
    parts: Iterable[Part], *, then: str = "", is_last: bool = False
) -> tuple[Any, ...] | None:
    """Insert rows of several tables, by one statement where the database can.

    Args:
        parts: No table twice. No part sees what another one inserts, but foreign keys are looked at
            when all are done.
        then: What PostgreSQL is to do next, of which the last statement asks for something. It travels
            with the rows.
        is_last: Whether nothing else happens in the transaction, whose end then may travel with the rows.

    Returns:
        The first row that `then` finds.
    """
    written = [_written(part) for part in parts if part.rows]
    if on_postgresql() and (written or then):
        return _insert_and_ask(written, then, is_last=is_last)
    for model, columns, on_conflict, documents in written:
        sql = _insertion(connection.vendor, model, columns, on_conflict=on_conflict)
        with connection.cursor() as cursor:
            cursor.execute(sql, documents)
    return None


def _insert_and_ask(
    written: "Sequence[_Written]", then: str, *, is_last: bool
) -> tuple[Any, ...] | None:
    found: tuple[Any, ...] | None = None
    with connection.cursor() as cursor:
        if written:
            tables = tuple((each.model, each.columns, each.on_conflict) for each in written)
            documents = [document for each in written for document in each.documents]
            types = ["json"] * len(documents)
            sql = _insertions(tables)
            prepared.execute(cursor, sql, types, documents, then=then, is_last=is_last)
        else:
            cursor.execute(then)
        if then:
            found = cursor.fetchone()
    return found


class _Columns(NamedTuple):
    """Columns whose values each row has for itself, and those that it has with others of its kind."""

    own: tuple[str, ...]
    alike: tuple[str, ...] = ()


class _Written(NamedTuple):
    """Rows as a statement takes them: one document, or one of rows and one of their kinds."""

    model: type[Model]
    columns: _Columns
    on_conflict: str
    documents: list[str]


def _written(part: Part) -> _Written:
    model, rows, on_conflict, columns = part
    names = columns or tuple(rows[0])
    alike = _alike(model, names) if len(rows) >= _MANY and on_postgresql() else ()
    if len(alike) > 1:
        kinds: dict[tuple[Any, ...], int] = {}
        kind_of = [kinds.setdefault(values, len(kinds)) for values in map(itemgetter(*alike), rows)]
        if len(kinds) * _MANY <= len(rows):
            own = tuple(name for name in names if name not in alike)
            listed = [
                {_KIND: kind, **{name: row[name] for name in own}}
                for kind, row in zip(kind_of, rows, strict=True)
            ]
            shared = [
                {_KIND: kind, **dict(zip(alike, values, strict=True))}
                for values, kind in kinds.items()
            ]
            documents = [json_of(model, listed), json_of(model, shared)]
            return _Written(model, _Columns(own, alike), on_conflict, documents)
    if columns is not None:
        rows = [{name: row[name] for name in columns} for row in rows]
    return _Written(model, _Columns(names), on_conflict, [json_of(model, rows)])


@lru_cache(maxsize=128)
def _alike(model: type[Model], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in getattr(model, "ALIKE", ()) if name in names)


def select_rows(
    model: type[M],
    columns: Mapping[str, Iterable[Any]],
    *,
    lock: bool = False,
    without: Collection[str] = (),
) -> list[M]:
    """Return the rows whose columns have one of the values given for each, in order of their keys.

    Django spends more on building such a question than the database does on answering it.

    Args:
        model: Whose table.
        columns: Names in the table → values.
        lock: Keep others from changing the rows until the transaction ends.
        without: Columns that are asked for, row by row, when somebody looks at them.
    """
    is_locked = lock and on_postgresql()
    names = tuple(name for name in _columns(model) if name not in without)
    rows = _select(model, names, columns, f" ORDER BY id{' FOR UPDATE' if is_locked else ''}")
    fields = model._meta.concrete_fields
    attributes = [field.attname for field in fields if field.column not in without]
    alias = connection.alias
    return [model.from_db(alias, attributes, values) for values in rows]


def select_values(
    model: type[Model], names: Sequence[str], columns: Mapping[str, Iterable[Any]]
) -> list[Sequence[Any]]:
    """Return some columns of the rows that `select_rows` would find, in any order."""
    return _select(model, tuple(names), columns)


def _select(
    model: type[Model],
    names: tuple[str, ...],
    columns: Mapping[str, Iterable[Any]],
    behind: str = "",
) -> list[Sequence[Any]]:
    values = {name: list(wanted) for name, wanted in columns.items()}
    if not all(values.values()):
        return []
    conditions = " AND ".join(
        f"{quoted(name)} IN ({', '.join(['%s'] * len(wanted))})" for name, wanted in values.items()
    )
    listed = ", ".join(map(quoted, names))
    sql = f"SELECT {listed} FROM {table_of(model)} WHERE {conditions}{behind}"  # noqa: S608 our own names
    with connection.cursor() as cursor:
        cursor.execute(sql, [_parameter(each) for own in values.values() for each in own])
        rows: list[Sequence[Any]] = cursor.fetchall()
    if not rows:
        return []
    by_column = {field.column: field for field in model._meta.concrete_fields}
    expressions = [by_column[name].get_col(model._meta.db_table) for name in names]
    # Django's own way from what a driver returns to what a model holds.
    compiler = model._base_manager.all().query.get_compiler(connection=connection)
    converters = compiler.get_converters(expressions)
    return list(compiler.apply_converters(rows, converters)) if converters else rows


def _parameter(value: Any) -> Any:
    """Return a value as the driver takes it."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value


def reserve_ids(model: type[Model], count: int) -> list[int]:
    """Return so many primary keys, ascending, that no other row of a table gets.

    Within a transaction; what is not used leaves a hole.
    """
    if not count:
        return []
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if on_postgresql():
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
                [table, count],
            )
            return [number for (number,) in cursor.fetchall()]
        # The transaction holds SQLite's only writer's lock.
        cursor.execute(
            "INSERT INTO sqlite_sequence (name, seq) SELECT %s, 0"
            " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = %s)",
            [table, table],
        )
        cursor.execute(
            "UPDATE sqlite_sequence SET seq = seq + %s WHERE name = %s RETURNING seq",
            [count, table],
        )
        ((last,),) = cursor.fetchall()
        return list(range(last - count + 1, last + 1))


def update_rows(
    model: type[Model],
    rows: Sequence[Row],
    *,
    matching: Mapping[str, str] | None = None,
    only_if: str = "",
) -> set[int]:
    """Update rows by their `id`; returns the ids of those that were changed.

    Args:
        model: Whose table.
        rows: All with the same names, `id` among them.
        matching: Names that are no changes → columns that must be stored with that value.
        only_if: A condition on the stored row as well, in SQL.
    """
    if not rows:
        return set()
    names, fixed = list(rows[0]), {"id": "id", **(matching or {})}
    table = table_of(model)
    changed = [quoted(name) for name in names if name not in fixed]
    changes = ", ".join(f"{name} = given.{name}" for name in changed)
    same = [f"{table}.{quoted(stored)} = given.{quoted(name)}" for name, stored in fixed.items()]
    condition = " AND ".join([*same, *([f"{table}.{only_if}"] if only_if else [])])
    columns = tuple((name, fixed.get(name, name)) for name in names)
    document = document_as_table(connection.vendor, model, columns)
    sql = (
        f"UPDATE {table} SET {changes} FROM {document}"  # noqa: S608 names of our columns
        f" WHERE {condition} RETURNING {table}.{quoted('id')}"
    )
    with connection.cursor() as cursor:
        _execute(cursor, sql, json_of(model, rows))
        return {pk for (pk,) in cursor.fetchall()}


def _execute(cursor: CursorWrapper, sql: str, document: str) -> None:
    """Execute one of the few statements that take a document, planned once where that is possible."""
    if on_postgresql():
        prepared.execute(cursor, sql.replace("%s", "$1"), ["json"], [document])
    else:
        cursor.execute(sql, [document])


@lru_cache(maxsize=256)
def _insertions(tables: tuple[tuple[type[Model], _Columns, str], ...]) -> str:
    """Return one statement for PostgreSQL that inserts the documents `$1`, `$2` … into tables."""
    numbers = count(1)
    *others, last = (
        re.sub(
            "%s",
            lambda _: f"${next(numbers)}",
            _insertion("postgresql", model, columns, on_conflict=told),
        )
        for model, columns, told in tables
    )
    named = ", ".join(f"part_{number} AS ({sql})" for number, sql in enumerate(others))
    return f"WITH {named} {last}" if named else last


@lru_cache(maxsize=256)
def _insertion(vendor: str, model: type[Model], columns: _Columns, *, on_conflict: str = "") -> str:
    # Without a condition SQLite reads the word ON as that of a join.
    conflict = f" WHERE true ON CONFLICT {on_conflict}" if on_conflict else ""
    names = ", ".join(map(quoted, (*columns.own, *columns.alike)))
    if columns.alike:
        rows = _rows_and_kinds(model, columns)
    else:
        rows = document_as_table(vendor, model, tuple((name, name) for name in columns.own))
    return f"INSERT INTO {table_of(model)} ({names}) SELECT {names} FROM {rows}{conflict}"  # noqa: S608 names of our columns


def _rows_and_kinds(model: type[Model], columns: _Columns) -> str:
    """Return what stands behind FROM for PostgreSQL: a document of rows beside that of their kinds."""
    types = types_of(model)
    own, alike = (
        ", ".join(f"{quoted(name)} {types[name]}" for name in names)
        for names in (columns.own, columns.alike)
    )
    names = ", ".join(map(quoted, (*columns.own, *columns.alike)))
    listed = ", ".join(map(quoted, (_KIND, *columns.own, "turn")))
    # Where the database numbers rows, it does in their order.
    return (
        f"(SELECT {names} FROM ROWS FROM (json_to_recordset(%s) AS ({quoted(_KIND)} int, {own}))"  # noqa: S608
        f" WITH ORDINALITY AS own ({listed})"
        f" JOIN json_to_recordset(%s) AS kinds ({quoted(_KIND)} int, {alike})"
        f" USING ({quoted(_KIND)}) ORDER BY turn) AS given"
    )


@lru_cache(maxsize=128)
def _columns(model: type[Model], *, with_key: bool = True) -> tuple[str, ...]:
    fields = model._meta.concrete_fields
    return tuple(str(field.column) for field in fields if with_key or not field.primary_key)


@cache
def on_postgresql() -> bool:
    """Return whether PostgreSQL is the database, and not SQLite; it stays the same for a process."""
    return bool(connection.vendor == "postgresql")


def quoted(column: str) -> str:
    """Return a name as SQL takes it."""
    return connection.ops.quote_name(column)


def table_of(model: type[Model]) -> str:
    """Return the name of a model's table as SQL takes it."""
    return quoted(model._meta.db_table)


@lru_cache(maxsize=256)
def document_as_table(vendor: str, model: type[Model], columns: tuple[tuple[str, str], ...]) -> str:
    """Return what stands behind FROM: the document `%s` as a table named `given`.

    Args:
        vendor: Of the database.
        model: Whose columns have the types.
        columns: Names in the document, and columns of that type.
    """
    if vendor == "sqlite":
        values = ", ".join(f"json_extract(value, '$.{n}') AS {quoted(n)}" for n, _ in columns)
        return f"(SELECT key AS nr, {values} FROM json_each(%s)) AS given"  # noqa: S608 names of our columns
    types, binary = types_of(model), set(_binary(model))
    defined = ", ".join(
        f"{quoted(name)} {'text' if column in binary else types[column]}"
        for name, column in columns
    )
    if binary.isdisjoint(column for _, column in columns):
        return f"json_to_recordset(%s::json) AS given ({defined})"
    values = ", ".join(
        f"decode({quoted(name)}, 'base64') AS {quoted(name)}" if column in binary else quoted(name)
        for name, column in columns
    )
    return f"(SELECT {values} FROM json_to_recordset(%s::json) AS coded ({defined})) AS given"  # noqa: S608 names of our columns


@lru_cache(maxsize=128)
def types_of(model: type[Model]) -> Mapping[str, str]:
    """Return the types of a table's columns, as the database calls them."""
    return {
        str(field.column): str(field.db_type(connection)) for field in model._meta.concrete_fields
    }


def json_of(model: type[Model], rows: Sequence[Row]) -> str:
    """Return rows as the document that `document_as_table` reads."""
    if not on_postgresql():
        known: dict[object, str] = {}

        def plain(value: object) -> str:
            # Most rows of a batch have the same few instants.
            if value not in known:
                known[value] = _plain(value)
            return known[value]

        return json.dumps(rows, default=plain, separators=(",", ":"), allow_nan=False)
    # A fifteenth of the price. It writes instants and UUIDs as PostgreSQL reads them, bytes as base64.
    return msgspec.json.encode(rows, enc_hook=_plainer).decode()


def _plainer(value: object) -> object:
    """Return the plain text or number that a value is a special kind of."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    raise TypeError(f"{type(value).__name__} is not written in bulk")


@lru_cache(maxsize=128)
def _binary(model: type[Model]) -> tuple[str, ...]:
    fields = model._meta.concrete_fields
    return tuple(str(field.column) for field in fields if isinstance(field, BinaryField))


def _plain(value: object) -> str:
    """Return what SQLite keeps of what JSON has no word for."""
    if isinstance(value, UUID):
        return value.hex
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} is not written in bulk")
    return str(value.astimezone(UTC).replace(tzinfo=None))
