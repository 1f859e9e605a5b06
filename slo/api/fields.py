"""What serializers of this app share."""

from typing import Any

from rest_framework import serializers


class KnownFieldsMixin(serializers.Serializer[Any]):
    """Refuses fields that do not exist, by name, instead of dropping them silently."""

    def to_internal_value(self, data: Any) -> Any:
        """Check the names before the values."""
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError({name: ["Unknown field."] for name in unknown})
        return super().to_internal_value(data)
