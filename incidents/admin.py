"""Admin of alerts (read only), integrations and heartbeats."""

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.access import signed_in
from core.clock import now
from incidents.models import Alert, Heartbeat, Integration
from incidents.services.heartbeats import save_heartbeat
from incidents.services.integrations import save_integration


@admin.register(Alert)
class AlertAdmin(admin.ModelAdmin):
    """What was wrong, and when."""

    list_display = ["title", "severity", "state", "service", "opened_at", "resolved_at"]
    list_filter = ["state", "severity", "source"]
    list_select_related = ["service"]
    search_fields = ["title", "dedup_key"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Alerts arrive through the intake."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Alerts change through the intake."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Alerts stay."""
        return False


@admin.register(Integration)
class IntegrationAdmin(admin.ModelAdmin):
    """Keys of senders; new ones are made on their page, which shows the key once."""

    list_display = ["name", "kind", "service", "masked_key", "is_enabled"]
    list_filter = ["kind", "is_enabled"]
    list_select_related = ["service"]
    search_fields = ["name", "service__slug"]
    fields = [
        "kind",
        "masked_key",
        "name",
        "service",
        "is_enabled",
        "severity_map",
        "mapping",
        "runbook_url",
        "topic_arn",
    ]
    readonly_fields = ["kind", "masked_key"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only the page shows the key."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What it sent stays; it is disabled instead."""
        return False

    def save_model(
        self, request: HttpRequest, obj: Integration, form: ModelForm, change: bool
    ) -> None:
        """Change through the service."""
        save_integration(
            Integration.objects.get(pk=obj.pk),
            fields=form.cleaned_data,
            actor=signed_in(request),
            now=now(),
        )


@admin.register(Heartbeat)
class HeartbeatAdmin(admin.ModelAdmin):
    """What must give a sign of life, and how often."""

    list_display = ["name", "integration", "state", "period", "grace", "last_sign_at", "due_at"]
    list_filter = ["state"]
    list_select_related = ["integration"]
    search_fields = ["name"]
    fields = ["integration", "name", "period", "grace", "severity", "is_paused", "uid", "state",
              "last_sign_at", "due_at"]  # fmt: skip
    readonly_fields = ["uid", "state", "last_sign_at", "due_at"]

    def save_model(
        self, request: HttpRequest, obj: Heartbeat, form: ModelForm, change: bool
    ) -> None:
        """Create or change through the service."""
        stored = Heartbeat.objects.get(pk=obj.pk) if change else Heartbeat()
        obj.pk = save_heartbeat(
            stored, fields=form.cleaned_data, actor=signed_in(request), now=now()
        ).pk
