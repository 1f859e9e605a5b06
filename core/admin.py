"""Admin of what the portal does by itself: read only."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from core import audit, clock
from core.models import AuditEntry, JobSlot, ProcessHeartbeat


class AuditedAdmin(admin.ModelAdmin[Model]):
    """Writes an audit row for each change, in the transaction of Django's own history."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Write both down."""
        self._record("created", obj, request, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Write both down."""
        self._record("changed", obj, request, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Write both down."""
        for obj in queryset:
            self._record("deleted", obj, request, "")
        return super().log_deletions(request, queryset)

    def _record(self, what: str, obj: Model, request: HttpRequest, message: Any) -> None:
        noun = str(obj._meta.verbose_name).replace(" ", "_")
        audit.record(
            act=f"{noun}.{what}",
            subject=obj,
            actor=getattr(request.user, "audit_name", None),
            now=clock.now(),
            changes={"admin": str(message)[:2000]} if message else {},
        )


class ReadOnlyAdmin(admin.ModelAdmin[Model]):
    """Shows, and changes nothing."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing is added by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is changed by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is deleted by hand."""
        return False


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what."""

    list_display = ("seq", "at", "actor", "act", "subject")
    list_filter = ("act",)
    search_fields = ("actor", "subject", "act")


@admin.register(JobSlot)
class JobSlotAdmin(ReadOnlyAdmin):
    """Which scheduled job ran when."""

    list_display = ("job", "slot", "started_at", "finished_at", "is_late")
    list_filter = ("job",)


@admin.register(ProcessHeartbeat)
class ProcessHeartbeatAdmin(ReadOnlyAdmin):
    """Which processes are alive."""

    list_display = ("process", "instance", "started_at", "at")
