"""What a list of the API can be asked for, the same for every resource.

- `?FIELD=value` for each field of a row that is a column, also through a relation: `service`, not
  the path to its slug. Fields with a fixed set of values may be repeated: any of them is kept.
- `?FIELD__gte=instant` and `?FIELD__lt=instant` for each time.
- `?ordering=tier,-name` over columns that are never empty, or over the view's `ordering_fields`.
- `?search=` where the view has `search_fields`.
- Whatever else is asked for is refused by its name, and so is a filter without a value: a filter
  with a slip in it would show every row.

A view adds what goes beyond (ranges, other names) by its `filterset_class`.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django import forms
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.models import Field, Model, QuerySet
from django_filters import (
    BooleanFilter,
    Filter,
    FilterSet,
    IsoDateTimeFilter,
    MultipleChoiceFilter,
)
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import filters, serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from core.errors import InvalidInput

__all__ = [
    "InstantFilter",
    "ListFilter",
    "ListOrdering",
    "ListSearch",
    "TruthFilter",
    "refuse_blank",
    "refuse_unknown_parameters",
]

SORTABLE = (
    models.BooleanField,
    models.CharField,
    models.DateField,
    models.DecimalField,
    models.IntegerField,
)
FILTERABLE = (*SORTABLE, models.UUIDField)
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}
# Of every list: pages, the form of the answer.
COMMON = ("cursor", "page_size", "format")
BLANK = "Give a value, or leave it out."
UNFILTERED = "Give a value, or leave it out: without one it would keep every row."


def refuse_unknown_parameters(request: Request, known: set[str]) -> None:
    """Refuse what a list does not know.

    Args:
        request: Of the list.
        known: Names beside those of every list.

    Raises:
        InvalidInput: Names each parameter that nobody reads.
    """
    known = known | set(COMMON)
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        message = f"There is no such parameter. There are: {', '.join(sorted(known))}."
        raise InvalidInput(message, fields={name: [message] for name in unknown})


class InstantField(IsoDateTimeField):
    """An instant in any offset, as UTC: databases refuse offsets that Python takes."""

    def to_python(self, value: Any) -> datetime | None:
        """Return the instant in UTC."""
        at = super().to_python(value)
        try:
            return at.astimezone(UTC) if at else None
        except OverflowError as error:
            raise ValidationError("Use an instant within the calendar.") from error


class InstantFilter(IsoDateTimeFilter):
    """Compares with an instant given as ISO 8601."""

    field_class = InstantField


class TruthField(forms.NullBooleanField):
    """true or false, or 1 or 0; Django takes any other word for no filter at all."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> bool | None:  # type: ignore[override]
        """Return the truth; None where nothing is asked."""
        said = str(value or "").strip().lower()
        if said and said not in _TRUTHS:
            raise ValidationError("Use true or false.")
        return _TRUTHS.get(said)


class TruthFilter(BooleanFilter):
    """Keeps rows where something is so, or is not."""

    field_class = TruthField


class ListFilter(DjangoFilterBackend):
    """Filters by the fields of a row and by the view's own `filterset_class`."""

    def get_filterset_class(
        self, view: APIView, queryset: QuerySet[Any] | None = None
    ) -> type[FilterSet] | None:
        """Return the filters of the view's rows."""
        if queryset is None:
            return None
        return _filters(*_view_and_model(view, queryset))

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: APIView
    ) -> QuerySet[Any]:
        """Keep the rows that are asked for; on a list, refuse what nobody reads."""
        if getattr(view, "action", None) != "list":
            return queryset
        chosen = _filters(*_view_and_model(view, queryset))
        refuse_unknown_parameters(request, {*chosen.base_filters, *_other_names(view)})
        _refuse_repeated(request, chosen)
        refuse_blank(request, {*chosen.base_filters, "search"}, why=UNFILTERED)
        kept: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return kept


class ListSearch(filters.SearchFilter):
    """`?search=words`, where the view says in what."""

    def get_schema_operation_parameters(self, view: Any) -> Any:
        """Leave it out of the schema where nothing is searched."""
        return super().get_schema_operation_parameters(view) if _searches(view) else []


class ListOrdering(filters.OrderingFilter):
    """`?ordering=tier,-name`; a name by which nothing is ordered is refused."""

    def get_ordering(
        self, request: Request, queryset: QuerySet[Any], view: APIView
    ) -> tuple[str, ...] | None:
        """Return the asked ordering, or the view's own."""
        given = request.query_params.get(self.ordering_param, "")
        asked = [term.strip() for term in given.split(",") if term.strip()]
        if not asked:
            return self._own(view)
        allowed = [name for name, _ in self.get_valid_fields(queryset, view)]
        wrong = [term for term in asked if term.removeprefix("-") not in allowed]
        if wrong:
            raise InvalidInput(
                f"{', '.join(wrong)}: order by one of {', '.join(allowed)}; - for descending.",
                field=self.ordering_param,
            )
        return _once(asked)

    def get_valid_fields(
        self, queryset: QuerySet[Any], view: Any, context: Any = None
    ) -> list[tuple[str, str]]:
        """Return the columns to order by, each with its name for people."""
        names = getattr(view, "ordering_fields", None) or _sortable(
            *_view_and_model(view, queryset)
        )
        return [(name, name) for name in names]

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: APIView
    ) -> QuerySet[Any]:
        """Order the rows."""
        ordering = self.get_ordering(request, queryset, view)
        return queryset.order_by(*ordering) if ordering else queryset

    @staticmethod
    def _own(view: APIView) -> tuple[str, ...] | None:
        own = getattr(view, "ordering", None)
        return (own,) if isinstance(own, str) else tuple(own) if own else None


def _once(terms: Iterable[str]) -> tuple[str, ...]:
    """Return the terms without those whose column stands before: it decides nothing again."""
    columns: dict[str, str] = {}
    for term in terms:
        columns.setdefault(term.removeprefix("-"), term)
    return tuple(columns.values())


def _refuse_repeated(request: Request, chosen: type[FilterSet]) -> None:
    several = {
        name for name, one in chosen.base_filters.items() if isinstance(one, MultipleChoiceFilter)
    }
    twice = [
        name
        for name, given in request.query_params.lists()
        if len(given) > 1 and name not in several
    ]
    if twice:
        message = "Give it once: only one value is read."
        raise InvalidInput(message, fields={name: [message] for name in twice})


def refuse_blank(request: Request, names: set[str], *, why: str = BLANK) -> None:
    """Refuse parameters without a value, as a script asks whose variable is not set.

    Raises:
        InvalidInput: Names each of them.
    """
    blank = [
        name
        for name, given in request.query_params.lists()
        if name in names and not all(value.strip() for value in given)
    ]
    if blank:
        raise InvalidInput(why, fields={name: [why] for name in blank})


def _other_names(view: APIView) -> Iterator[str]:
    if _searches(view):
        yield "search"
    yield "ordering"


def _searches(view: Any) -> bool:
    return bool(getattr(view, "search_fields", None))


def _view_and_model(view: Any, queryset: QuerySet[Any]) -> tuple[Any, Any]:
    return type(view), queryset.model


@cache
def _filters(view: type[Any], model: type[Model]) -> type[FilterSet]:
    """Return the view's own filters and one for each field of a row."""
    own: type[FilterSet] = getattr(view, "filterset_class", None) or FilterSet
    found = {
        key: one
        for name, path, column in _columns(view, model)
        for key, one in _filters_of(name, path, column)
        if key not in own.base_filters
    }
    meta = type("Meta", (), {"model": model, "fields": []})
    return type(f"{view.__name__}Filters", (own,), {**own.base_filters, **found, "Meta": meta})


def _filters_of(name: str, path: str, column: "Field[Any, Any]") -> Iterator[tuple[str, Filter]]:
    if isinstance(column, models.DateTimeField):
        yield f"{name}__gte", InstantFilter(field_name=path, lookup_expr="gte")
        yield f"{name}__lt", InstantFilter(field_name=path, lookup_expr="lt")
    elif isinstance(column, models.BooleanField):
        yield name, TruthFilter(field_name=path)
    elif column.choices:
        yield name, MultipleChoiceFilter(field_name=path, choices=column.choices, distinct=False)
    else:
        yield name, FilterSet.filter_for_field(column, path)


def _columns(view: type[Any], model: type[Model]) -> Iterator[tuple[str, str, "Field[Any, Any]"]]:
    """Yield each field of a row that is a column: its name, its path and the column."""
    for name, field in view.serializer_class().fields.items():
        if isinstance(field, serializers.SlugRelatedField):
            path = f"{field.source}.{field.slug_field}"
        elif isinstance(field, serializers.PrimaryKeyRelatedField):
            path = f"{field.source}.pk"
        else:
            path = field.source or ""
        column = _column(model, path)
        if isinstance(column, FILTERABLE) and not field.write_only:
            yield name, path.replace(".", "__"), column


def _column(model: type[Model], path: str) -> "Field[Any, Any] | None":
    *relations, last = path.split(".")
    try:
        for name in relations:
            found = model._meta.get_field(name).related_model
            model = found  # type: ignore[assignment]
        column = model._meta.pk if last == "pk" else model._meta.get_field(last)
    except (FieldDoesNotExist, AttributeError):
        return None
    return column if isinstance(column, Field) else None


@cache
def _sortable(view: type[Any], model: type[Model]) -> tuple[str, ...]:
    return tuple(
        name
        for name, path, column in _columns(view, model)
        if name == path and isinstance(column, SORTABLE) and not column.null
    )
