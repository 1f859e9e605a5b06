"""Forms of on-call; `oncall.services` writes."""

from typing import Any, Self

from django import forms
from django.http import QueryDict

from accounts.models import User
from accounts.roles import Role
from core.forms import InstantField, OnceMixin, RefusalMixin
from oncall.models import Schedule
from oncall.services.handoffs import MOST_NOTES

__all__ = ["CalendarForm", "HandoffForm", "OverrideForm", "SwapForm"]

RESPONDING = [role for role in Role if role.includes(Role.RESPONDER)]


class CalendarForm(forms.Form):
    """Of what a calendar is; of one's own shifts where no schedule is named."""

    schedule = forms.ModelChoiceField(Schedule.objects.all(), to_field_name="slug", required=False)


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


class HandoffForm(RefusalMixin, forms.Form):
    """What whoever comes must know."""

    # The service counts them: here a new line would be two characters.
    notes = forms.CharField(
        label="What whoever comes must know",
        required=False,
        widget=forms.Textarea({"rows": 6, "maxlength": MOST_NOTES}),
    )
    seen = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput)

    def show(self, edition: str) -> None:
        """Send along which notes are replaced: those that the reader sees now."""
        self.initial["seen"] = edition
        if self.is_bound:
            assert isinstance(self.data, QueryDict)
            self.data = self.data.copy()
            self.data["seen"] = edition
