"""Admin of SLOs: where SRE leads edit targets."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from accounts.access import signed_in
from core.clock import now
from core.errors import Conflict, InvalidInput
from slo.domain.lint import Level
from slo.models import Slo, SloVersion
from slo.previewing import comparison, comparison_chart
from slo.queries import figures, previews
from slo.services import linting, objectives

PREVIEW = "_preview"


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

    @property
    def is_preview(self) -> bool:
        """Whether the change is only looked at."""
        return PREVIEW in self.data

    def is_valid(self) -> bool:
        """A preview is never saved, however right it is."""
        return super().is_valid() and not self.is_preview

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
    change_form_template = "slo/admin_change_form.html"
    inlines = [VersionInline]
    list_display = ["name", "service", "target", "window", "state", "is_enabled"]
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

    @admin.display(description="window")
    def window(self, slo: Slo) -> str:
        """Return the window in short."""
        return slo.window_name

    @admin.display(ordering="standing__state")
    def state(self, slo: Slo) -> str:
        """Return the state after the last evaluation."""
        standing = getattr(slo, "standing", None)
        return standing.state.replace("_", " ") if standing else "no data"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show what the change would have meant above the form, whose fields stay as typed."""
        form = context["adminform"].form
        if request.method == "POST" and form.is_preview and not form.errors:
            context["preview"] = preview_of(form)
        return super().render_change_form(request, context, *args, **kwargs)

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


def preview_of(form: SloForm) -> dict[str, Any]:
    """Return what the page shows of a change that is not saved, or why it cannot be shown."""
    stored = Slo.objects.filter(pk=form.instance.pk).select_related("sli").first()
    status = figures.of(stored) if stored else None
    if stored is None or status is None:
        return {"refusal": "There is nothing to judge again before the first evaluation."}
    objective = form.cleaned_data["objective"]
    try:
        found = previews.of(stored, form.instance, objective, watermark=status.round.watermark)
    except Conflict as error:
        return {"refusal": error.message}
    (report,) = linting.check([form.instance], now=now(), objective=objective)
    return {
        "period": found.period,
        "rows": comparison(found),
        "chart": comparison_chart(found),
        "findings": report.findings,
    }
