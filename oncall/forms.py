"""Forms of on-call; `oncall.services` writes."""

from typing import Any, Self

from django import forms

from accounts.models import User
from accounts.roles import Role
from core.forms import InstantField, OnceMixin, RefusalMixin

__all__ = ["OverrideForm", "SwapForm"]

RESPONDING = [role for role in Role if role.includes(Role.RESPONDER)]


class OverrideForm(OnceMixin, RefusalMixin, forms.Form):
    """Who takes over, and when; times are UTC."""

    person = forms.ModelChoiceField(
        User.objects.filter(is_active=True).order_by("username"), to_field_name="username"
    )
    starts_at = InstantField(label="From")
    ends_at = InstantField(label="Until")
    reason = forms.CharField(max_length=200, required=False)


class SwapForm(OnceMixin, RefusalMixin, forms.Form):
    """When somebody wants to be replaced, and by whom; times are UTC."""

    starts_at = InstantField(label="From")
    ends_at = InstantField(label="Until")
    offered_to = forms.ModelChoiceField(
        User.objects.filter(is_active=True, role__in=RESPONDING).order_by("username"),
        label="By",
        to_field_name="username",
        required=False,
        empty_label="anybody who accepts",
    )
    reason = forms.CharField(max_length=200, required=False)

    def __init__(self, data: Any = None) -> None:
        # It stands beside the form with which somebody takes over, whose fields are called alike.
        super().__init__(data, auto_id="swap-%s")

    def asked_by(self, person: User) -> Self:
        """Leave out whoever asks: nobody takes their own place."""
        field = self.fields["offered_to"]
        assert isinstance(field, forms.ModelChoiceField)
        assert field.queryset is not None
        field.queryset = field.queryset.exclude(pk=person.pk)
        return self
