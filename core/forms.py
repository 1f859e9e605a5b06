"""What forms of several apps share."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.forms.fields import InvalidJSONInput
from django.http import QueryDict

from core.errors import DomainError
from core.once import is_first_time, made_by, remember
from core.reach import BEYOND, is_within_reach

__all__ = [
    "AsOfMixin",
    "InstantField",
    "JsonField",
    "LinesField",
    "OnceMixin",
    "RefusalMixin",
    "UnseenChangeMixin",
    "changed_in",
]


class JsonField(forms.JSONField):
    """JSON that somebody typed; what Python cannot read is as wrong as what is not JSON.

    Django lets through that it is nested too deeply, or a number of thousands of digits.
    """

    def to_python(self, value: Any) -> Any:
        """Return what the text says."""
        try:
            return super().to_python(value)
        except (RecursionError, ValueError) as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what is shown again: what cannot be read as it was typed."""
        try:
            return super().bound_data(data, initial)
        except (RecursionError, ValueError):
            return InvalidJSONInput(data)


class LinesField(forms.CharField):
    """Several lines of text; a new line is one character, as whoever types it is shown.

    Browsers count it once, and send two.
    """

    def to_python(self, value: Any) -> str:
        """Return the text with the line ends that are stored."""
        text = super().to_python(value) or ""
        return text.replace("\r\n", "\n").replace("\r", "\n")


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


class OnceMixin(forms.BaseForm):
    """A form that makes one thing, however often its button is pressed before the answer comes.

    The same once more is a second tap, as long as what the first one made holds. Something else is
    meant, though it comes from the same page: the browser's way back leads to it.
    """

    once = ""  # Tells what was sent from all else, as soon as it was checked.

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        token = forms.CharField(widget=forms.HiddenInput, required=False, max_length=32)
        self.fields["once"] = token
        self.initial["once"] = secrets.token_hex(16)

    def clean(self) -> dict[str, Any]:
        """Keep the token apart: it is nothing that somebody entered."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if token := cleaned.pop("once", ""):
            entered = json.dumps([token, cleaned], sort_keys=True, default=_written)
            self.once = hashlib.sha256(entered.encode()).hexdigest()
        return cleaned

    def is_first_time(self) -> bool:
        """Return whether it was not sent before; ask within the transaction that does what it asks."""
        return is_first_time(self.once)

    def is_done(self, holding: QuerySet[Any]) -> bool:
        """Return whether what it makes was made by it before, and still holds.

        Ask within the transaction that does what it asks, and `remember` what is made.

        Args:
            holding: Rows of its kind that nobody has taken back.
        """
        return not self.is_first_time() and holding.filter(pk=made_by(self.once)).exists()

    def remember(self, made: Model) -> None:
        """Keep what it made, for whoever sends it again."""
        remember(self.once, made.pk)


class AsOfMixin(forms.BaseForm):
    """A form that notices when what it shows was changed after it was shown.

    It sends a digest of what it began with along, whoever changed whichever of it by whatever way.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_of_stored():
            self.fields["as_of"] = forms.CharField(widget=forms.HiddenInput, required=False)

    def is_of_stored(self) -> bool:
        """Whether others can change what it shows."""
        return True

    def shown(self) -> Any:
        """Return what the form began with, in values that are written the same each time."""
        return {name: _in_order(value) for name, value in self.initial.items()}

    def get_initial_for_field(self, field: forms.Field, field_name: str) -> Any:
        """Return what a field begins with; the digest is taken when all others are known."""
        if field_name == "as_of":
            return self._stamp()
        return super().get_initial_for_field(field, field_name)

    def clean(self) -> dict[str, Any]:
        """Refuse to write over what the reader has not seen; sent again it is meant."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "as_of" not in self.fields:
            return cleaned
        seen = cleaned.pop("as_of", "")
        if seen != self._stamp() and not self.is_told_elsewhere():
            assert isinstance(self.data, QueryDict)
            self.data = self.data.copy()
            self.data[self.add_prefix("as_of")] = self._stamp()
            raise ValidationError(
                "Somebody changed it after you opened this page. Nothing was saved: look at it in"
                " another tab; saving again replaces it by what stands here."
            )
        return cleaned

    def is_told_elsewhere(self) -> bool:
        """Whether another part of the page says already that it was changed, and what to do."""
        return False

    def _stamp(self) -> str:
        written = json.dumps(self.shown(), sort_keys=True, default=str)
        return hashlib.sha256(written.encode()).hexdigest()


class UnseenChangeMixin(AsOfMixin, forms.BaseModelForm):
    """A form that notices when its stored row was changed after it was shown."""

    def is_of_stored(self) -> bool:
        """Whether it is not the form of a new row."""
        return bool(self.instance.pk)


def _written(value: Any) -> str:
    """Return an entered value as it is told from others of its field."""
    return str(value.pk if isinstance(value, Model) else value)


def _in_order(value: Any) -> Any:
    """Return a choice of many in one order: the database gives it in any."""
    if not isinstance(value, list | tuple):
        return value
    return sorted(str(each.pk if isinstance(each, Model) else each) for each in value)


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


def changed_in(form: forms.BaseForm) -> dict[str, Any]:
    """Return what somebody changed in the form of a stored row: the rest stays as others left it."""
    return {name: form.cleaned_data[name] for name in form.changed_data}
