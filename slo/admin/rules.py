"""Admin of threshold rules."""

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.access import signed_in
from core.clock import now
from slo.models import ThresholdRule
from slo.services import rules


@admin.register(ThresholdRule)
class ThresholdRuleAdmin(admin.ModelAdmin):
    """The operations guide's alerts, and whatever else people want to be told."""

    list_display = [
        "name",
        "severity",
        "metric",
        "comparison",
        "threshold",
        "window_minutes",
        "minimum_events",
        "service",
        "is_enabled",
    ]
    list_filter = ["severity", "metric", "is_enabled"]
    list_select_related = ["service"]
    search_fields = ["slug", "name", "service__name"]
    prepopulated_fields = {"slug": ["name"]}

    def save_model(
        self, request: HttpRequest, obj: ThresholdRule, form: ModelForm, change: bool
    ) -> None:
        """Create or change through the service."""
        stored = ThresholdRule.objects.get(pk=obj.pk) if change else ThresholdRule()
        fields = dict(form.cleaned_data)
        obj.pk = rules.save_rule(stored, actor=signed_in(request), now=now(), fields=fields).pk

    def delete_model(self, request: HttpRequest, obj: ThresholdRule) -> None:
        """Delete through the service."""
        rules.delete_rule(obj, actor=signed_in(request), now=now())
