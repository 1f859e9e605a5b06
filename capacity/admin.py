"""Admin of capacity: what AWS said, read only."""

from django.contrib import admin

from capacity.models import CapacityReport
from core.admin import ReadOnlyAdmin


@admin.register(CapacityReport)
class CapacityReportAdmin(ReadOnlyAdmin):
    """Readings, newest first."""

    list_display = ("service", "read_at", "cpu", "memory", "connections", "p95_ms", "status")
    list_filter = ("status", "service")
    list_select_related = ("service",)
    search_fields = ("service__slug", "service__name")
    date_hierarchy = "read_at"
