"""Quiet hours: when a person is not called for what can wait."""

from collections.abc import Mapping
from datetime import datetime, time

from django.db import transaction

from accounts.models import User
from core import audit
from core.audit import Who
from core.errors import Conflict, InvalidInput
from core.locking import lock
from notifications.models import SAME_TIME, QuietHours
from notifications.services.trials import hold_owner

__all__ = ["add_quiet_hours", "change_quiet_hours", "remove_quiet_hours", "set_quiet_hours"]

ALREADY = "You have quiet hours already: change those, or remove them."


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
def add_quiet_hours(
    person: User, *, begins: time, ends: time, actor: Who, now: datetime
) -> QuietHours:
    """Set quiet hours of a person who has none.

    Args:
        person: Whose.
        begins: As `set_quiet_hours` has it.
        ends: The same.
        actor: Who says so.
        now: The present.

    Raises:
        InvalidInput: They begin and end at the same time.
        Conflict: There are some already.
    """
    hold_owner(person, None)
    if QuietHours.objects.filter(person=person).exists():
        raise Conflict(ALREADY)
    return set_quiet_hours(person, begins=begins, ends=ends, actor=actor, now=now)


@transaction.atomic
def change_quiet_hours(
    quiet: QuietHours, *, fields: Mapping[str, time], actor: Who, now: datetime
) -> QuietHours:
    """Change when quiet hours begin, or end.

    Args:
        quiet: As they were read before.
        fields: `begins` and `ends`, where they are given.
        actor: Who says so.
        now: The present.

    Raises:
        InvalidInput: They would begin and end at the same time.
        NotFound: They were removed meanwhile.
    """
    lock(quiet)
    changed = {"begins": quiet.begins, "ends": quiet.ends, **fields}
    return set_quiet_hours(quiet.person, **changed, actor=actor, now=now)


@transaction.atomic
def remove_quiet_hours(person: User, *, actor: Who, now: datetime) -> None:
    """Have a person called at any hour."""
    quiet = QuietHours.objects.select_for_update().filter(person=person).first()
    if quiet is not None:
        name = audit.subject_name(quiet)
        quiet.delete()
        audit.record(act="quiet_hours.removed", subject=name, actor=actor, now=now)
