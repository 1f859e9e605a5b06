"""Admin of budget policies and of decisions in their place."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.access import signed_in
from core.clock import now
from core.errors import Conflict
from slo.models import BudgetPolicy, FreezeOverride
from slo.services import policies


@admin.register(BudgetPolicy)
class BudgetPolicyAdmin(admin.ModelAdmin):
    """When a budget is at risk or exhausted, and what is done about it."""

    list_display = [
        "name",
        "at_risk_below",
        "healthy_from",
        "recovered_above",
        "freeze_when",
        "pages_when_exhausted",
        "tickets_when_at_risk",
    ]
    search_fields = ["slug", "name"]
    prepopulated_fields = {"slug": ["name"]}

    def save_model(
        self, request: HttpRequest, obj: BudgetPolicy, form: ModelForm, change: bool
    ) -> None:
        """Create or change through the service."""
        stored = BudgetPolicy.objects.get(pk=obj.pk) if change else BudgetPolicy()
        fields = dict(form.cleaned_data)
        saved = policies.save_policy(stored, actor=signed_in(request), now=now(), fields=fields)
        obj.pk = saved.pk

    def delete_model(self, request: HttpRequest, obj: BudgetPolicy) -> None:
        """Delete through the service."""
        policies.delete_policy(obj, actor=signed_in(request), now=now())


@admin.register(FreezeOverride)
class FreezeOverrideAdmin(admin.ModelAdmin):
    """Decisions are made and ended, never edited."""

    why_kept = "Decisions are ended in the list, not deleted: it stays known who decided what."
    list_display = ["service", "frozen", "reason", "owner", "created_at", "expires_at", "ended_at"]
    list_filter = ["frozen", "service"]
    list_select_related = ["service", "owner"]
    search_fields = ["reason", "service__slug"]
    fields = ["service", "frozen", "reason", "expires_at"]
    actions = ["end_now"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only the list and its action."""
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """History stays."""
        return False

    def save_model(
        self, request: HttpRequest, obj: FreezeOverride, form: ModelForm, change: bool
    ) -> None:
        """Decide through the service; whoever does it owns it."""
        made = policies.override_freeze(owner=signed_in(request), now=now(), **form.cleaned_data)
        obj.pk = made.pk

    @admin.action(description="Let the budgets decide again")
    def end_now(self, request: HttpRequest, queryset: QuerySet[FreezeOverride]) -> None:
        """End the chosen ones."""
        for row in queryset:
            try:
                policies.end_override(row, actor=signed_in(request), now=now())
            except Conflict as error:
                messages.warning(request, f"{row}: {error.message}")
