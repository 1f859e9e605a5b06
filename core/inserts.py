"""New rows of several tables that go to the database together, and what they are made of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django.db.models import NOT_PROVIDED, BinaryField, Model
from django.db.models.base import ModelState

from core.bulk import Part, insert_together, on_postgresql

__all__ = ["Inserts", "made"]

Row = Mapping[str, Any]
M = TypeVar("M", bound=Model)


def made(model: type[M], *, related: Mapping[str, Model | None] | None = None, **columns: Any) -> M:
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
        if other is not None:
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

    def write(self, *, then: str = "") -> tuple[Any, ...] | None:
        """Insert what was remembered: tables of instances first, each kind in the order it came.

        Args:
            then: What PostgreSQL is to do next; see `insert_together`.
        """
        objects, self._objects = self._objects, {}
        loose, self._rows = self._rows, {}
        shared, self._known = self._known, {}
        if both := objects.keys() & loose.keys():
            raise RuntimeError(f"Instances and rows of one table: {both}")
        others = [
            *(Part(model, rows) for model, rows in loose.items()),
            # In one order for everybody: two that store the same new rows do not wait for each other.
            *(
                Part(model, [rows[pk] for pk in sorted(rows)], "DO NOTHING")
                for model, rows in shared.items()
            ),
        ]
        if on_postgresql():
            built = (_part(model, of_it) for model, of_it in objects.items())
            found = insert_together([*built, *others], then=then)
            _are_stored(objects)
            return found
        for model, of_it in objects.items():
            if any(isinstance(field, BinaryField) for field in model._meta.concrete_fields):
                # SQLite's JSON has no way to say bytes.
                model._base_manager.bulk_create(of_it)
            else:
                insert_together([_part(model, of_it)])
        insert_together(others)
        _are_stored(objects)
        return None


@lru_cache(maxsize=128)
def _defaults(model: type[Model]) -> dict[str, Any]:
    """Return what columns hold that are not named, without keys and what is new for each row."""
    plain, fresh = _attributes(model)
    values = {**plain, **{name: default() for name, default in fresh}}
    values.pop(model._meta.pk.attname, None)
    return values


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


def _part(model: type[Model], objects: Sequence[Model]) -> Part:
    """Return what is stored of instances, without the key where the database gives it."""
    plain, others = _readers(model, with_key=objects[0].pk is not None)
    if not others and all(column == name for column, name in plain):
        return Part(
            model, [vars(each) for each in objects], columns=tuple(name for name, _ in plain)
        )
    rows = [{column: of[name] for column, name in plain} for of in (vars(o) for o in objects)]
    for column, value in others:
        for row, each in zip(rows, objects, strict=True):
            row[column] = value(each, True)
    return Part(model, rows)


def _are_stored(objects: Mapping[type[Model], Iterable[Model]]) -> None:
    for of_it in objects.values():
        for each in of_it:
            state = each._state
            state.adding, state.db = False, DEFAULT_DB_ALIAS


@lru_cache(maxsize=128)
def _readers(
    model: type[Model], *, with_key: bool
) -> tuple[list[tuple[str, str]], list[tuple[str, Callable[[Model, bool], Any]]]]:
    """Return how columns are read from instances: by an attribute, or by what sets it first."""
    fields = [f for f in model._meta.concrete_fields if with_key or not f.primary_key]
    sets = {f for f in fields if getattr(f, "auto_now", False) or getattr(f, "auto_now_add", False)}
    plain = [(str(field.column), field.attname) for field in fields if field not in sets]
    return plain, [(str(field.column), field.pre_save) for field in fields if field in sets]
