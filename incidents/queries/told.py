"""What of an incident is told to whom: a merge may bring in what belongs to a private service."""

from django.db.models import (
    BigIntegerField,
    Case,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Concat

from accounts.models import User
from accounts.roles import Role
from incidents.models import Alert, Incident, TimelineEntry

__all__ = ["alerts_for_all", "known_alerts", "timeline_for", "timeline_for_all"]


def known_alerts(incident: Incident, user: User) -> QuerySet[Alert]:
    """Return the alerts of an incident that somebody may know of."""
    return Alert.objects.visible_to(user).filter(incident=incident)


def timeline_for(incident: Incident, user: User) -> QuerySet[TimelineEntry]:
    """Return what happened in an incident, of each entry as `told` what somebody may know of it.

    Of an alert, or an incident that was merged in, of which they may not, only that there is one.
    """
    entries = incident.timeline.all()
    if user.has_role(Role.ADMIN):
        return entries.annotate(told=F("text"))
    alerts, sources = Alert.objects.visible_to(user), Incident.objects.visible_to(user)
    return _told(entries, alerts, sources)


def alerts_for_all(incident: Incident) -> QuerySet[Alert]:
    """Return the alerts of an incident of which everybody may know who may know of the incident."""
    return Alert.objects.filter(_is_of_no_other(incident), incident=incident)


def timeline_for_all(incident: Incident) -> QuerySet[TimelineEntry]:
    """Return what happened, as `told` what everybody may know who may know of the incident."""
    known = _is_of_no_other(incident)
    alerts, sources = Alert.objects.filter(known), Incident.objects.filter(known)
    return _told(incident.timeline.all(), alerts, sources)


def _is_of_no_other(incident: Incident) -> Q:
    """Return the condition on rows with a `service`: none, the incident's, or one that is public."""
    return Q(service=None) | Q(service=incident.service_id) | Q(service__is_private=False)


def _told(
    entries: QuerySet[TimelineEntry], known_alerts: QuerySet[Alert], known: QuerySet[Incident]
) -> QuerySet[TimelineEntry]:
    """Return entries with what is told of each where some alerts and incidents are known."""
    alerts = Alert.objects.filter(pk=OuterRef("of_alert"))
    sources = Incident.objects.filter(pk=OuterRef("of_source"))
    return entries.alias(
        of_alert=Cast(KT("facts__alert"), BigIntegerField()),
        of_source=Cast(KT("facts__source"), BigIntegerField()),
    ).annotate(
        told=Case(
            When(
                Exists(alerts) & ~Exists(known_alerts.filter(pk=OuterRef("of_alert"))),
                then=Value("An alert of a private service."),
            ),
            When(
                Exists(sources) & ~Exists(known.filter(pk=OuterRef("of_source"))),
                then=Concat(Value("#"), Cast("of_source", TextField())),
            ),
            default="text",
            output_field=TextField(),
        )
    )
