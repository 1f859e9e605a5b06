"""Handoffs: signed by who goes and by who comes, with their audit."""

from datetime import datetime

from django.db import transaction

from accounts.models import User
from accounts.roles import Role
from core import audit
from core.errors import Conflict, Forbidden, InvalidInput
from core.locking import locked
from oncall.models import Handoff, Schedule
from oncall.queries.handoffs import Change

__all__ = ["give", "take"]

MOST_NOTES = 10_000


@transaction.atomic
def give(schedule: Schedule, change: Change, *, notes: str, actor: User, now: datetime) -> Handoff:
    """Hand over: write down what whoever comes must know, and sign; again until they have signed.

    Raises:
        Forbidden: It is somebody else's shift, and the actor is no manager.
        Conflict: Whoever came has signed already.
        InvalidInput: The notes are too long.
    """
    _may_sign(actor, change.outgoing, "goes")
    if len(notes) > MOST_NOTES:
        raise InvalidInput(f"Notes have {MOST_NOTES:,} characters at most.", field="notes")
    row = _locked(schedule, change)
    if row.taken_at is not None:
        raise Conflict("Whoever came has signed; add a note to the incident instead.")
    row.notes = notes.strip()
    row.given_at, row.given_by = now, actor.audit_name.removeprefix("user:")
    row.save(update_fields=["notes", "given_at", "given_by"])
    audit.record(act="handoff.given", subject=row, actor=actor, now=now)
    return row


@transaction.atomic
def take(schedule: Schedule, change: Change, *, actor: User, now: datetime) -> Handoff:
    """Take over: sign that one has read it; again changes nothing.

    Raises:
        Forbidden: It is somebody else's shift, and the actor is no manager.
    """
    _may_sign(actor, change.incoming, "comes")
    row = _locked(schedule, change)
    if row.taken_at is None:
        row.taken_at, row.taken_by = now, actor.audit_name.removeprefix("user:")
        row.save(update_fields=["taken_at", "taken_by"])
        audit.record(act="handoff.taken", subject=row, actor=actor, now=now)
    return row


def _may_sign(actor: User, whose: int | None, what: str) -> None:
    if actor.pk != whose and not actor.has_role(Role.MANAGER):
        raise Forbidden(f"Only who {what} signs that, or a manager.")


def _locked(schedule: Schedule, change: Change) -> Handoff:
    """Return the row of a change, locked; whose it is, is as planned when the first one signs."""
    whose = {"outgoing_id": change.outgoing, "incoming_id": change.incoming}
    row, _ = Handoff.objects.get_or_create(schedule=schedule, at=change.at, defaults=whose)
    return locked(row)
