"""Teams and services in the admin: the same checks and the same audit as everywhere."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from catalog.models import Dependency, Service, Team
from catalog.services.dependencies import refuse_cycles
from catalog.services.records import record
from catalog.services.services import delete_service
from catalog.services.teams import delete_team
from core import clock
from core.errors import InvalidInput

__all__ = ["ServiceAdmin", "TeamAdmin"]


class DependencyFormSet(forms.BaseInlineFormSet):
    """Dependencies of one service, none of which may close a circle."""

    def clean(self) -> None:
        """Judge all rows together: a circle is nobody's fault alone."""
        super().clean()
        if any(self.errors) or self.instance.pk is None:
            return
        wanted = {
            form.cleaned_data["target"]: form.cleaned_data["is_hard"]
            for form in self.forms
            if form.cleaned_data.get("target") and not form.cleaned_data.get("DELETE")
        }
        try:
            refuse_cycles(self.instance, wanted)
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error


class DependencyInline(admin.StackedInline):
    """What the service needs."""

    model = Dependency
    fk_name = "service"
    formset = DependencyFormSet
    extra = 1


class _AuditedAdmin(admin.ModelAdmin):
    """Writes the catalog's audit rows; a slug stays what it was."""

    noun = ""

    def get_readonly_fields(self, _request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Ask for the slug once."""
        return ("created_at", "updated_at", "slug") if obj else ("created_at", "updated_at")

    def save_related(
        self,
        request: HttpRequest,
        form: Any,
        formsets: list[Any],
        change: bool,
    ) -> None:
        """Write down what changed, once all of it is written."""
        super().save_related(request, form, formsets, change)
        names = [*form.changed_data, *("dependencies" for rows in formsets if rows.has_changed())]
        if names or not change:
            act = f"{self.noun}.{'changed' if change else 'created'}"
            changes = {
                name: [form.initial.get(name), form.cleaned_data.get(name)] for name in names
            }
            spelt = {name: [str(value) for value in pair] for name, pair in changes.items()}
            record(act, form.instance, actor=request.user, now=clock.now(), changes=spelt)  # type: ignore[arg-type]


@admin.register(Team)
class TeamAdmin(_AuditedAdmin):
    """Teams and their people."""

    noun = "team"
    list_display = ("slug", "name", "contact")
    search_fields = ("slug", "name")

    def delete_model(self, request: HttpRequest, obj: Team) -> None:
        """Delete through the service layer."""
        delete_team(obj, now=clock.now(), actor=request.user)  # type: ignore[arg-type]


class LifecycleFilter(admin.SimpleListFilter):
    """The lifecycles there are; a service need not have one."""

    title = "lifecycle"
    parameter_name = "lifecycle"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer each that is used."""
        used = Service.objects.exclude(lifecycle="").order_by("lifecycle")
        return [(name, name) for name in used.values_list("lifecycle", flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Service]) -> QuerySet[Service]:
        """Keep those of the chosen one."""
        return queryset.filter(lifecycle=self.value()) if self.value() else queryset


@admin.register(Service)
class ServiceAdmin(_AuditedAdmin):
    """Services and what they need."""

    noun = "service"
    list_display = ("slug", "name", "tier", "owner", "lifecycle", "is_private")
    list_filter = ("tier", "is_private", LifecycleFilter, "owner")
    list_select_related = ("owner",)
    search_fields = ("slug", "name")
    inlines = (DependencyInline,)

    def delete_model(self, request: HttpRequest, obj: Service) -> None:
        """Delete through the service layer."""
        delete_service(obj, now=clock.now(), actor=request.user)  # type: ignore[arg-type]
