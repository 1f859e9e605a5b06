"""Whom the fallback contact is: written here, with the audit."""

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import User
from core import audit
from core.audit import Who
from core.errors import Conflict, InvalidInput
from core.locking import locked
from notifications.models import ContactMethod
from oncall.models import FallbackContact

__all__ = ["add_fallback", "remove_fallback"]


@transaction.atomic
def add_fallback(
    *,
    person: User | None = None,
    channel: ContactMethod | None = None,
    actor: Who,
    now: datetime,
) -> FallbackContact:
    """Have a person or a team's channel called when nobody else can be.

    Raises:
        InvalidInput: Both or neither are given, or nobody would be called by them.
        Conflict: They are called already.
        NotFound: Whoever or whatever it is was deleted meanwhile.
    """
    if (person is None) is (channel is None):
        raise InvalidInput("Name a person or a channel.", field="person")
    person, channel = person and locked(person), channel and locked(channel)
    row = FallbackContact(person=person, channel=channel)
    chosen: dict[str, Any] = {"person": person} if person else {"channel": channel}
    if person and not person.is_active:
        raise InvalidInput(f"{person} is no longer active.", field="person")
    if channel and not channel.is_usable:
        raise InvalidInput(f"{channel} is not verified, or switched off.", field="channel")
    if FallbackContact.objects.filter(**chosen).exists():
        raise Conflict(f"{row} is called already.")
    row.save(force_insert=True)
    changes = {name: str(found) for name, found in chosen.items()}
    audit.record(act="fallback_contact.created", subject=row, actor=actor, now=now, changes=changes)
    return row


@transaction.atomic
def remove_fallback(row: FallbackContact, *, actor: Who, now: datetime) -> None:
    """Call them no longer; without any, all admins are called.

    Raises:
        NotFound: It was removed already.
    """
    row = locked(row, to_delete=True)
    name, changes = audit.subject_name(row), {"removed": str(row)}
    row.delete()
    audit.record(
        act="fallback_contact.deleted", subject=name, actor=actor, now=now, changes=changes
    )
