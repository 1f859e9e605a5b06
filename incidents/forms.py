"""Forms of integrations. They check and collect; `incidents.services` writes."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.models import User
from catalog.service_fields import offer_services
from core.forms import UnseenChangeMixin
from incidents.models import Integration

__all__ = ["IntegrationForm", "MappingForm"]


class IntegrationForm(UnseenChangeMixin, forms.ModelForm):
    """An integration; its kind is chosen once, since its key and its past belong to it."""

    signing_secret = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="With which the sender signs (any JSON webhook, Grafana, Sentry); empty keeps"
        " what is stored.",
    )
    forget_secret = forms.BooleanField(required=False, label="Take unsigned requests again")

    class Meta:
        model = Integration
        fields = (
            "kind",
            "name",
            "service",
            "is_enabled",
            "severity_map",
            "mapping",
            "runbook_url",
            "topic_arn",
        )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_services(self, user)
        if self.instance.pk:
            del self.fields["kind"]
        else:
            del self.fields["forget_secret"]

    def _post_clean(self) -> None:
        """Leave checking the whole to the service, which knows more than the model."""

    def values(self) -> dict[str, Any]:
        """Return what was entered, by field of the model."""
        without = {"signing_secret", "forget_secret"}
        entered = {name: value for name, value in self.cleaned_data.items() if name not in without}
        for name in ("severity_map", "mapping"):
            entered[name] = entered[name] or {}
        return entered

    def secret(self) -> str | None:
        """Return what was typed; None keeps what is stored."""
        if self.cleaned_data.get("forget_secret"):
            return ""
        return self.cleaned_data["signing_secret"] or None

    def refuse(self, error: ValidationError) -> None:
        """Show a refusal of the service at its fields."""
        for name, messages in error.message_dict.items():
            self.add_error(name if name in self.fields else None, messages)


class MappingForm(forms.Form):
    """Expressions to try on the last bodies."""

    mapping = forms.JSONField(
        required=False,
        initial=dict,
        help_text='JMESPath by field, e.g. {"title": "alert.name", "state": "alert.status"}.',
    )
