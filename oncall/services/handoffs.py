"""Handoffs: signed by who goes and by who comes, with their audit."""

from datetime import datetime

from django.db import transaction

from accounts.models import User
from accounts.roles import Role
from core import audit
from core.audit import Who
from core.errors import Conflict, Forbidden, InvalidInput
from core.locking import locked
from oncall.models import Handoff, Schedule
from oncall.queries.handoffs import Change

__all__ = ["MOST_NOTES", "give", "take"]

MOST_NOTES = 10_000


@transaction.atomic
def give(
    schedule: Schedule,
    change: Change,
    *,
    notes: str,
    actor: User,
    now: datetime,
    seen: str | None = None,
    token: Who = None,
) -> Handoff:
    """Hand over: write down what whoever comes must know, and sign; again until they have signed.

    The same notes by the same person once more change nothing: that is a second tap.

    Args:
        schedule: Whose person on call changes.
        change: When, and from whom to whom.
        notes: What whoever comes must know.
        actor: Who signs.
        now: The present.
        seen: `edition` of the notes that these replace; None replaces whatever stands there.
        token: By which a program signs for them; the audit names it.

    Raises:
        Forbidden: It is somebody else's shift, and the actor is no manager.
        Conflict: Whoever came has signed already, or others wrote notes that were not seen.
        InvalidInput: The notes are too long.
    """
    _may_sign(actor, change.outgoing, "goes")
    notes = notes.replace("\r\n", "\n")  # A browser counts a new line as one character.
    if len(notes) > MOST_NOTES:
        raise InvalidInput(f"Notes have {MOST_NOTES:,} characters at most.", field="notes")
    row = _locked(schedule, change)
    if row.taken_at is not None:
        raise Conflict("Whoever came has signed; add a note to the incident instead.")
    notes, signer = notes.strip(), actor.audit_name.removeprefix("user:")
    if row.given_at is not None and (row.notes, row.given_by) == (notes, signer):
        return row
    if seen not in (None, row.edition):
        raise Conflict(
            "Somebody changed the notes after you opened this page. Nothing was saved: look at"
            " them; signing again replaces them by what stands here."
        )
    row.notes, row.given_at, row.given_by = notes, now, signer
    row.save(update_fields=["notes", "given_at", "given_by"])
    audit.record(act="handoff.given", subject=row, actor=token or actor, now=now)
    return row


@transaction.atomic
def take(
    schedule: Schedule,
    change: Change,
    *,
    actor: User,
    now: datetime,
    seen: str | None = None,
    token: Who = None,
) -> Handoff:
    """Take over: sign that one has read it; again changes nothing.

    Args:
        schedule: Whose person on call changes.
        change: When, and from whom to whom.
        actor: Who signs.
        now: The present.
        seen: `edition` of the notes that were read; None where nobody can say.
        token: By which a program signs for them; the audit names it.

    Raises:
        Forbidden: It is somebody else's shift, and the actor is no manager.
        Conflict: The notes are no longer those that were read.
    """
    _may_sign(actor, change.incoming, "comes")
    row = _locked(schedule, change)
    if row.taken_at is None:
        if seen not in (None, row.edition):
            raise Conflict(
                "The notes were changed after you opened this page: read them, then sign."
            )
        row.taken_at, row.taken_by = now, actor.audit_name.removeprefix("user:")
        row.save(update_fields=["taken_at", "taken_by"])
        audit.record(act="handoff.taken", subject=row, actor=token or actor, now=now)
    return row


def _may_sign(actor: User, whose: int | None, what: str) -> None:
    if actor.pk != whose and not actor.has_role(Role.MANAGER):
        raise Forbidden(f"Only who {what} signs that, or a manager.")


def _locked(schedule: Schedule, change: Change) -> Handoff:
    """Return the row of a change, locked; whose it is, is as planned when the first one signs."""
    whose = {"outgoing_id": change.outgoing, "incoming_id": change.incoming}
    row, _ = Handoff.objects.get_or_create(schedule=schedule, at=change.at, defaults=whose)
    return locked(row)
