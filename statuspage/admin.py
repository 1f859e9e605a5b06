"""Admin of the public page."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.access import signed_in
from core.admin import DeletesByService, ReadOnlyAdmin
from core.clock import now
from core.forms import changed_in
from statuspage.models import (
    AffectedComponent,
    Component,
    ComponentGroup,
    MaintenanceAnnouncement,
    MaintenanceNotice,
    Notice,
    PublicIncident,
    PublicMaintenance,
    Subscriber,
    SubscriptionRequest,
)
from statuspage.services import components


class _SavedByService(DeletesByService):
    """Creates, changes and deletes through the services, which write the audit."""

    remove = staticmethod(components.delete)
    save: ClassVar[Callable[..., Any]]

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        """Create or change through the service."""
        stored = self.model.objects.get(pk=obj.pk) if change else self.model()
        fields = changed_in(form) if change else form.cleaned_data
        obj.pk = self.save(stored, fields=fields, actor=signed_in(request), now=now()).pk


@admin.register(ComponentGroup)
class ComponentGroupAdmin(_SavedByService):
    """Headings of the public page."""

    save = staticmethod(components.save_group)
    list_display = ["name", "order"]
    search_fields = ["name"]


@admin.register(Component)
class ComponentAdmin(_SavedByService):
    """What the public page lists."""

    save = staticmethod(components.save_component)
    list_display = ["name", "group", "order", "service", "slo", "manual_status", "is_shown"]
    list_filter = ["is_shown", "manual_status", "group"]
    list_select_related = ["group", "service", "slo"]
    search_fields = ["name", "description"]


@admin.register(PublicMaintenance)
class PublicMaintenanceAdmin(_SavedByService):
    """Public words of maintenance, or that it is not shown."""

    save = staticmethod(components.save_public_maintenance)
    list_display = ["title", "maintenance", "is_shown"]
    list_filter = ["is_shown"]
    list_select_related = ["maintenance"]
    search_fields = ["title"]


class AffectedInline(admin.TabularInline[AffectedComponent, PublicIncident]):
    """What an incident affects."""

    model = AffectedComponent
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """On the incident's own page."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """On the incident's own page."""
        return False


@admin.register(PublicIncident)
class PublicIncidentAdmin(ReadOnlyAdmin):
    """What the public sees of incidents."""

    why_kept = "What was public stays; its words are changed on the incident's own page."
    list_display = ["title", "incident", "impact", "created_at"]
    list_filter = ["impact"]
    list_select_related = ["incident"]
    search_fields = ["title"]
    inlines = [AffectedInline]


@admin.register(Subscriber)
class SubscriberAdmin(ReadOnlyAdmin):
    """Who is told by email; they unsubscribe themselves."""

    why_kept = "They unsubscribe by the link in each message."
    list_display = ["email", "confirmed_at"]
    search_fields = ["email"]
    exclude = ["key"]


@admin.register(SubscriptionRequest)
class SubscriptionRequestAdmin(ReadOnlyAdmin):
    """Whose answer is waited for; they are forgotten after three days."""

    list_display = ["email", "requested_at", "state", "attempts", "error"]
    list_filter = ["state"]
    search_fields = ["email"]
    exclude = ["key"]


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """What was sent to whom, and what became of it."""

    list_display = ["subscriber", "update", "state", "attempts", "sent_at", "error"]
    list_filter = ["state"]
    list_select_related = ["subscriber", "update"]
    search_fields = ["subscriber__email"]


@admin.register(MaintenanceAnnouncement)
class MaintenanceAnnouncementAdmin(ReadOnlyAdmin):
    """What was told of maintenance, and when."""

    list_display = ["maintenance", "occurrence_at", "kind", "at"]
    list_filter = ["kind"]
    list_select_related = ["maintenance"]


@admin.register(MaintenanceNotice)
class MaintenanceNoticeAdmin(ReadOnlyAdmin):
    """What was sent to whom of maintenance, and what became of it."""

    list_display = ["subscriber", "announcement", "state", "attempts", "sent_at", "error"]
    list_filter = ["state"]
    list_select_related = ["subscriber", "announcement"]
    search_fields = ["subscriber__email"]
