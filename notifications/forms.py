"""Forms of contact methods and rules; `notifications.services` writes."""

from datetime import timedelta

from django import forms

from accounts.models import User
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod, NotificationRule

__all__ = ["BrowserForm", "CodeForm", "MethodForm", "RuleForm"]


class MethodForm(forms.Form):
    """A new way to reach somebody."""

    # A browser is added by the browser itself.
    kind = forms.ChoiceField(
        choices=[(str(kind), kind.label) for kind in Kind if kind is not Kind.WEB_PUSH]
    )
    address = forms.CharField(
        max_length=1000,
        help_text="Email address, number with country code, https address, Slack member ID, or the "
        "address of a push service, e.g. ntfy://topic.",
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


class RuleForm(forms.Form):
    """By which method a person is called, and how long after they were called first."""

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
