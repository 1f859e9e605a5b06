"""Telemetry in the admin: to be read, but for the bounds of a service."""

from typing import Any, cast

from django.contrib import admin
from django.http import HttpRequest

from accounts.models import User
from core import clock
from telemetry.models import ImportedLog, Series, ServiceTelemetry, TelemetryDelta
from telemetry.services import bounds


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Rows that only services write."""

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False


@admin.register(Series)
class SeriesAdmin(ReadOnlyAdmin):
    """Which endpoints and sources report."""

    list_display = ["name", "kind", "service", "first_seen_at"]
    list_filter = ["kind", "service"]
    search_fields = ["name"]
    list_select_related = ["service"]


@admin.register(ServiceTelemetry)
class ServiceTelemetryAdmin(ReadOnlyAdmin):
    """Since when and until when a service reports, and the bounds it is counted over."""

    list_display = ["service", "own_bounds_ms", "first_event_at", "last_event_at", "first_cover_at"]
    list_select_related = ["service"]
    readonly_fields = ["service", "first_event_at", "last_event_at", "first_cover_at"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Admins may change the bounds."""
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def save_model(self, request: HttpRequest, obj: Any, _form: Any, _change: bool) -> None:
        """Change the bounds the way everything else does."""
        bounds.set_own_bounds(
            obj.pk, obj.own_bounds_ms, now=clock.now(), actor=cast("User", request.user)
        )


@admin.register(TelemetryDelta)
class TelemetryDeltaAdmin(ReadOnlyAdmin):
    """Batches that wait to be merged, and those that were set aside with their error."""

    list_display = ["id", "received_at", "size", "attempts", "quarantined_at", "error"]
    list_filter = [("quarantined_at", admin.EmptyFieldListFilter)]
    exclude = ["payload"]


@admin.register(ImportedLog)
class ImportedLogAdmin(ReadOnlyAdmin):
    """How far which access log was counted."""

    list_display = ["name", "service", "lines", "first_minute", "last_minute", "imported_at"]
    list_filter = ["service"]
    search_fields = ["name"]
    list_select_related = ["service"]
    exclude = ["digest"]
