"""By which methods a person is called, and when."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from accounts.models import User
from core.zones import zone_of
from notifications.models import ContactMethod, NotificationRule, QuietHours

__all__ = ["Planned", "plan_for"]


@dataclass(frozen=True)
class Planned:
    """One method of a plan.

    Args:
        method: Verified and switched on.
        at: When it is used, unless the person has answered by then.
    """

    method: ContactMethod
    at: datetime


def plan_for(person: User, urgency: str, now: datetime) -> list[Planned]:
    """Return how a person is called from now on, soonest first; empty when they cannot be reached.

    Without rules that lead to a usable method, all usable methods are used at once: a rule may
    name a method that was switched off, and then silence is the worst answer.
    """
    methods = {method.pk: method for method in ContactMethod.objects.usable().filter(person=person)}
    rules = NotificationRule.objects.filter(person=person, urgency=urgency).order_by("delay", "pk")
    begins = now if urgency == NotificationRule.Urgency.HIGH else _after_quiet(person, now)
    found = [
        Planned(methods[rule.method_id], begins + rule.delay)
        for rule in rules
        if rule.method_id in methods
    ]
    return found or [Planned(method, begins) for method in methods.values()]


def _after_quiet(person: User, now: datetime) -> datetime:
    """Return the end of the person's quiet hours if `now` lies in them."""
    quiet = QuietHours.objects.filter(person=person).first()
    if quiet is None:
        return now
    zone = zone_of(person)
    local = now.astimezone(zone)
    if not _is_within(local.time(), quiet.begins, quiet.ends):
        return now
    day = local.date() if local.time() < quiet.ends else local.date() + timedelta(days=1)
    ends = datetime.combine(day, quiet.ends, tzinfo=zone)
    return ends.astimezone(now.tzinfo or ZoneInfo("UTC"))


def _is_within(at: time, begins: time, ends: time) -> bool:
    return begins <= at < ends if begins < ends else at >= begins or at < ends
