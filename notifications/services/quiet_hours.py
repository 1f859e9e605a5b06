"""Quiet hours: when a person is not called for what can wait."""

from datetime import datetime, time

from django.db import transaction

from accounts.models import User
from core import audit
from core.audit import Who
from core.errors import InvalidInput
from notifications.models import SAME_TIME, QuietHours

__all__ = ["remove_quiet_hours", "set_quiet_hours"]


@transaction.atomic
def set_quiet_hours(
    person: User, *, begins: time, ends: time, actor: Who, now: datetime
) -> QuietHours:
    """Say when a person is not called for what can wait.

    Args:
        person: Whose.
        begins: By the clock of their zone.
        ends: The same; on the next day when it is not after.
        actor: Who says so.
        now: The present.

    Raises:
        InvalidInput: They begin and end at the same time: always, or never?
    """
    if begins == ends:
        raise InvalidInput(SAME_TIME, field="ends")
    quiet, _ = QuietHours.objects.update_or_create(
        person=person, defaults={"begins": begins, "ends": ends}
    )
    changes = {"begins": f"{begins:%H:%M}", "ends": f"{ends:%H:%M}"}
    audit.record(act="quiet_hours.set", subject=quiet, actor=actor, now=now, changes=changes)
    return quiet


@transaction.atomic
def remove_quiet_hours(person: User, *, actor: Who, now: datetime) -> None:
    """Have a person called at any hour."""
    quiet = QuietHours.objects.select_for_update().filter(person=person).first()
    if quiet is not None:
        name = audit.subject_name(quiet)
        quiet.delete()
        audit.record(act="quiet_hours.removed", subject=name, actor=actor, now=now)
