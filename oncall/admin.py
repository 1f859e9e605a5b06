"""Schedules, overrides and escalation policies in the admin."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import JSONField
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest

from accounts.access import signed_in
from core.admin import AuditedAdmin, DeletesByService
from core.audit import Who
from core.clock import now
from core.errors import Conflict
from core.forms import JsonField, changed_in
from core.locking import lock_in_order, locked
from oncall.models import (
    EscalationPolicy,
    FallbackContact,
    Holiday,
    HolidayCalendar,
    Layer,
    LayerMember,
    LayerRestriction,
    LevelTarget,
    Override,
    PolicyLevel,
    Schedule,
    ServicePolicy,
    Timing,
)
from oncall.services.holidays import MOST_DAYS, delete_calendar, save_calendar
from oncall.services.policies import (
    MOST_TARGETS,
    delete_policy,
    refuse_calls_of_nobody,
    save_policy,
)
from oncall.services.schedules import (
    MOST_LAYERS,
    MOST_PEOPLE,
    delete_override,
    delete_schedule,
    save_override,
    save_schedule,
)


class PartInline(admin.StackedInline):
    """Rows below another one; more than there may be are refused."""

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Have the number of rows looked at."""
        return super().get_formset(request, obj, validate_max=True, **kwargs)


class SavedByService(AuditedAdmin):
    """Creates and changes a row by `save`; the rows below it are written as Django does.

    A stored row is held, those below it are written, and the service comes last: it ends with the audit,
    after which nothing may wait for a row.

    `save` takes the row, `fields`, `actor` and `now`; it saves the row without those below it, and returns it.
    """

    save: Callable[..., Any]
    is_saved_by_service = True

    def hold(self, row: Any, form: ModelForm) -> None:
        """Lock a stored row until all of the form is written."""
        locked(row)

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        """Create through the service, or hold what is about to be changed."""
        if change:
            self.hold(obj, form)
            return
        fields = dict(form.cleaned_data)
        obj.pk = self.save(self.model(), fields=fields, actor=signed_in(request), now=now()).pk
        obj._state.adding = False

    def save_related(
        self, request: HttpRequest, form: ModelForm, formsets: list[BaseInlineFormSet], change: bool
    ) -> None:
        """Write the rows below it, and change what was changed of its own through the service."""
        super().save_related(request, form, formsets, change)
        if change and (fields := changed_in(form)):
            self.save(form.instance, fields=fields, actor=signed_in(request), now=now())


class HolidayInline(PartInline):
    """Days besides those of the law, and days of the law that are worked."""

    model = Holiday
    extra = 0
    max_num = MOST_DAYS


@admin.register(HolidayCalendar)
class HolidayCalendarAdmin(SavedByService):
    """The holidays of a place."""

    noun = "holidays"
    save = staticmethod(partial(save_calendar, days=None))
    remove = staticmethod(delete_calendar)
    list_display = ["slug", "name", "country", "subdivision"]
    search_fields = ["slug", "name", "country"]
    inlines = [HolidayInline]


class LayerInline(PartInline):
    """Its rotations; who takes turns in each is edited on the layer's own page."""

    model = Layer
    extra = 0
    max_num = MOST_LAYERS
    show_change_link = True


class MemberFormSet(BaseInlineFormSet):
    """The people of a layer, of whom there is one at least."""

    def clean(self) -> None:
        """Refuse a layer of nobody."""
        super().clean()
        stay = (row for row in self.forms if row.cleaned_data.get("person"))
        if not any(self.errors) and all(row.cleaned_data.get("DELETE") for row in stay):
            raise ValidationError(f"A layer has 1 to {MOST_PEOPLE} people.")


class MemberInline(PartInline):
    """Who takes turns, in order."""

    model = LayerMember
    formset = MemberFormSet
    extra = 1
    max_num = MOST_PEOPLE


class RestrictionInline(PartInline):
    """When the layer holds."""

    model = LayerRestriction
    extra = 0
    formfield_overrides: ClassVar = {JSONField: {"form_class": JsonField}}


@admin.register(Schedule)
class ScheduleAdmin(SavedByService):
    """Who answers when."""

    save = staticmethod(partial(save_schedule, layers=None))
    remove = staticmethod(delete_schedule)
    list_display = ["slug", "name", "team", "timezone"]
    list_select_related = ["team"]
    search_fields = ["slug", "name"]
    inlines = [LayerInline]


@admin.register(Layer)
class LayerAdmin(AuditedAdmin):
    """One rotation of a schedule."""

    noun = part_of = "schedule"
    list_display = ["name", "schedule", "position", "first_on", "handover_at", "unit", "every"]
    list_select_related = ["schedule"]
    search_fields = ["name", "schedule__slug"]
    inlines = [MemberInline, RestrictionInline]


@admin.register(Override)
class OverrideAdmin(DeletesByService):
    """Who takes over when, by the rules of the schedule's own page: who was on call stays so."""

    remove = staticmethod(delete_override)
    why_kept = "It has begun: it stays known who was on call. Set its end instead."
    list_display = ["schedule", "person", "starts_at", "ends_at", "reason", "created_by"]
    list_select_related = ["schedule", "person"]
    search_fields = ["schedule__slug", "reason"]
    readonly_fields = ["created_by"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """See `why_kept`."""
        has_begun = obj is not None and obj.starts_at <= now()
        return super().has_delete_permission(request, obj) and not has_begun

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        """Create or change through the service."""
        stored = Override.objects.get(pk=obj.pk) if change else Override()
        # What was not touched is not sent: the boxes have no parts of a second, which the beginning has.
        fields = changed_in(form) if change else dict(form.cleaned_data)
        if fields:
            obj.pk = save_override(stored, fields=fields, actor=signed_in(request), now=now()).pk


class LevelInline(PartInline):
    """Its levels; whom each calls is edited on the level's own page."""

    model = PolicyLevel
    extra = 0
    show_change_link = True


class TimingInline(PartInline):
    """When each level is called; a severity without any follows the guide's matrix."""

    model = Timing
    extra = 0


class ServiceInline(PartInline):
    """Services called by it."""

    model = ServicePolicy
    extra = 0


class PolicyForm(ModelForm):
    """A policy that becomes the default one takes that from the other: the service does it."""

    def _get_validation_exclusions(self) -> set[str]:
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return {*excluded, "is_default"}


@admin.register(EscalationPolicy)
class EscalationPolicyAdmin(SavedByService):
    """Who is called, in which order and how long after each other."""

    noun = "policy"
    save = staticmethod(partial(save_policy, levels=None, timings=None, services=None))
    remove = staticmethod(delete_policy)
    why_kept = "Services without a policy are called by it. Make another one the default first."
    form = PolicyForm
    list_display = ["slug", "name", "team", "is_default", "loops"]
    list_select_related = ["team"]
    search_fields = ["slug", "name"]
    inlines = [LevelInline, TimingInline, ServiceInline]

    def hold(self, row: Any, form: ModelForm) -> None:
        """Lock a policy and what is called by it; one that becomes the default, after all others."""
        is_default = form.cleaned_data["is_default"]
        lock_in_order(EscalationPolicy.objects.filter(**({} if is_default else {"pk": row.pk})))
        super().hold(row, form)
        lock_in_order(ServicePolicy.objects.filter(policy=row.pk))

    def save_related(
        self, request: HttpRequest, form: ModelForm, formsets: list[BaseInlineFormSet], change: bool
    ) -> None:
        """Keep times from calling a level that is not there."""
        super().save_related(request, form, formsets, change)
        if any(rows.has_changed() for rows in formsets):
            refuse_calls_of_nobody(form.instance)

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        """See `why_kept`."""
        is_default = obj is not None and obj.is_default
        return super().has_delete_permission(request, obj) and not is_default


class TargetInline(PartInline):
    """Whom the level calls."""

    model = LevelTarget
    extra = 1
    max_num = MOST_TARGETS


@admin.register(PolicyLevel)
class PolicyLevelAdmin(AuditedAdmin):
    """One level of a policy."""

    noun, part_of = "policy", "policy"
    list_display = ["policy", "number", "name", "mode", "acknowledgements"]
    list_select_related = ["policy"]
    search_fields = ["name", "policy__slug"]
    inlines = [TargetInline]

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        """Keep times from calling a level that is no longer there."""
        super().save_model(request, obj, form, change)
        for policy in EscalationPolicy.objects.filter(
            pk__in=[obj.policy_id, form.initial.get("policy") or obj.policy_id]
        ):
            refuse_calls_of_nobody(policy)

    def remove(self, obj: Any, /, *, actor: Who, now: datetime) -> None:
        """Delete a level that no time calls."""
        if obj.policy.timings.filter(level=obj.number).exists():
            raise Conflict(f"Times of {obj.policy} call L{obj.number}: take those away first.")
        super().remove(obj, actor=actor, now=now)


@admin.register(FallbackContact)
class FallbackContactAdmin(AuditedAdmin):
    """Who is called when nobody else can be."""

    list_display = ["__str__", "person", "channel"]
    list_select_related = ["person", "channel"]
