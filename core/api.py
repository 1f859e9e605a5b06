"""What every resource of the API has in common.

- A field that the resource does not have is refused by its name: a typo is never dropped.
- All wrong fields are named at once.
- `ordering` takes only what the view lists.
- Writes go through services; a serializer checks shapes, it does not save.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django_filters import IsoDateTimeFilter
from django_filters.fields import IsoDateTimeField
from drf_spectacular.utils import extend_schema_field
from rest_framework import filters, serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from core.errors import InvalidInput

__all__ = ["InstantFilter", "StrictFieldsMixin", "StrictOrderingFilter", "WallTimesMixin"]

UNKNOWN = "There is no such field."


class StrictFieldsMixin:
    """Refuse unknown fields, together with every other wrong one. Put before the serializer."""

    def to_internal_value(self, data: Any) -> Any:
        """REST framework's hook between the parsed body and `validated_data`."""
        unknown = (
            {str(name): [UNKNOWN] for name in data if name not in self.fields}  # type: ignore[attr-defined]
            if isinstance(data, Mapping)
            else {}
        )
        try:
            value = super().to_internal_value(data)  # type: ignore[misc]
        except serializers.ValidationError as error:
            if isinstance(error.detail, dict):
                error.detail.update(unknown)  # type: ignore[arg-type]
            raise
        if unknown:
            raise serializers.ValidationError(unknown)
        return value


class StrictOrderingFilter(filters.OrderingFilter):
    """`?ordering=tier,-name` over the view's `ordering_fields`; another name is refused."""

    def get_ordering(
        self, request: Request, queryset: QuerySet[Any], view: APIView
    ) -> tuple[str, ...] | None:
        """Return the asked ordering, or the view's own."""
        given = request.query_params.get(self.ordering_param, "")
        asked = [term.strip() for term in given.split(",") if term.strip()]
        if not asked:
            return self._own(view)
        allowed = [name for name, _ in self.get_valid_fields(queryset, view, {"request": request})]
        wrong = [term for term in asked if term.removeprefix("-") not in allowed]
        if wrong:
            raise InvalidInput(
                f"{', '.join(wrong)}: order by one of {', '.join(allowed)}; - for descending.",
                field=self.ordering_param,
            )
        return tuple(asked)

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


@extend_schema_field(
    {"type": "string", "pattern": r"^\d{2}:\d{2}(:\d{2}(\.\d+)?)?$", "example": "09:00"}
)
class WallTimeField(serializers.TimeField):
    """A time on a clock at the wall; OpenAPI's own `time` is one with an offset."""


class WallTimesMixin:
    """Take and show times of day as wall times. Put before the model serializer."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.TimeField: WallTimeField,
    }


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
