"""Admin of SLOs: where SRE leads edit targets."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.access import signed_in
from core.clock import now
from core.errors import InvalidInput
from slo.domain.lint import Level
from slo.models import Slo, SloVersion
from slo.services import linting, objectives


class SloForm(forms.ModelForm):
    """An SLO with its target; saving another target adds a version from now on."""

    objective = forms.DecimalField(
        max_digits=9,
        decimal_places=8,
        help_text="Share of events that must be good, between 0 and 1: 0.999 is 99.9 %. A change"
        " judges from now on; what came before keeps its judgement.",
    )
    reason = forms.CharField(
        required=False, max_length=300, help_text="Why the target changes; kept with the version."
    )

    class Meta:
        model = Slo
        fields = [
            "slug",
            "name",
            "description",
            "sli",
            "objective",
            "reason",
            "method",
            "window_kind",
            "window_days",
            "calendar_period",
            "timezone",
            "policy",
            "minimum_events",
            "is_enabled",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["objective"] = self.instance.objective.normalize()

    def clean_objective(self) -> Any:
        """Refuse 0 and 100 % with the reason."""
        try:
            return objectives.check_objective(self.cleaned_data["objective"])
        except InvalidInput as error:
            raise ValidationError(error.message) from error


class VersionInline(admin.TabularInline):
    """Every target there was; read only."""

    model = SloVersion
    fields = readonly_fields = ("objective", "effective_from", "created_by", "reason")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Versions come from saving another target."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """History is never rewritten."""
        return False


@admin.register(Slo)
class SloAdmin(admin.ModelAdmin):
    """Targets."""

    form = SloForm
    inlines = [VersionInline]
    list_display = ["name", "service", "target", "window_name", "state", "is_enabled"]
    list_filter = ["is_enabled", "sli__kind", "sli__service"]
    list_select_related = ["sli__service", "standing"]
    search_fields = ["slug", "name", "sli__service__name"]
    prepopulated_fields = {"slug": ["name"]}

    def get_queryset(self, request: HttpRequest) -> Any:
        """Fetch the versions with the page."""
        return super().get_queryset(request).prefetch_related("versions")

    @admin.display(ordering="sli__service__slug")
    def service(self, slo: Slo) -> str:
        """Return the service's name."""
        return slo.sli.service.name

    @admin.display(description="target")
    def target(self, slo: Slo) -> str:
        """Return the target in force, in percent."""
        return f"{(slo.objective * 100).normalize():f} %"

    @admin.display(ordering="standing__state")
    def state(self, slo: Slo) -> str:
        """Return the state after the last evaluation."""
        standing = getattr(slo, "standing", None)
        return standing.state.replace("_", " ") if standing else "no data"

    def save_model(self, request: HttpRequest, obj: Slo, form: ModelForm, change: bool) -> None:
        """Create or change through the services."""
        fields = dict(form.cleaned_data)
        if change:
            stored = Slo.objects.get(pk=obj.pk)
            objectives.change_slo(slo=stored, actor=signed_in(request), now=now(), fields=fields)
        else:
            fields.pop("reason")
            obj.pk = objectives.create_slo(actor=signed_in(request), now=now(), **fields).pk
        self._say_findings(request, obj.pk)

    def _say_findings(self, request: HttpRequest, pk: int) -> None:
        """Say what the linter makes of what was saved; it is saved all the same."""
        slos = Slo.objects.select_related("sli__service").prefetch_related("versions")
        for report in linting.check([slos.get(pk=pk)], now=now()):
            for finding in report.findings:
                level = messages.INFO if finding.level is Level.NOTE else messages.WARNING
                messages.add_message(request, level, finding.message)

    def delete_model(self, request: HttpRequest, obj: Slo) -> None:
        """Delete through the service."""
        objectives.delete_slo(slo=obj, actor=signed_in(request), now=now())

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete each through the service."""
        for slo in queryset:
            self.delete_model(request, slo)
