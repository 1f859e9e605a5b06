"""How people are reached, in the admin: shown and switched; addresses are entered by their owners."""

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.access import signed_in
from core import clock
from core.admin import AuditedAdmin
from notifications.models import ContactMethod, NotificationRule, QuietHours
from notifications.services.contacts import remove_method, rename_method
from notifications.services.rules import remove_rule
from notifications.services.switching import set_enabled


@admin.register(ContactMethod)
class ContactMethodAdmin(AuditedAdmin):
    """Ways to reach people; each is added and verified on its owner's own page."""

    is_saved_by_service = True
    remove = staticmethod(remove_method)
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

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        """Rename it, and switch it on and off, through the services."""
        who: dict[str, Any] = {"actor": signed_in(request), "now": clock.now()}
        stored = ContactMethod.objects.get(pk=obj.pk)
        if "label" in form.changed_data:
            rename_method(stored, label=form.cleaned_data["label"], **who)
        if "is_enabled" in form.changed_data:
            set_enabled(stored, enabled=form.cleaned_data["is_enabled"], **who)


@admin.register(NotificationRule)
class NotificationRuleAdmin(AuditedAdmin):
    """By which method somebody is called, and when."""

    remove = staticmethod(remove_rule)
    list_display = ["person", "urgency", "method", "delay"]
    list_filter = ["urgency"]
    list_select_related = ["person", "method"]


@admin.register(QuietHours)
class QuietHoursAdmin(AuditedAdmin):
    """When somebody is not called for what can wait."""

    list_display = ["person", "begins", "ends"]
    list_select_related = ["person"]
