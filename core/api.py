"""What every resource of the API has in common.

- A field that the resource does not have is refused by its name: a typo is never dropped.
- Another row is named or null; an empty name is nobody's.
- All wrong fields are named at once.
- What looks like something else is not taken for it: an object for a list, an empty text for a length of time.
- Writes go through services; a serializer checks shapes, it does not save.
"""

import re
from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any, NoReturn

from django.db import models
from drf_spectacular.utils import extend_schema_field
from rest_framework import relations, serializers
from rest_framework.fields import empty

__all__ = ["ChoiceField", "KeyRelatedField", "StrictFieldsMixin", "WallTimesMixin"]

UNKNOWN = "There is no such field."
NO_LIST = 'Expected a list of items but got type "dict".'
UNNAMED = "Names nothing: use null for none."
_OFFSET = re.compile(r"[Zz]$|[+-]\d\d:?\d*$")


class KeyRelatedField(relations.PrimaryKeyRelatedField[models.Model]):
    """Another row by its key; a number with a fraction is none, REST framework would cut it."""

    def to_internal_value(self, data: Any) -> models.Model:
        """Return the row."""
        if isinstance(data, float):
            self.fail("incorrect_type", data_type=type(data).__name__)
        row: models.Model = super().to_internal_value(data)
        return row


class ChoiceField(serializers.ChoiceField):
    """One of a few values; who gives another one is told which there are."""

    default_error_messages = {
        "invalid_choice": '"{input}" is not a valid choice: use one of {choices}.'
    }

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        """Refuse a value."""
        super().fail(key, choices=", ".join(map(str, self.choices)), **kwargs)


class DurationField(serializers.DurationField):
    """A length of time; an empty one is a mistake, Django would read it as none at all."""

    def to_internal_value(self, value: Any) -> timedelta:
        """Return the length."""
        if isinstance(value, str) and not value.strip():
            self.fail("invalid", format="[DD] [HH:[MM:]]ss[.uuuuuu]")
        return super().to_internal_value(value)


class StrictFieldsMixin:
    """Refuse unknown fields, together with every other wrong one. Put before the serializer.

    PATCH may leave out fields of what it changes, not of the parts that stand in it: a list
    replaces the one before, so each part is whole.
    """

    serializer_related_field: Any = KeyRelatedField
    serializer_choice_field: Any = ChoiceField
    serializer_field_mapping: Any = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DurationField: DurationField,
    }

    def run_validation(self, data: Any = empty) -> Any:
        """REST framework's hook; a part is checked apart from the whole that asks for less."""
        root = self.root  # type: ignore[attr-defined]
        if root is not self and getattr(root, "partial", False) and isinstance(data, Mapping | str):
            return type(self)(context=self.context).run_validation(data)  # type: ignore[call-arg,attr-defined]
        return super().run_validation(data)  # type: ignore[misc]

    def to_internal_value(self, data: Any) -> Any:
        """REST framework's hook between the parsed body and `validated_data`."""
        refused = _refused(data, self.fields) if isinstance(data, Mapping) else {}  # type: ignore[attr-defined]
        try:
            value = super().to_internal_value(data)  # type: ignore[misc]
        except serializers.ValidationError as error:
            if isinstance(error.detail, dict):
                error.detail.update(refused)  # type: ignore[arg-type]
            raise
        if refused:
            raise serializers.ValidationError(refused)
        return value


def _refused(
    data: Mapping[Any, Any], fields: Mapping[str, serializers.Field[Any, Any, Any, Any]]
) -> dict[str, list[str]]:
    """Return what is wrong whatever the fields say: names that none has, rows without a name, no lists.

    REST framework takes "" for null, as forms have it; from a script it is a variable that is not set.
    It goes through whatever can be gone through, so that `{}` would be a list of nobody.
    """
    unknown = {str(name): [UNKNOWN] for name in data if name not in fields}
    unnamed = {
        name: [UNNAMED]
        for name, field in fields.items()
        if isinstance(field, relations.RelatedField)
        and not field.read_only
        and data.get(name) == ""
    }
    unlisted = {
        name: [NO_LIST]
        for name, field in fields.items()
        if isinstance(field, relations.ManyRelatedField) and isinstance(data.get(name), Mapping)
    }
    return unknown | unnamed | unlisted


@extend_schema_field(
    {"type": "string", "pattern": r"^\d{2}:\d{2}(:\d{2}(\.\d+)?)?$", "example": "09:00"}
)
class WallTimeField(serializers.TimeField):
    """A time on a clock at the wall; OpenAPI's own `time` is one with an offset."""

    def to_internal_value(self, value: Any) -> time:
        """Refuse an offset, which would be lost."""
        if isinstance(value, str) and _OFFSET.search(value):
            self.fail("invalid", format="hh:mm[:ss]")
        found: time = super().to_internal_value(value)
        return found


class WallTimesMixin(StrictFieldsMixin):
    """Take and show times of day as wall times, too. Put before the model serializer."""

    serializer_field_mapping = {
        **StrictFieldsMixin.serializer_field_mapping,
        models.TimeField: WallTimeField,
    }
