"""Schedules, overrides and escalation policies in the admin."""

from typing import Any

from django.contrib import admin

from core.admin import AuditedAdmin
from core.clock import now
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


class HolidayInline(admin.StackedInline):
    """Days besides those of the law, and days of the law that are worked."""

    model = Holiday
    extra = 0


@admin.register(HolidayCalendar)
class HolidayCalendarAdmin(AuditedAdmin):
    """The holidays of a place."""

    list_display = ["slug", "name", "country", "subdivision"]
    search_fields = ["slug", "name", "country"]
    inlines = [HolidayInline]


class LayerInline(admin.StackedInline):
    """Its rotations; who takes turns in each is edited on the layer's own page."""

    model = Layer
    extra = 0
    show_change_link = True


class MemberInline(admin.StackedInline):
    """Who takes turns, in order."""

    model = LayerMember
    extra = 1


class RestrictionInline(admin.StackedInline):
    """When the layer holds."""

    model = LayerRestriction
    extra = 0


@admin.register(Schedule)
class ScheduleAdmin(AuditedAdmin):
    """Who answers when."""

    list_display = ["slug", "name", "team", "timezone"]
    list_select_related = ["team"]
    search_fields = ["slug", "name"]
    inlines = [LayerInline]


@admin.register(Layer)
class LayerAdmin(AuditedAdmin):
    """One rotation of a schedule."""

    list_display = ["name", "schedule", "position", "first_on", "handover_at", "unit", "every"]
    list_select_related = ["schedule"]
    search_fields = ["name", "schedule__slug"]
    inlines = [MemberInline, RestrictionInline]


@admin.register(Override)
class OverrideAdmin(AuditedAdmin):
    """Who takes over when."""

    list_display = ["schedule", "person", "starts_at", "ends_at", "reason", "created_by"]
    list_select_related = ["schedule", "person"]
    search_fields = ["schedule__slug", "reason"]
    readonly_fields = ["created_by"]

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        """Of one that has begun it stays known who was on call; it is ended, not deleted."""
        has_begun = obj is not None and obj.starts_at <= now()
        return super().has_delete_permission(request, obj) and not has_begun

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        """Note who made it."""
        if not change:
            obj.created_by = request.user.audit_name
        super().save_model(request, obj, form, change)


class LevelInline(admin.StackedInline):
    """Its levels; whom each calls is edited on the level's own page."""

    model = PolicyLevel
    extra = 0
    show_change_link = True


class TimingInline(admin.StackedInline):
    """When each level is called; a severity without any follows the guide's matrix."""

    model = Timing
    extra = 0


class ServiceInline(admin.StackedInline):
    """Services called by it."""

    model = ServicePolicy
    extra = 0


@admin.register(EscalationPolicy)
class EscalationPolicyAdmin(AuditedAdmin):
    """Who is called, in which order and how long after each other."""

    list_display = ["slug", "name", "team", "is_default", "loops"]
    list_select_related = ["team"]
    search_fields = ["slug", "name"]
    inlines = [LevelInline, TimingInline, ServiceInline]

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        """The default one stays: services without a policy are called by it."""
        is_default = obj is not None and obj.is_default
        return super().has_delete_permission(request, obj) and not is_default


class TargetInline(admin.StackedInline):
    """Whom the level calls."""

    model = LevelTarget
    extra = 1


@admin.register(PolicyLevel)
class PolicyLevelAdmin(AuditedAdmin):
    """One level of a policy."""

    list_display = ["policy", "number", "name", "mode", "acknowledgements"]
    list_select_related = ["policy"]
    search_fields = ["name", "policy__slug"]
    inlines = [TargetInline]


@admin.register(FallbackContact)
class FallbackContactAdmin(AuditedAdmin):
    """Who is called when nobody else can be."""

    list_display = ["__str__", "person", "channel"]
    list_select_related = ["person", "channel"]
