"""What forms of several apps share."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from core.errors import DomainError
from core.reach import BEYOND, is_within_reach

__all__ = ["InstantField", "RefusalMixin"]


class RefusalMixin(forms.BaseForm):
    """A form that shows what the service refuses at its own fields."""

    # Where a refusal of a field is shown that the form has under another name.
    shown_at: ClassVar[Mapping[str, str]] = {}

    def refuse(self, error: DomainError) -> None:
        """Show a refusal of the service at its fields, or above all where the form has none such."""
        if not error.fields:
            self.add_error(None, error.message)
        for name, said in error.fields.items():
            field = self.shown_at.get(name, name)
            self.add_error(field if field in self.fields else None, said)


class InstantField(forms.DateTimeField):
    """A date and time in UTC, with the browser's own picker."""

    widget = forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"help_text": "UTC.", **options})

    def clean(self, value: Any) -> datetime | None:
        """Return the instant, None where nothing was entered.

        Raises:
            ValidationError: It is none, or out of reach.
        """
        found: datetime | None = super().clean(value)
        if found is not None and not is_within_reach(found):
            raise ValidationError(BEYOND)
        return found
