"""Notification rules: by which method a person is called, and when."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts.models import User
from core import audit
from core.audit import Who
from core.errors import Conflict, InvalidInput
from core.locking import lock_in_order, locked
from notifications.models import LONGEST_DELAY, ContactMethod, NotificationRule
from notifications.services.trials import hold_owner

__all__ = ["MOST_RULES", "add_rule", "remove_rule", "replace_rules"]

MOST_RULES = 40
WITHIN = "It must lie within 24 hours."


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
        raise InvalidInput(WITHIN, field="delay")
    hold_owner(person, None)
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
def replace_rules(
    person: User,
    *,
    urgency: str,
    rules: Sequence[Mapping[str, Any]],
    actor: Who,
    now: datetime,
) -> list[NotificationRule]:
    """Have these be all rules of one urgency; returns them, the soonest first.

    What is as it was is neither written nor told.

    Args:
        person: Whose.
        urgency: high or low.
        rules: Each with `method` and `delay`.
        actor: Who says so.
        now: The present.

    Raises:
        InvalidInput: Names the rule that cannot be, by its number.
        Conflict: With those of the other urgency there would be too many.
    """
    hold_owner(person, None)
    wanted = _wanted(person, rules)
    others = NotificationRule.objects.filter(person=person).exclude(urgency=urgency).count()
    if others + len(wanted) > MOST_RULES:
        raise Conflict(f"There would be more than {MOST_RULES} rules.")
    own = NotificationRule.objects.filter(person=person, urgency=urgency).select_related("method")
    stored = {(rule.method_id, rule.delay): rule for rule in own}
    if stored.keys() == wanted.keys():
        return list(own.order_by("delay", "pk"))
    before = _told(own)
    gone = [rule.pk for key, rule in stored.items() if key not in wanted]
    own.filter(pk__in=gone).delete()
    NotificationRule.objects.bulk_create(
        NotificationRule(person=person, urgency=urgency, method=method, delay=delay)
        for (pk, delay), method in wanted.items()
        if (pk, delay) not in stored
    )
    changes = {urgency: [before, _told(own)]}
    audit.record(
        act="notification_rules.replaced", subject=person, actor=actor, now=now, changes=changes
    )
    return list(own.order_by("delay", "pk"))


def _wanted(
    person: User, rules: Sequence[Mapping[str, Any]]
) -> dict[tuple[int, timedelta], ContactMethod]:
    """Return methods by what makes a rule one; holds them, so that none is removed meanwhile."""
    asked = [each["method"].pk for each in rules]
    there = lock_in_order(ContactMethod.objects.filter(person=person, pk__in=asked))
    wanted: dict[tuple[int, timedelta], ContactMethod] = {}
    for number, each in enumerate(rules):
        method, delay = each["method"], each.get("delay", timedelta())
        if method.pk not in there:
            raise InvalidInput("It is not there any more.", field=f"rules[{number}].method")
        if not timedelta() <= delay <= LONGEST_DELAY:
            raise InvalidInput(WITHIN, field=f"rules[{number}].delay")
        if (method.pk, delay) in wanted:
            raise InvalidInput("It is there twice.", field=f"rules[{number}]")
        wanted[method.pk, delay] = method
    return wanted


def _told(rules: QuerySet[NotificationRule]) -> list[str]:
    """Return rules as the audit tells them."""
    return [f"{rule.method} after {rule.delay}" for rule in rules.order_by("delay", "pk").all()]


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
