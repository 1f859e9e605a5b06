"""Forms of on-call; `oncall.services` writes."""

from django import forms

from accounts.models import User
from core.forms import InstantField

__all__ = ["OverrideForm", "SwapForm"]


class OverrideForm(forms.Form):
    """Who takes over, and when; times are UTC."""

    person = forms.ModelChoiceField(
        User.objects.filter(is_active=True).order_by("username"), to_field_name="username"
    )
    starts_at = InstantField(label="From")
    ends_at = InstantField(label="Until")
    reason = forms.CharField(max_length=200, required=False)


class SwapForm(forms.Form):
    """When somebody wants to be replaced, and by whom; times are UTC."""

    starts_at = InstantField(label="From")
    ends_at = InstantField(label="Until")
    offered_to = forms.ModelChoiceField(
        User.objects.filter(is_active=True).order_by("username"),
        label="By",
        to_field_name="username",
        required=False,
        empty_label="anybody who accepts",
    )
    reason = forms.CharField(max_length=200, required=False)
