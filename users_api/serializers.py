"""A person as JSON."""

from typing import Any

from rest_framework import serializers

from core.api import StrictFieldsMixin
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


class PersonSerializer(StrictFieldsMixin, serializers.Serializer[Person]):
    """A person; every wrong or unknown field is named, all at once."""

    id = serializers.IntegerField(read_only=True)
    name = TextField(max_length=NAME_MAX, help_text="1 to 120 characters; outer space is dropped.")
    email = EmailField(max_length=EMAIL_MAX, help_text="Unique, whatever its case.")
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
