"""Admin of sources. Credentials are typed in and never shown."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.access import signed_in
from core import http_client
from core.clock import now
from slo.models import Source
from slo.services import sources
from slo.services.source_health import authentication
from slo.sources.prometheus_api import FEATURE

SECRETS = ("token", "username", "password")


class SourceForm(forms.ModelForm):
    """A source with fields for credentials that are only written."""

    token = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Bearer token; empty keeps what is stored.",
    )
    username = forms.CharField(required=False, help_text="Or a name with a password.")
    password = forms.CharField(
        required=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
    forget_credentials = forms.BooleanField(required=False)

    class Meta:
        model = Source
        fields = ["slug", "kind", "url", "region", "delay_minutes", "is_enabled"]

    def clean(self) -> dict[str, Any] | None:
        """Refuse half credentials, and addresses that would not be asked."""
        fields = super().clean() or {}
        if bool(fields.get("username")) != bool(fields.get("password")):
            raise ValidationError({"password": "Give name and password."})
        if fields.get("token") and fields.get("username"):
            raise ValidationError({"token": "Give a token or a name, not both."})
        is_signed_in = any(fields.get(name) for name in SECRETS)
        if is_signed_in and fields.get("kind") == Source.Kind.CLOUDWATCH:
            raise ValidationError(
                {"kind": "CloudWatch is asked with the worker's own AWS credentials."}
            )
        url = fields.get("url")
        if url and (refused := http_client.check_address(url, feature=FEATURE)):
            raise ValidationError({"url": refused})
        return fields

    def credentials(self) -> dict[str, str] | None:
        """Return what was typed; None keeps what is stored."""
        typed = {name: self.cleaned_data[name] for name in SECRETS if self.cleaned_data[name]}
        return {} if not typed and self.cleaned_data["forget_credentials"] else typed or None


@admin.register(Source)
class SourceAdmin(admin.ModelAdmin):
    """Systems that are asked for the minutes of SLIs."""

    form = SourceForm
    list_display = ["slug", "kind", "is_enabled", "complete_until", "failing_since"]
    list_filter = ["kind", "is_enabled"]
    search_fields = ["slug", "url"]
    readonly_fields = ["signed_in_by", "complete_until", "failing_since", "last_error"]

    @admin.display(description="Signed in by")
    def signed_in_by(self, source: Source) -> str:
        """Say how it is signed in to."""
        return authentication(source)

    def save_model(self, request: HttpRequest, obj: Source, form: ModelForm, change: bool) -> None:
        """Create or change through the service."""
        assert isinstance(form, SourceForm)
        stored = Source.objects.get(pk=obj.pk) if change else Source()
        fields = {name: form.cleaned_data[name] for name in SourceForm.Meta.fields}
        obj.pk = sources.save_source(
            stored,
            actor=signed_in(request),
            now=now(),
            fields=fields,
            credentials=form.credentials(),
        ).pk

    def delete_model(self, request: HttpRequest, obj: Source) -> None:
        """Delete through the service."""
        sources.delete_source(obj, actor=signed_in(request), now=now())
