"""Admin of corrections and annotations."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.access import signed_in
from core.clock import now
from core.errors import Conflict
from slo.models import Annotation, Correction, Sli
from slo.services import annotations, corrections
from slo.services.corrections import Effect


class CorrectionForm(forms.ModelForm):
    """A new correction; checked like one made by the API."""

    class Meta:
        model = Correction
        fields = [
            "slo",
            "service",
            "mode",
            "cap",
            "starts_at",
            "ends_at",
            "rule",
            "timezone",
            "reason",
        ]

    def clean(self) -> dict[str, Any] | None:
        """Refuse composites, which have no events of their own."""
        fields = super().clean()
        slo = (fields or {}).get("slo")
        if slo and slo.sli.kind == Sli.Kind.COMPOSITE:
            self.add_error("slo", "Is made of other objectives: correct those.")
        return fields


@admin.register(Correction)
class CorrectionAdmin(admin.ModelAdmin):
    """Corrections are made and cancelled, never edited: what was known when stays known."""

    why_kept = (
        "Corrections are cancelled in the list, not deleted: what was known when stays known."
    )
    form = CorrectionForm
    list_display = ["reason", "mode", "slo", "service", "starts_at", "ends_at", "rule", "ended"]
    list_filter = ["mode", "service"]
    list_select_related = ["slo", "service"]
    search_fields = ["reason", "slo__slug", "service__slug"]
    actions = ["cancel_now", "take_back"]

    @admin.display(description="cancelled")
    def ended(self, row: Correction) -> str:
        """Return when it was cancelled, or that it was taken back."""
        if row.cancelled_at is None:
            return "no"
        if row.cancelled_at <= row.starts_at:
            return "entirely"
        return f"{row.cancelled_at:%Y-%m-%d %H:%M}"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only the list and its actions."""
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """History stays."""
        return False

    def save_model(
        self, request: HttpRequest, obj: Correction, form: ModelForm, change: bool
    ) -> None:
        """Create through the service, and say what it changed."""
        made, effects = corrections.create(actor=signed_in(request), now=now(), **form.cleaned_data)
        obj.pk = made.pk
        for effect in effects:
            messages.info(request, sentence(effect))

    @admin.action(description="Cancel from now on")
    def cancel_now(self, request: HttpRequest, queryset: QuerySet[Correction]) -> None:
        """End the chosen ones now."""
        self._cancel(request, queryset, entirely=False)

    @admin.action(description="Take back as if they had never been")
    def take_back(self, request: HttpRequest, queryset: QuerySet[Correction]) -> None:
        """Undo the chosen ones."""
        self._cancel(request, queryset, entirely=True)

    def _cancel(
        self, request: HttpRequest, queryset: QuerySet[Correction], *, entirely: bool
    ) -> None:
        for row in queryset:
            try:
                corrections.cancel(row, actor=signed_in(request), now=now(), entirely=entirely)
            except Conflict as error:
                messages.warning(request, f"{row}: {error.message}")
            else:
                messages.success(request, f"{row}: cancelled.")


def sentence(effect: Effect) -> str:
    """Say what a correction does to one objective."""
    shares = (effect.before.remaining, effect.after.remaining)
    before, after = (
        "no data" if share is None else f"{float(share) * 100:.1f} %".replace("-", "−")
        for share in shares
    )
    return f"{effect.slo.name}: {before} of the budget left without it, {after} with it."


@admin.register(Annotation)
class AnnotationAdmin(admin.ModelAdmin):
    """What happened to services."""

    list_display = ["title", "kind", "service", "starts_at", "ends_at"]
    list_filter = ["kind", "service"]
    list_select_related = ["service"]
    search_fields = ["title", "service__slug"]
    date_hierarchy = "starts_at"
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    def save_model(
        self, request: HttpRequest, obj: Annotation, form: ModelForm, change: bool
    ) -> None:
        """Write it down, or change it, through the service."""
        stored = Annotation.objects.get(pk=obj.pk) if change else None
        fields = dict(form.cleaned_data)
        made = annotations.annotate(actor=signed_in(request), now=now(), known=stored, **fields)
        obj.pk = made.pk

    def delete_model(self, request: HttpRequest, obj: Annotation) -> None:
        """Remove through the service."""
        annotations.remove(obj, actor=signed_in(request), now=now())
