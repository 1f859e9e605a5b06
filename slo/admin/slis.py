"""Admin of SLIs: what is counted."""

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest

from accounts.access import signed_in
from core.clock import now
from slo.models import CompositeMember, Sli, Slo
from slo.services import composites, objectives


class MemberFormSet(BaseInlineFormSet):
    """The members of one composite, judged together."""

    @property
    def members(self) -> dict[Slo, int]:
        """Return what was chosen, by objective."""
        rows = [row.cleaned_data for row in self.forms if row.cleaned_data.get("slo")]
        return {row["slo"]: row["weight"] for row in rows if not row.get("DELETE")}

    def clean(self) -> None:
        """Refuse what is no composite."""
        super().clean()
        if not any(self.errors) and (said := composites.problem_of(self.instance, self.members)):
            raise ValidationError(said)


class MemberInline(admin.StackedInline):
    """The objectives that a composite is made of."""

    model = CompositeMember
    fk_name = "sli"
    formset = MemberFormSet
    extra = 1
    verbose_name = "member of a composite"
    verbose_name_plural = "Composite: weighted mean of"


@admin.register(Sli)
class SliAdmin(admin.ModelAdmin):
    """What is counted."""

    list_display = ["slug", "service", "kind", "source", "threshold_ms", "data_since"]
    list_filter = ["kind", "source", "service"]
    list_select_related = ["service", "source"]
    search_fields = ["slug", "service__name"]
    readonly_fields = ["data_since"]
    inlines = [MemberInline]
    fieldsets = [
        (None, {"fields": ["slug", "service", "kind", "description", "data_since"]}),
        ("Requests", {"fields": ["endpoint", "error_from", "excluded_statuses"]}),
        ("Latency", {"fields": ["threshold_ms", "only_successful"]}),
        (
            "Counters, of a source or of OpenTelemetry",
            {"fields": ["source", "good_query", "bad_query", "total_query"]},
        ),
        (
            "Time slices",
            {"fields": ["value_query", "comparison", "comparison_value", "slice_target"]},
        ),
        (
            "Probe",
            {
                "fields": [
                    "probe_url",
                    "probe_every_s",
                    "probe_timeout_ms",
                    "probe_statuses",
                    "probe_body",
                ]
            },
        ),
        ("Freshness", {"fields": ["freshness_source", "threshold_s", "silence_grace_s"]}),
    ]

    def save_model(self, request: HttpRequest, obj: Sli, form: ModelForm, change: bool) -> None:
        """Create or change through the services."""
        if change:
            stored = Sli.objects.get(pk=obj.pk)
            objectives.change_sli(
                sli=stored, actor=signed_in(request), now=now(), fields=dict(form.cleaned_data)
            )
            return
        made = objectives.create_sli(actor=signed_in(request), now=now(), **form.cleaned_data)
        obj.pk, obj.slot = made.pk, made.slot

    def save_formset(
        self, request: HttpRequest, form: ModelForm, formset: BaseInlineFormSet, change: bool
    ) -> None:
        """Set the members through the service."""
        assert isinstance(formset, MemberFormSet)
        sli = Sli.objects.get(pk=form.instance.pk)
        composites.set_members(sli, formset.members, actor=signed_in(request), now=now())
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []

    def delete_model(self, request: HttpRequest, obj: Sli) -> None:
        """Delete through the service."""
        objectives.delete_sli(sli=obj, actor=signed_in(request), now=now())
