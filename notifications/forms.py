"""Forms of contact methods, rules and quiet hours; `notifications.services` writes."""

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Self

from django import forms

from accounts.models import User
from core.forms import RefusalMixin
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod, NotificationRule, QuietHours

__all__ = ["BrowserForm", "CodeForm", "MethodForm", "QuietHoursForm", "RuleForm"]


class MethodForm(RefusalMixin, forms.Form):
    """A new way to reach somebody."""

    # A browser is added by the browser itself.
    kind = forms.ChoiceField(
        choices=[(str(kind), kind.label) for kind in Kind if kind is not Kind.WEB_PUSH]
    )
    address = forms.CharField(
        max_length=1000,
        help_text="Email address, number with country code, https address, Slack member or channel "
        "ID, or the address of a push service, e.g. ntfy://topic.",
    )
    label = forms.CharField(max_length=100, required=False, help_text="e.g. my phone.")


class BrowserForm(forms.Form):
    """A browser's subscription, as its script sends it."""

    subscription = forms.CharField(max_length=4000, widget=forms.HiddenInput)
    label = forms.CharField(max_length=100, required=False, widget=forms.HiddenInput)


class CodeForm(forms.Form):
    """The code that was sent."""

    code = forms.CharField(
        max_length=6,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code"}),
    )


class RuleForm(RefusalMixin, forms.Form):
    """By which method a person is called, and how long after they were called first."""

    shown_at: ClassVar[Mapping[str, str]] = {"delay": "minutes"}

    urgency = forms.ChoiceField(choices=NotificationRule.Urgency.choices)
    method = forms.ModelChoiceField(ContactMethod.objects.none())
    minutes = forms.IntegerField(label="After minutes", min_value=0, max_value=1440, initial=0)

    def __init__(self, *args: object, person: User, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        methods = self.fields["method"]
        assert isinstance(methods, forms.ModelChoiceField)
        methods.queryset = ContactMethod.objects.filter(person=person)

    @property
    def delay(self) -> timedelta:
        """How long after."""
        return timedelta(minutes=self.cleaned_data["minutes"])


class QuietHoursForm(RefusalMixin, forms.Form):
    """When a person is not called for what can wait."""

    begins = forms.TimeField(widget=forms.TimeInput({"type": "time"}, format="%H:%M"))
    ends = forms.TimeField(
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
        help_text="On the next day when it is not after.",
    )

    @classmethod
    def of(cls, quiet: QuietHours | None) -> Self:
        """Return the form with what holds now, or what most people want."""
        quiet = quiet or QuietHours()
        return cls(initial={"begins": quiet.begins, "ends": quiet.ends})
