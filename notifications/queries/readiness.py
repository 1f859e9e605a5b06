"""How surely people are woken, from their stored methods and rules."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from notifications.domain.kinds import Kind
from notifications.domain.readiness import Readiness, Way, readiness_of
from notifications.models import ContactMethod, NotificationRule

__all__ = ["readiness_of_people"]


def readiness_of_people(people: Collection[int], *, now: datetime) -> dict[int, Readiness]:
    """Return the readiness of each person, by primary key, in two queries.

    As when they are called: the rules for high urgency say which methods count; without rules that
    lead to one, all of them do. Whoever is no longer active is not called.
    """
    methods: dict[int, dict[int, ContactMethod]] = defaultdict(dict)
    usable = ContactMethod.objects.usable().filter(person__in=people, person__is_active=True)
    for method in usable:
        methods[method.person_id or 0][method.pk] = method
    delays: dict[int, list[tuple[int, timedelta]]] = defaultdict(list)
    rules = NotificationRule.objects.filter(
        person__in=people, urgency=NotificationRule.Urgency.HIGH
    )
    for rule in rules:
        if rule.method_id in methods[rule.person_id]:
            delays[rule.person_id].append((rule.method_id, rule.delay))
    return {
        person: readiness_of(
            [
                _way(methods[person][key], delay)
                for key, delay in delays[person] or ((key, timedelta()) for key in methods[person])
            ],
            now,
        )
        for person in people
    }


def _way(method: ContactMethod, delay: timedelta) -> Way:
    return Way(Kind(method.kind), delay, method.delivered_at, method.failed_at)
