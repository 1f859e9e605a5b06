"""What a handoff is about: the services that a schedule answers for, and how they stand."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from accounts.models import User
from catalog.models import Service
from incidents.domain.lifecycle import OPEN
from incidents.models import ActionItem, ChangeEvent, Incident, Silence
from incidents.queries.incidents import visible_incidents
from incidents.queries.postmortems import listed
from oncall.models import Override, Schedule
from slo.models import Slo
from slo.queries import figures

__all__ = ["Situation", "situation"]

_MOST = 20
_AHEAD = timedelta(days=7)


@dataclass(frozen=True)
class Situation:
    """How things stand when the person on call changes.

    Args:
        services: That call somebody of the schedule.
        open: Incidents that somebody must still do something about, the worst first.
        over: Incidents of the shift that are over.
        late_items: Action items of these services that are overdue, the longest first.
        late_postmortems: Incidents of these services whose postmortem is overdue.
        silences: That hold now, or begin within a week.
        deploys: Deploys and other changes of the shift, newest first.
        overrides: Of the schedule, from now on for a week.
        slos: Those with the least error budget left, each with its `status`.
    """

    services: list[Service]
    open: list[Incident]
    over: list[Incident]
    late_items: list[ActionItem]
    late_postmortems: list[Incident]
    silences: list[Silence]
    deploys: list[ChangeEvent]
    overrides: list[Override]
    slos: list[Slo]


def situation(schedule: Schedule, user: User, *, since: datetime, now: datetime) -> Situation:
    """Return how things stand, as far as `user` may know of it."""
    services = list(_services(schedule, user))
    incidents = visible_incidents(user).filter(service__in=services)
    over = incidents.filter(resolved_at__gte=since).order_by("-resolved_at")
    silences = Silence.objects.filter(
        Q(service=None) | Q(service__in=services), ends_at__gt=now, starts_at__lt=now + _AHEAD
    )
    deploys = ChangeEvent.objects.filter(service__in=services, at__gte=since, at__lte=now)
    late = ActionItem.objects.visible_to(user).overdue(now).filter(incident__service__in=services)
    late = late.select_related("owner", "incident")
    unwritten = listed(user, "overdue", now=now).filter(service__in=services)
    overrides = schedule.overrides.filter(ends_at__gt=now, starts_at__lt=now + _AHEAD)
    return Situation(
        services=services,
        open=list(incidents.filter(status__in=OPEN).order_by("severity", "opened_at")[:_MOST]),
        over=list(over[:_MOST]),
        late_items=list(late.soonest_first()[:_MOST]),
        late_postmortems=list(unwritten.order_by("resolved_at")[:_MOST]),
        silences=list(silences.select_related("service").order_by("ends_at")[:_MOST]),
        deploys=list(deploys.select_related("service").order_by("-at")[:_MOST]),
        overrides=list(overrides.select_related("person").order_by("starts_at")[:_MOST]),
        slos=_worst(services),
    )


def _services(schedule: Schedule, user: User) -> QuerySet[Service]:
    called = Q(escalation__policy__levels__targets__schedule=schedule)
    policies = schedule.targets.filter(level__policy__is_default=True)
    if policies.exists():
        called |= Q(escalation=None)
    return Service.objects.visible_to(user).filter(called).distinct().order_by("name")


def _worst(services: list[Service]) -> list[Slo]:
    found = figures.newest()
    pks = list(Slo.objects.filter(sli__service__in=services).values_list("pk", flat=True))
    chosen = figures.by_budget_spent(pks, found)[:10]
    rows = Slo.objects.select_related("sli__service").in_bulk(chosen)
    return figures.attach([rows[pk] for pk in chosen], found)
