"""What of an incident is told to whom: a merge may bring in what belongs to a private service."""

from django.db.models import (
    BigIntegerField,
    Case,
    Exists,
    F,
    OuterRef,
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

__all__ = ["known_alerts", "timeline_for"]


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
    alerts = Alert.objects.filter(pk=OuterRef("of_alert"))
    sources = Incident.objects.filter(pk=OuterRef("of_source"))
    return entries.alias(
        of_alert=Cast(KT("facts__alert"), BigIntegerField()),
        of_source=Cast(KT("facts__source"), BigIntegerField()),
    ).annotate(
        told=Case(
            When(
                Exists(alerts) & ~Exists(alerts.visible_to(user)),
                then=Value("An alert of a private service."),
            ),
            When(
                Exists(sources) & ~Exists(sources.visible_to(user)),
                then=Concat(Value("#"), Cast("of_source", TextField())),
            ),
            default="text",
            output_field=TextField(),
        )
    )
