"""By which methods a person is called, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from accounts.models import User
from core.walltime import instant
from core.zones import zone_of
from notifications.models import ContactMethod, NotificationRule, QuietHours

__all__ = ["Planned", "goes_out_at", "plan_for"]


@dataclass(frozen=True)
class Planned:
    """One method of a plan.

    Args:
        method: Verified and switched on.
        at: When it is used, unless the person has answered by then.
        after: How long after the call their rule has it; None: no rule does, all are used at once.
    """

    method: ContactMethod
    at: datetime
    after: timedelta | None = None


def plan_for(person: User, urgency: str, now: datetime) -> list[Planned]:
    """Return how a person is called from now on, soonest first; empty when they cannot be reached.

    Without rules that lead to a usable method, all usable methods are used at once: a rule may
    name a method that was switched off, and then silence is the worst answer. Rules that put one
    method off to the same end of quiet hours use it once.
    """
    methods = {method.pk: method for method in ContactMethod.objects.usable().filter(person=person)}
    rules = NotificationRule.objects.filter(person=person, urgency=urgency).order_by("delay", "pk")
    found = [(methods[rule.method_id], rule.delay) for rule in rules if rule.method_id in methods]
    by_rule = bool(found)
    found = found or [(method, timedelta()) for method in methods.values()]
    times = goes_out_at(person, urgency, [delay for _, delay in found], now)
    planned = [
        Planned(method, at, delay if by_rule else None)
        for (method, delay), at in zip(found, times, strict=True)
    ]
    return list({(each.method.pk, each.at): each for each in planned}.values())


def goes_out_at(
    person: User, urgency: str, delays: Sequence[timedelta], now: datetime
) -> list[datetime]:
    """Return when messages go out to a person who is called now, each after its delay.

    What can wait leaves quiet hours alone: who is called in them is called at their end, and what
    would follow in them comes then, too.
    """
    quiet = None
    if urgency != NotificationRule.Urgency.HIGH:
        quiet = QuietHours.objects.filter(person=person).first()
    if quiet is None:
        return [now + delay for delay in delays]
    zone = zone_of(person)
    begins = _after(quiet, now, zone)
    return [_after(quiet, begins + delay, zone) for delay in delays]


def _after(quiet: QuietHours, at: datetime, zone: tzinfo) -> datetime:
    """Return the end of quiet hours if `at` lies in them, else `at`."""
    local = at.astimezone(zone)
    if not _is_within(local.time(), quiet.begins, quiet.ends):
        return at
    day = local.date() if local.time() < quiet.ends else local.date() + timedelta(days=1)
    ends = instant(day, quiet.ends, zone)
    if ends > at:
        return ends
    # In an hour that comes twice the clock shows quiet hours once more: until it shows their end again.
    return datetime.combine(day, quiet.ends.replace(fold=1), tzinfo=zone).astimezone(UTC)


def _is_within(at: time, begins: time, ends: time) -> bool:
    return begins <= at < ends if begins < ends else at >= begins or at < ends
