"""Admin of what the portal does by itself: read only."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from core.models import AuditEntry, JobSlot, ProcessHeartbeat


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
