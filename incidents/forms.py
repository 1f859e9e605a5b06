"""Forms of integrations. They check and collect; `incidents.services` writes."""

import secrets
from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from accounts.models import User
from catalog.service_fields import offer_services
from core.durations import DurationField
from core.forms import JsonField, UnseenChangeMixin
from incidents.models import Integration

__all__ = ["IntegrationForm", "MappingForm"]


_OF_ONE_KIND = {
    "mapping": Integration.Kind.GENERIC,
    "topic_arn": Integration.Kind.AMAZON_SNS,
}


class IntegrationForm(UnseenChangeMixin, forms.ModelForm):
    """An integration; its kind is chosen once, since its key and its past belong to it."""

    signing_secret = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="With which the sender signs (any JSON webhook, Grafana, PagerDuty's webhooks,"
        " Sentry); empty keeps what is stored.",
    )
    hold_off = DurationField(
        required=False,
        help_text="How long alerts must have ended before their incident resolves, e.g. 5 min;"
        " empty: at once.",
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
            "auto_resolve",
            "hold_off",
            "runbook_url",
            "topic_arn",
        )
        field_classes: ClassVar = {"severity_map": JsonField, "mapping": JsonField}

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_services(self, user)
        if self.instance.pk:
            del self.fields["kind"]
            for name, kind in _OF_ONE_KIND.items():
                if kind != self.instance.kind:
                    del self.fields[name]
        else:
            del self.fields["forget_secret"]
            once = forms.CharField(widget=forms.HiddenInput, required=False, max_length=32)
            self.fields["once"] = once
            self.initial["once"] = secrets.token_hex(16)

    def clean(self) -> dict[str, Any]:
        """Refuse what only senders of another kind know, rather than ignoring it."""
        said: dict[str, Any] = super().clean()
        for name, kind in _OF_ONE_KIND.items():
            if "kind" in said and said.get(name) and said["kind"] != kind:
                self.add_error(name, f"Only for {kind.label}: leave it empty.")
        return said

    def _post_clean(self) -> None:
        """Leave checking the whole to the service, which knows more than the model."""

    def values(self) -> dict[str, Any]:
        """Return what was entered, by field of the model."""
        without = {"signing_secret", "forget_secret", "once"}
        entered = {name: value for name, value in self.cleaned_data.items() if name not in without}
        for name in {"severity_map", "mapping"} & entered.keys():
            entered[name] = entered[name] or {}
        entered["hold_off"] = entered["hold_off"] or timedelta()
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

    mapping = JsonField(
        required=False,
        initial=dict,
        help_text='JMESPath by field, e.g. {"title": "alert.name", "state": "alert.status"}.',
    )
