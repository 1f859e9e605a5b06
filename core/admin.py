"""Admin of what the portal does by itself: read only."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest

from core import audit, clock
from core.locking import lock
from core.models import AuditEntry, JobSlot, ProcessHeartbeat

__all__ = ["AuditedAdmin", "DeletesByService", "ReadOnlyAdmin"]


class DeletesByService(admin.ModelAdmin[Any]):
    """Deletes by `remove`: what is deleted in the admin ends as it does elsewhere.

    `remove` takes the row, `actor` and `now`; it writes the audit's row and raises a `DomainError` when
    the row must stay.
    """

    remove: Callable[..., None]

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete one."""
        self.remove(obj, actor=getattr(request.user, "audit_name", None), now=clock.now())


class AuditedAdmin(DeletesByService):
    """Writes an audit row for each change, in the transaction of Django's own history.

    Attributes:
        noun: What acts are called after; the model's name where nothing is said.
        is_saved_by_service: `save_model` calls a service, which tells of the row's own fields; what is
            left to tell are the rows below it.
        part_of: The field that leads to what a row is part of: what is done to the row changes that.
    """

    noun = ""
    is_saved_by_service = False
    part_of = ""

    def remove(self, obj: Any, /, *, actor: audit.Who, now: datetime) -> None:
        """Delete a row, and write it down.

        Raises:
            NotFound: Somebody else deleted it.
        """
        with transaction.atomic():
            lock(obj, to_delete=True)
            told = self._told("deleted", obj, "")
            obj.delete()
            audit.record(**told, actor=actor, now=now)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Write both down."""
        self._record("created", obj, request, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Write both down."""
        self._record("changed", obj, request, message)
        return super().log_change(request, obj, message)

    def _record(self, what: str, obj: Any, request: HttpRequest, message: Any) -> None:
        if self.is_saved_by_service:
            message = [part for part in message if _is_of_row_below(part)]
            if not message:
                return
            what = "changed"
        written = message if isinstance(message, str) else json.dumps(message, default=str)
        said = LogEntry(change_message=written).get_change_message()
        actor = getattr(request.user, "audit_name", None)
        audit.record(**self._told(what, obj, said), actor=actor, now=clock.now())

    def _told(self, what: str, obj: Any, said: str) -> dict[str, Any]:
        """Return what the audit tells, by names that outlive the row."""
        noun = self.noun or str(self.model._meta.verbose_name).replace(" ", "_")
        changes = {"admin": said[:2000]} if said else {}
        subject = obj
        if self.part_of:
            changes = {f"{self.model._meta.verbose_name} {obj}": said[:2000] or f"{what}."}
            subject, what = getattr(obj, self.part_of), "changed"
        name = audit.subject_name(subject)
        return {"act": f"{noun}.{what}", "subject": name, "changes": changes}


def _is_of_row_below(part: Any) -> bool:
    """Whether a part of Django's change message tells of a row of an inline form."""
    return any("name" in told for told in part.values())


class ReadOnlyAdmin(admin.ModelAdmin[Model]):
    """Shows, and changes nothing."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing is added by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is changed by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is deleted by hand."""
        return False


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what."""

    list_display = ("seq", "at", "actor", "act", "subject")
    list_filter = ("act",)
    search_fields = ("actor", "subject", "act")


@admin.register(JobSlot)
class JobSlotAdmin(ReadOnlyAdmin):
    """Which scheduled job ran when."""

    list_display = ("job", "slot", "started_at", "finished_at", "is_late")
    list_filter = ("job",)


@admin.register(ProcessHeartbeat)
class ProcessHeartbeatAdmin(ReadOnlyAdmin):
    """Which processes are alive."""

    list_display = ("process", "instance", "started_at", "at")
