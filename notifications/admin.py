"""How people are reached, in the admin: shown and switched; addresses are entered by their owners."""

from django.contrib import admin
from django.http import HttpRequest

from core.admin import AuditedAdmin
from notifications.models import ContactMethod, NotificationRule, QuietHours


@admin.register(ContactMethod)
class ContactMethodAdmin(AuditedAdmin):
    """Ways to reach people; each is added and verified on its owner's own page."""

    list_display = ["__str__", "person", "team", "is_enabled", "verified_at", "delivered_at"]
    list_filter = ["kind", "is_enabled"]
    list_select_related = ["person", "team"]
    search_fields = ["label", "person__username"]
    fields = ["person", "team", "kind", "label", "masked_address", "is_enabled", "verified_at",
              "delivered_at", "failed_at", "problem"]  # fmt: skip
    readonly_fields = ["person", "team", "kind", "masked_address", "verified_at", "delivered_at",
                       "failed_at", "problem"]  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only its owner can show that it reaches them."""
        return False


@admin.register(NotificationRule)
class NotificationRuleAdmin(AuditedAdmin):
    """By which method somebody is called, and when."""

    list_display = ["person", "urgency", "method", "delay"]
    list_filter = ["urgency"]
    list_select_related = ["person", "method"]


@admin.register(QuietHours)
class QuietHoursAdmin(AuditedAdmin):
    """When somebody is not called for what can wait."""

    list_display = ["person", "begins", "ends"]
    list_select_related = ["person"]
