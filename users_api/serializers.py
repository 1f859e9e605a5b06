"""A person as JSON."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from users_api.models import EMAIL_MAX, NAME_MAX, Person


class TextField(serializers.CharField):
    """Text only: a number or a truth value is a mistake of the sender, not a name."""

    def to_internal_value(self, data: Any) -> str:
        """REST framework's hook."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class EmailField(TextField, serializers.EmailField):
    """An email address, as text."""


class PersonSerializer(serializers.Serializer[Person]):
    """A person; every wrong or unknown field is named, all at once."""

    id = serializers.IntegerField(read_only=True)
    name = TextField(max_length=NAME_MAX, help_text="1 to 120 characters; outer space is dropped.")
    email = EmailField(max_length=EMAIL_MAX, help_text="Unique, whatever its case.")
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """REST framework's hook between the parsed body and `validated_data`."""
        names = set(data) - set(self.fields) if isinstance(data, Mapping) else set()
        wrong: dict[str, Any] = {str(name): ["There is no such field."] for name in names}
        try:
            value: dict[str, Any] = super().to_internal_value(data)
        except serializers.ValidationError as error:
            found = error.detail if isinstance(error.detail, dict) else {"body": error.detail}
            raise serializers.ValidationError({**found, **wrong}) from error
        if wrong:
            raise serializers.ValidationError(wrong)
        return value
