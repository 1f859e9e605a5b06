"""Admin of alerts and incidents (read only), integrations, heartbeats, silences, maintenance, targets and templates."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.access import signed_in
from core.admin import AuditedAdmin, DeletesByService, ReadOnlyAdmin
from core.audit import Who
from core.clock import now
from core.errors import DomainError
from core.forms import changed_in
from incidents.models import (
    ActionItem,
    Alert,
    CommunicationTemplate,
    Heartbeat,
    Incident,
    Integration,
    Maintenance,
    Postmortem,
    PostmortemPolicy,
    ResponseTarget,
    Silence,
)
from incidents.services.communication_templates import delete_template, save_template
from incidents.services.heartbeats import delete_heartbeat, save_heartbeat
from incidents.services.integrations import save_integration, wrong_maps
from incidents.services.postmortem_policies import telling_of_switches
from incidents.services.silences import check_silence, save_silence


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """What was wrong, and when; alerts arrive and change through the intake."""

    list_display = ["title", "severity", "state", "service", "opened_at", "resolved_at"]
    list_filter = ["state", "severity", "source"]
    list_select_related = ["service"]
    search_fields = ["title", "dedup_key"]


@admin.register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    """What happened; incidents are worked on their own pages."""

    why_kept = "What happened stays: incidents are closed, not deleted."
    list_display = ["__str__", "severity", "status", "service", "opened_at", "resolved_at"]
    list_filter = ["status", "severity", "response"]
    list_select_related = ["service"]
    search_fields = ["title"]


@admin.register(ResponseTarget)
class ResponseTargetAdmin(AuditedAdmin):
    """How soon each severity wants an answer and an end; new incidents follow it."""

    list_display = ["severity", "respond_within", "resolve_within", "update_every"]


@admin.register(CommunicationTemplate)
class CommunicationTemplateAdmin(DeletesByService):
    """What drafts of updates begin with; where there is none of a sort, the built-in one holds."""

    remove = staticmethod(delete_template)
    list_display = ["name", "kind", "audience", "updated_at"]
    list_filter = ["kind", "audience"]
    search_fields = ["name", "text"]

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        """Create or change through the service."""
        stored = CommunicationTemplate.objects.get(pk=obj.pk) if change else CommunicationTemplate()
        fields = changed_in(form) if change else form.cleaned_data
        obj.pk = save_template(stored, fields=fields, actor=signed_in(request), now=now()).pk


@admin.register(PostmortemPolicy)
class PostmortemPolicyAdmin(AuditedAdmin):
    """Of which severities a postmortem is asked for; incidents that are not closed yet follow it."""

    list_display = ["severity", "is_required", "within"]

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        """Write down as well what is asked for from now on."""
        with telling_of_switches(now=now(), actor=signed_in(request)):
            super().save_model(request, obj, form, change)

    def remove(self, obj: Any, /, *, actor: Who, now: datetime) -> None:
        """Delete a row; the default holds again from now on."""
        with telling_of_switches(now=now, actor=actor):
            super().remove(obj, actor=actor, now=now)


@admin.register(Postmortem)
class PostmortemAdmin(ReadOnlyAdmin):
    """What was learnt; written and published on its own page."""

    why_kept = "What was learnt stays: it is reopened and changed, not deleted."
    list_display = ["__str__", "status", "author", "due_at", "published_at"]
    list_filter = ["status"]
    list_select_related = ["author"]
    search_fields = ["incident__title"]


@admin.register(ActionItem)
class ActionItemAdmin(ReadOnlyAdmin):
    """What is to be done about incidents; worked on their own pages."""

    why_kept = "It is done or dropped, not deleted."
    list_display = ["title", "kind", "owner", "due_on", "done_at", "dropped_at"]
    list_filter = ["kind"]
    list_select_related = ["owner"]
    search_fields = ["title"]


class SilenceForm(ModelForm):
    """Checks as the service does."""

    class Meta:
        model = Silence
        fields = ["service", "matchers", "starts_at", "ends_at", "comment", "is_maintenance"]

    def clean(self) -> dict[str, Any]:
        """Say what is wrong where it is."""
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            draft = Silence(**said, created_by="draft")
            try:
                check_silence(draft, now=now())
            except DomainError as error:
                self.add_error(next(iter(error.fields), None), str(error))
        return said


@admin.register(Silence)
class SilenceAdmin(admin.ModelAdmin):
    """Who is not called for what."""

    why_kept = (
        "It is ended, not deleted, so that it can be seen why nobody was called: set its end."
    )
    form = SilenceForm
    list_display = ["comment", "service", "starts_at", "ends_at", "created_by", "is_maintenance"]
    list_filter = ["is_maintenance"]
    list_select_related = ["service"]
    search_fields = ["comment"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """See `why_kept`."""
        return False

    def save_model(self, request: HttpRequest, obj: Silence, form: ModelForm, change: bool) -> None:
        """Create or change through the service."""
        stored = Silence.objects.get(pk=obj.pk) if change else Silence()
        fields = changed_in(form) if change else form.cleaned_data
        saved = save_silence(stored, fields=fields, actor=signed_in(request), now=now())
        obj.pk = saved.pk


@admin.register(Maintenance)
class MaintenanceAdmin(ReadOnlyAdmin):
    """Planned work; planned and called off by the API."""

    why_kept = "It is called off, not deleted."
    list_display = ["comment", "service", "starts_at", "ends_at", "rule", "cancelled_at"]
    list_filter = ["excludes_budget"]
    list_select_related = ["service"]
    search_fields = ["comment"]


class IntegrationForm(ModelForm):
    """Words and mappings are checked as on the integration's own page."""

    def clean(self) -> dict[str, Any] | None:
        """Name what is wrong beside its field."""
        cleaned = super().clean()
        given = [self.cleaned_data.get(name) for name in ("severity_map", "mapping")]
        for field, messages in wrong_maps(
            *({} if value is None else value for value in given)
        ).items():
            self.add_error(field, messages)
        return cleaned


@admin.register(Integration)
class IntegrationAdmin(admin.ModelAdmin):
    """Keys of senders; new ones are made on their page, which shows the key once."""

    why_kept = "What it sent stays. Disable it instead: its key is then unknown."
    form = IntegrationForm
    list_display = ["name", "kind", "service", "masked_key", "is_enabled"]
    list_filter = ["kind", "is_enabled"]
    list_select_related = ["service"]
    search_fields = ["name", "service__slug"]
    fields = [
        "kind",
        "masked_key",
        "name",
        "service",
        "is_enabled",
        "severity_map",
        "mapping",
        "auto_resolve",
        "hold_off",
        "runbook_url",
        "topic_arn",
    ]
    readonly_fields = ["kind", "masked_key"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only the page shows the key."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """See `why_kept`."""
        return False

    def save_model(
        self, request: HttpRequest, obj: Integration, form: ModelForm, change: bool
    ) -> None:
        """Change through the service."""
        save_integration(
            Integration.objects.get(pk=obj.pk),
            fields=changed_in(form),
            actor=signed_in(request),
            now=now(),
        )


@admin.register(Heartbeat)
class HeartbeatAdmin(DeletesByService):
    """What must give a sign of life, and how often."""

    remove = staticmethod(delete_heartbeat)
    list_display = ["name", "integration", "state", "period", "grace", "last_sign_at", "due_at"]
    list_filter = ["state"]
    list_select_related = ["integration"]
    search_fields = ["name"]
    fields = ["integration", "name", "sender_key", "period", "schedule", "timezone", "grace",
              "severity", "is_paused", "uid", "state", "last_sign_at", "due_at"]  # fmt: skip
    readonly_fields = ["uid", "state", "last_sign_at", "due_at"]

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        """Create or change through the service."""
        stored = Heartbeat.objects.get(pk=obj.pk) if change else Heartbeat()
        fields = changed_in(form) if change else form.cleaned_data
        obj.pk = save_heartbeat(stored, fields=fields, actor=signed_in(request), now=now()).pk
