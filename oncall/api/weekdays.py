"""Days of the week, as layers and policies have them."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from oncall.models.schedules import weekday_list

__all__ = ["WeekdaysField"]


@extend_schema_field(
    {
        "type": "array",
        "items": {"type": "integer", "minimum": 0, "maximum": 6},
        "minItems": 1,
        "description": "Monday is 0.",
        "example": [0, 1, 2, 3, 4],
    }
)
class WeekdaysField(serializers.JSONField):
    """A list of weekdays, one at least."""

    default_validators = [weekday_list]
