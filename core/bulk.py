"""Many rows in one statement, on both databases: the rows travel as one JSON document.

Django's own bulk operations build SQL for every single value, which costs more than the database
does. Values are finite numbers, texts, booleans, None, aware datetimes, UUIDs, on PostgreSQL bytes, and what
JSON columns hold; nothing is validated here.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import NOT_PROVIDED, BinaryField, Model
from django.db.models.base import ModelState

from core import prepared

__all__ = [
    "Inserts",
    "insert_rows",
    "insert_together",
    "made",
    "reserve_ids",
    "select_rows",
    "select_values",
    "update_rows",
]

Row = Mapping[str, Any]
M = TypeVar("M", bound=Model)


def insert_rows(model: type[Model], rows: Sequence[Row], *, on_conflict: str = "") -> None:
    """Insert rows, all with the same columns, named as in the table, e.g. `incident_id`.

    Args:
        model: Whose table.
        rows: Columns that are left out must have a default in the database.
        on_conflict: What happens to rows whose unique values exist already, in SQL, e.g. `DO NOTHING`
            or `(name) DO UPDATE SET count = EXCLUDED.count`; empty is an error.
    """
    insert_together([(model, rows, on_conflict)])


def insert_together(parts: Sequence[tuple[type[Model], Sequence[Row], str]]) -> None:
    """Insert rows of several tables, by one statement where the database can.

    Args:
        parts: What `insert_rows` takes, no table twice. No part sees what another one inserts, but
            foreign keys are looked at when all are done.
    """
    parts = [part for part in parts if part[1]]
    if not parts:
        return
    if connection.vendor == "postgresql":
        sql = _insertions(tuple((model, tuple(rows[0]), told) for model, rows, told in parts))
        documents = [document_with(model, rows) for model, rows, _ in parts]
        with connection.cursor() as cursor:
            prepared.execute(cursor, sql, ["json"] * len(documents), documents)
        return
    for model, rows, on_conflict in parts:
        sql = _insertion(connection.vendor, model, tuple(rows[0]), on_conflict=on_conflict)
        with connection.cursor() as cursor:
            cursor.execute(sql, [document_with(model, rows)])


def made(model: type[M], *, related: Mapping[str, Model] | None = None, **columns: Any) -> M:
    """Return an instance that is not stored yet, at a tenth of what `Model.__init__` takes.

    Args:
        model: Of what.
        related: What its foreign keys lead to, where it is at hand, by the names of the fields.
        columns: As attributes, e.g. `incident_id`; what is left out has the default of its field,
            but where that is new for each row it must be given.
    """
    plain, fresh = _attributes(model)
    instance = model.__new__(model)
    instance._state = ModelState()
    values = instance.__dict__
    values.update(plain)
    for name, default in fresh:
        values[name] = default()
    values.update(columns)
    for name, other in (related or {}).items():
        values[f"{name}_id"] = other.pk
        instance._state.fields_cache[name] = other
    return instance


class Inserts:
    """New rows of several tables that go to the database together, in one journey where it can.

    Of one table either all rows have a primary key, e.g. a reserved one, or the database gives it.
    """

    def __init__(self) -> None:
        self._objects: dict[type[Model], list[Model]] = {}
        self._rows: dict[type[Model], list[Row]] = {}
        self._known: dict[type[Model], dict[Any, Row]] = {}

    def add(self, *objects: Model) -> None:
        """Remember instances; they are read when they are written."""
        for each in objects:
            self._objects.setdefault(type(each), []).append(each)

    def add_row(self, model: type[Model], **columns: Any) -> None:
        """Remember a row that nobody needs as an instance, at a tenth of its price.

        Args:
            model: Whose table; of one table either instances are added or rows.
            columns: As in the table, e.g. `incident_id`; what is left out has the default of its
                field.
        """
        self._rows.setdefault(model, []).append({**_defaults(model), **columns})

    def add_unless_there(self, model: type[Model], **columns: Any) -> None:
        """Remember a row that is stored unless one with its key is.

        Args:
            model: Whose table; of one table no other rows are added.
            columns: All, as in the table.
        """
        self._known.setdefault(model, {})[columns[str(model._meta.pk.column)]] = columns

    def waits(self, each: Model) -> bool:
        """Return whether an instance is yet to be written: what it holds then is stored."""
        return any(each is other for other in self._objects.get(type(each), ()))

    def write(self) -> None:
        """Insert what was remembered: tables of instances first, each kind in the order it came."""
        objects, self._objects = self._objects, {}
        loose, self._rows = self._rows, {}
        shared, self._known = self._known, {}
        if both := objects.keys() & loose.keys():
            raise RuntimeError(f"Instances and rows of one table: {both}")
        others = [
            *((model, rows, "") for model, rows in loose.items()),
            *((model, [*rows.values()], "DO NOTHING") for model, rows in shared.items()),
        ]
        if connection.vendor == "postgresql":
            built = [(model, _rows(model, of_it), "") for model, of_it in objects.items()]
            insert_together([*built, *others])
            _are_stored(objects)
            return
        for model, of_it in objects.items():
            if any(isinstance(field, BinaryField) for field in model._meta.concrete_fields):
                # SQLite's JSON has no way to say bytes.
                model._base_manager.bulk_create(of_it)
            else:
                insert_rows(model, _rows(model, of_it))
        for model, rows, on_conflict in others:
            insert_rows(model, rows, on_conflict=on_conflict)
        _are_stored(objects)


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
    is_locked = lock and connection.vendor == "postgresql"
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
        if connection.vendor == "postgresql":
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
    document = _document(model, {name: fixed.get(name, name) for name in names})
    sql = (
        f"UPDATE {table} SET {changes} FROM {document}"  # noqa: S608 names of our columns
        f" WHERE {condition} RETURNING {table}.{quoted('id')}"
    )
    with connection.cursor() as cursor:
        _execute(cursor, sql, document_with(model, rows))
        return {pk for (pk,) in cursor.fetchall()}


def _execute(cursor: CursorWrapper, sql: str, document: str) -> None:
    """Execute one of the few statements that take a document, planned once where that is possible."""
    if connection.vendor == "postgresql":
        prepared.execute(cursor, sql.replace("%s", "$1"), ["json"], [document])
    else:
        cursor.execute(sql, [document])


@lru_cache(maxsize=256)
def _insertions(tables: tuple[tuple[type[Model], tuple[str, ...], str], ...]) -> str:
    """Return one statement for PostgreSQL that inserts the documents `$1`, `$2` … into tables."""
    *others, last = (
        _insertion("postgresql", model, columns, on_conflict=told).replace("%s", f"${number}")
        for number, (model, columns, told) in enumerate(tables, 1)
    )
    named = ", ".join(f"part_{number} AS ({sql})" for number, sql in enumerate(others))
    return f"WITH {named} {last}" if named else last


@lru_cache(maxsize=256)
def _insertion(
    vendor: str, model: type[Model], columns: tuple[str, ...], *, on_conflict: str = ""
) -> str:
    # Without a condition SQLite reads the word ON as that of a join.
    conflict = f" WHERE true ON CONFLICT {on_conflict}" if on_conflict else ""
    names = ", ".join(map(quoted, columns))
    document = document_of(vendor, model, tuple((name, name) for name in columns))
    return (
        f"INSERT INTO {table_of(model)} ({names}) SELECT {names}"  # noqa: S608 names of our columns
        f" FROM {document}{conflict}"
    )


@lru_cache(maxsize=128)
def _defaults(model: type[Model]) -> dict[str, Any]:
    """Return what columns hold that are not named, without keys and what is new for each row."""
    return {
        str(field.column): field.get_default()
        for field in model._meta.concrete_fields
        if not field.primary_key
        and (field.default in {dict, list, NOT_PROVIDED} or not callable(field.default))
    }


@lru_cache(maxsize=128)
def _attributes(model: type[Model]) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]]]:
    """Return defaults that instances may share, and those that each has for itself."""
    plain: dict[str, Any] = {}
    fresh: list[tuple[str, Callable[[], Any]]] = []
    for field in model._meta.concrete_fields:
        default = field.default
        if default in {dict, list}:
            fresh.append((field.attname, default))
        elif default is NOT_PROVIDED or not callable(default):
            plain[field.attname] = None if field.primary_key else field.get_default()
    return plain, fresh


@lru_cache(maxsize=128)
def _columns(model: type[Model], *, with_key: bool = True) -> tuple[str, ...]:
    fields = model._meta.concrete_fields
    return tuple(str(field.column) for field in fields if with_key or not field.primary_key)


def _rows(model: type[Model], objects: Sequence[Model]) -> list[dict[str, Any]]:
    """Return the columns of instances, without the key where the database gives it."""
    plain, others = _readers(model, with_key=objects[0].pk is not None)
    rows = [{column: of[name] for column, name in plain} for of in (vars(o) for o in objects)]
    for column, value in others:
        for row, each in zip(rows, objects, strict=True):
            row[column] = value(each, True)
    return rows


def _are_stored(objects: Mapping[type[Model], Iterable[Model]]) -> None:
    for of_it in objects.values():
        for each in of_it:
            each._state.adding, each._state.db = False, connection.alias


@lru_cache(maxsize=128)
def _readers(
    model: type[Model], *, with_key: bool
) -> tuple[list[tuple[str, str]], list[tuple[str, Callable[[Model, bool], Any]]]]:
    """Return how columns are read from instances: by an attribute, or by what sets it first."""
    fields = [f for f in model._meta.concrete_fields if with_key or not f.primary_key]
    sets = {f for f in fields if getattr(f, "auto_now", False) or getattr(f, "auto_now_add", False)}
    plain = [(str(field.column), field.attname) for field in fields if field not in sets]
    return plain, [(str(field.column), field.pre_save) for field in fields if field in sets]


def quoted(column: str) -> str:
    """Return a name as SQL takes it."""
    return connection.ops.quote_name(column)


def table_of(model: type[Model]) -> str:
    """Return the name of a model's table as SQL takes it."""
    return quoted(model._meta.db_table)


def _document(model: type[Model], columns: Mapping[str, str]) -> str:
    """Return what stands behind FROM: the document as a table named `given`.

    Args:
        model: Whose columns have the types.
        columns: Names in the document → columns of that type.
    """
    return document_of(connection.vendor, model, tuple(columns.items()))


@lru_cache(maxsize=256)
def document_of(vendor: str, model: type[Model], columns: tuple[tuple[str, str], ...]) -> str:
    """Return the document `%s` as a table named `given`, for FROM; see `_document`."""
    if vendor == "sqlite":
        values = ", ".join(f"json_extract(value, '$.{n}') AS {quoted(n)}" for n, _ in columns)
        return f"(SELECT key AS nr, {values} FROM json_each(%s)) AS given"  # noqa: S608 names of our columns
    types = types_of(model)
    defined = ", ".join(f"{quoted(name)} {types[column]}" for name, column in columns)
    return f"json_to_recordset(%s::json) AS given ({defined})"


@lru_cache(maxsize=128)
def types_of(model: type[Model]) -> Mapping[str, str]:
    """Return the types of a table's columns, as the database calls them."""
    return {
        str(field.column): str(field.db_type(connection)) for field in model._meta.concrete_fields
    }


def document_with(model: type[Model], rows: Sequence[Row]) -> str:
    """Return rows as the JSON that `document_of` reads."""
    if connection.vendor == "sqlite":
        known: dict[object, str] = {}

        def plain(value: object) -> str:
            # Most rows of a batch have the same few instants.
            if value not in known:
                known[value] = _plain(value)
            return known[value]

        return json.dumps(rows, default=plain, separators=(",", ":"), allow_nan=False)
    for column in _binary(model):
        if column in rows[0]:
            rows = [{**row, column: _as_hex(row[column])} for row in rows]
    # A fifteenth of the price, and it writes instants and UUIDs as PostgreSQL reads them.
    return msgspec.json.encode(rows, enc_hook=_plainer).decode()


def _as_hex(value: bytes | None) -> str | None:
    return None if value is None else f"\\x{value.hex()}"


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
