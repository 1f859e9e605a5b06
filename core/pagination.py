"""Keyset pagination: flat in depth, stable while rows arrive, the same for pages and the API.

A cursor holds the sort key of the last row shown, never an offset. The primary key is appended to
every ordering, so that rows with equal keys are neither skipped nor shown twice however many there
are. Columns that may be NULL cannot be sorted by.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Field, Model, Q, QuerySet
from rest_framework import pagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from core.errors import InvalidInput
from core.storable import storable

M = TypeVar("M", bound=Model)

__all__ = ["CursorPagination", "KeysetPage", "Newest", "keyset_page", "newest", "read_page_size"]


_DAMAGED = (LookupError, ValueError, TypeError, ValidationError, RecursionError, OverflowError)
FOREIGN_CURSOR = "This cursor belongs to another list. Start again without it."


@dataclass(frozen=True)
class KeysetPage(Generic[M]):
    """One page of rows, and the cursors of its neighbours (None when there is none)."""

    rows: list[M]
    next: str | None
    previous: str | None


@dataclass(frozen=True)
class _Cursor:
    ordering: tuple[str, ...]
    values: tuple[Any, ...]
    backwards: bool

    def encode(self) -> str:
        raw = json.dumps([self.ordering, self.values, self.backwards], separators=(",", ":"))
        return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def keyset_page(
    queryset: QuerySet[M], *, ordering: Sequence[str], cursor: str | None, size: int
) -> KeysetPage[M]:
    """Return the page of `queryset` that `cursor` points at; the first one without a cursor.

    Args:
        queryset: The rows; its own ordering is replaced.
        ordering: Column names, "-" for descending; none of them nullable.
        cursor: `next` or `previous` of another page in the same ordering.
        size: Most rows on the page.

    Raises:
        InvalidInput: The cursor is damaged or belongs to another ordering (field `cursor`).
    """
    keys = _total_order(ordering)
    at = _decode(cursor, keys, queryset.model) if cursor else None
    backwards = at is not None and at.backwards
    walk = tuple(_reversed(key) for key in keys) if backwards else keys
    rows = queryset.order_by(*walk)
    if at is not None:
        rows = rows.filter(_after(walk, at.values))
    found = list(rows[: size + 1])
    has_more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    has_next = bool(found) and (backwards or has_more)
    has_previous = bool(found) and (has_more if backwards else at is not None)
    return KeysetPage(
        rows=found,
        next=_cursor_at(found[-1], keys, backwards=False) if has_next else None,
        previous=_cursor_at(found[0], keys, backwards=True) if has_previous else None,
    )


@dataclass(frozen=True)
class Newest(Generic[M]):
    """The first rows of a list, and how many more it has."""

    rows: list[M]
    older: int


def newest(queryset: QuerySet[M], most: int) -> Newest[M]:
    """Return at most `most` rows in their order; the rest is counted only where there is any."""
    rows = list(queryset[: most + 1])
    older = queryset.count() - most if len(rows) > most else 0
    return Newest(rows[:most], older)


def read_page_size(given: str | None, *, default: int, most: int) -> int:
    """Return the asked page size.

    Raises:
        InvalidInput: Not a whole number between 1 and `most` (field `page_size`).
    """
    if not given:
        return default
    if given.isascii() and given.isdecimal() and len(given) <= 6 and 1 <= int(given) <= most:
        return int(given)
    raise InvalidInput(f"Use a whole number between 1 and {most}.", field="page_size")


def _total_order(ordering: Sequence[str]) -> tuple[str, ...]:
    names = {key.lstrip("-") for key in ordering}
    return tuple(ordering) if names & {"pk", "id"} else (*ordering, "pk")


def _reversed(key: str) -> str:
    return key[1:] if key.startswith("-") else f"-{key}"


def _after(keys: tuple[str, ...], values: tuple[Any, ...]) -> Q:
    """Return the rows behind `values` in the order `keys`: (a, b) > (x, y), spelt out."""
    condition = Q()
    equal = Q()
    for key, value in zip(keys, values, strict=True):
        name = key.lstrip("-")
        condition |= equal & Q(**{f"{name}__{'lt' if key.startswith('-') else 'gt'}": value})
        equal &= Q(**{name: value})
    return condition


def _cursor_at(row: Model, keys: tuple[str, ...], *, backwards: bool) -> str:
    values = tuple(_plain(getattr(row, key.lstrip("-"))) for key in keys)
    return _Cursor(keys, values, backwards).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, int | str) else str(value)


def _decode(cursor: str, keys: tuple[str, ...], model: type[Model]) -> _Cursor:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        ordering, values, backwards = json.loads(base64.urlsafe_b64decode(padded))
        given = dict(zip(ordering, values, strict=True))
        typed = tuple(_typed(model, key, given.pop(key)) for key in keys)
    except _DAMAGED as error:
        raise InvalidInput(FOREIGN_CURSOR, field="cursor") from error
    if given:
        raise InvalidInput(FOREIGN_CURSOR, field="cursor")
    return _Cursor(keys, typed, bool(backwards))


def _typed(model: type[Model], key: str, value: Any) -> Any:
    name = key.lstrip("-")
    if not isinstance(value, int | str):
        raise TypeError("a key is text or a number")
    if isinstance(value, str) and storable(value) != value:
        raise ValueError("no database compares with that")
    try:
        field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    except FieldDoesNotExist:
        return value
    typed = field.to_python(value) if isinstance(field, Field) else value
    if isinstance(typed, int) and abs(typed) > 2**63 - 1:
        raise ValueError("beyond the column's range")
    if isinstance(typed, datetime) and typed.tzinfo:
        # Databases know no instant that is outside of the calendar in UTC.
        return typed.astimezone(UTC)
    return typed


class CursorPagination(pagination.CursorPagination):
    """`results`, `next`, `previous`; `page_size` up to 500; newest first unless a view says else.

    The envelope, the schema and the choice of ordering are REST framework's; the cursor is ours,
    because theirs counts an offset within equal keys and stops counting at 1000.
    """

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
    ordering = "-pk"

    def paginate_queryset(  # type: ignore[override]
        self, queryset: QuerySet[Any], request: Request, view: APIView
    ) -> list[Any]:
        """Return the rows of the asked page and remember its neighbours."""
        size = read_page_size(
            request.query_params.get("page_size"), default=self.page_size, most=self.max_page_size
        )
        self.neighbours: KeysetPage[Any] = keyset_page(
            queryset,
            ordering=self.get_ordering(request, queryset, view),
            cursor=request.query_params.get("cursor"),
            size=size,
        )
        self.base_url = request.build_absolute_uri()
        return self.neighbours.rows

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page: addresses of its neighbours, null at the ends."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """Describe the parameters, with the page sizes that are taken."""
        described: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for one in described:
            if one["name"] == self.page_size_query_param:
                one["schema"] |= {"minimum": 1, "maximum": self.max_page_size}
        return described

    def get_next_link(self) -> str | None:
        """Return the address of the next page."""
        return self._link(self.neighbours.next)

    def get_previous_link(self) -> str | None:
        """Return the address of the previous page."""
        return self._link(self.neighbours.previous)

    def _link(self, cursor: str | None) -> str | None:
        return replace_query_param(str(self.base_url), "cursor", cursor) if cursor else None
