"""Admin of alerts: read only, since they open and resolve through the intake."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from incidents.models import Alert


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
