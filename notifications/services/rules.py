"""Notification rules: by which method a person is called, and when."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from accounts.models import User
from core import audit
from core.audit import Who
from core.errors import Conflict, InvalidInput
from core.locking import locked
from notifications.models import LONGEST_DELAY, ContactMethod, NotificationRule

__all__ = ["add_rule", "remove_rule"]

MOST_RULES = 40


@transaction.atomic
def add_rule(
    person: User,
    *,
    urgency: str,
    method: ContactMethod,
    delay: timedelta,
    actor: Who,
    now: datetime,
) -> NotificationRule:
    """Have a person called by a method, so long after they are called first.

    Args:
        person: Whom.
        urgency: high or low.
        method: Theirs.
        delay: Up to `LONGEST_DELAY`.
        actor: Who says so.
        now: The present.

    Raises:
        InvalidInput: The method is somebody else's.
        Conflict: There is such a rule, or there are too many.
    """
    if method.person_id != person.pk:
        raise InvalidInput("It is somebody else's.", field="method")
    if not timedelta() <= delay <= LONGEST_DELAY:
        raise InvalidInput("It must lie within 24 hours.", field="delay")
    if NotificationRule.objects.filter(person=person).count() >= MOST_RULES:
        raise Conflict(f"There are {MOST_RULES} rules already; remove one first.")
    try:
        with transaction.atomic():
            rule = NotificationRule.objects.create(
                person=person, urgency=urgency, method=method, delay=delay
            )
    except IntegrityError as error:
        raise Conflict("There is such a rule already.") from error
    audit.record(act="notification_rule.added", subject=rule, actor=actor, now=now)
    return rule


@transaction.atomic
def remove_rule(rule: NotificationRule, *, actor: Who, now: datetime) -> None:
    """Remove a rule.

    Raises:
        NotFound: It was removed already.
    """
    rule = locked(rule, to_delete=True)
    name = audit.subject_name(rule)
    rule.delete()
    audit.record(act="notification_rule.removed", subject=name, actor=actor, now=now)
