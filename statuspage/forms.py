"""Asking to be told."""

from typing import Any

from django import forms

from core.forms import OnceMixin, RefusalMixin
from statuspage.models import Component

__all__ = ["SubscribeForm"]


class SubscribeForm(OnceMixin, RefusalMixin, forms.Form):
    """An address, and what its owner wants to hear of."""

    email = forms.EmailField(
        max_length=254,
        widget=forms.EmailInput({"autocomplete": "email"}),
        error_messages={
            "required": "Type the address that is to be told.",
            "invalid": "This is no email address: it looks like name@example.org.",
        },
    )
    components = forms.ModelMultipleChoiceField(
        queryset=Component.objects.none(),
        required=False,
        to_field_name="public_id",
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["components"]
        assert isinstance(chosen, forms.ModelMultipleChoiceField)
        chosen.queryset = Component.objects.shown()
        if self.errors.get("email"):
            self.fields["email"].widget.attrs |= {
                "aria-invalid": "true",
                "aria-describedby": "id_email_error",
            }
