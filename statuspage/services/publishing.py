"""Making incidents public: their public words, what they affect, and who is told."""

from collections.abc import Callable, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from core import audit
from core.audit import Who
from core.errors import InvalidInput
from core.locking import lock
from incidents.domain.communication import Audience
from incidents.models import Incident, Severity, StatusUpdate
from incidents.queries.merges import merged_into
from statuspage.domain.maintenance_news import STALE_AFTER
from statuspage.domain.statuses import Impact, Status
from statuspage.models import (
    AffectedComponent,
    Announcement,
    Component,
    Notice,
    PublicIncident,
    Subscriber,
)
from statuspage.services.notices import write

__all__ = [
    "announce_due",
    "effect_of",
    "follow",
    "make_public",
    "save_public_incident",
]

_AT_ONCE = 20
# What an incident of a severity says of its service's components, until somebody says otherwise.
EFFECT = {
    Severity.P0.value: Status.MAJOR_OUTAGE,
    Severity.P1.value: Status.PARTIAL_OUTAGE,
    Severity.P2.value: Status.DEGRADED_PERFORMANCE,
    Severity.P3.value: Status.OPERATIONAL,
}


def effect_of(incident: Incident) -> dict[Component, Status]:
    """Return what an incident affects, and how, until somebody says otherwise."""
    parts = Component.objects.filter(service=incident.service_id, service__isnull=False)
    return dict.fromkeys(parts, EFFECT[incident.severity])


@transaction.atomic
def make_public(incident: Incident, *, actor: Who, now: datetime) -> PublicIncident:
    """Return an incident's public row, made with neutral words where there is none.

    It affects the components of its service, as badly as its severity says.
    """
    row, is_new = PublicIncident.objects.get_or_create(incident=incident)
    if is_new:
        AffectedComponent.objects.bulk_create(
            AffectedComponent(public_incident=row, component=part, status=effect)
            for part, effect in effect_of(incident).items()
        )
        audit.record(act="statuspage.incident_made_public", subject=row, actor=actor, now=now)
    return row


def follow(update: StatusUpdate, *, actor: Who, now: datetime) -> None:
    """Show an incident from its first public update on, in that one's transaction."""
    if update.audience == Audience.PUBLIC:
        make_public(update.incident, actor=actor, now=now)


@transaction.atomic
def save_public_incident(
    incident: Incident,
    *,
    title: str,
    impact: Impact | None,
    affected: Mapping[Component, Status],
    actor: Who,
    now: datetime,
) -> PublicIncident:
    """Say what the public reads of an incident; it is shown once there is a public update.

    Args:
        incident: The incident.
        title: Typed for the public.
        impact: None: as bad as the worst of what is affected.
        affected: How each affected component is while the incident lasts.
        actor: Who.
        now: When.

    Raises:
        InvalidInput: The title says nothing.
    """
    if not title.strip():
        raise InvalidInput("Say in a few words what users notice.", field="title")
    row = make_public(incident, actor=actor, now=now)
    lock(row)
    before = {one.component_id: one.status for one in row.affected.all()}
    after = {component.pk: str(status) for component, status in affected.items()}
    said = {"title": title.strip(), "impact": str(impact or "")}
    changes = {
        name: [getattr(row, name), value]
        for name, value in said.items()
        if getattr(row, name) != value
    }
    if before != after:
        changes["components"] = [_spelt(before), _spelt(after)]
        row.affected.all().delete()
        AffectedComponent.objects.bulk_create(
            AffectedComponent(public_incident=row, component_id=pk, status=status)
            for pk, status in after.items()
        )
    if changes:
        row.title, row.impact = said["title"], said["impact"]
        row.save(update_fields=["title", "impact", "updated_at"])
        audit.record(
            act="statuspage.incident_changed", subject=row, actor=actor, now=now, changes=changes
        )
    return row


def _spelt(affected: Mapping[int, str]) -> list[str]:
    names = dict(Component.objects.filter(pk__in=affected).values_list("pk", "name"))
    return sorted(f"{names.get(pk, pk)}: {status}" for pk, status in affected.items())


def announce_due(*, now: datetime, is_over: Callable[[], bool]) -> int:
    """Write the notices of public updates that have none yet; returns of how many updates.

    Each update with all its notices is one transaction: whoever comes second, or after a crash,
    finds all of it or nothing.

    Args:
        now: When.
        is_over: Asked before each, whether no other is to be begun.
    """
    rows = StatusUpdate.objects.filter(
        audience=str(Audience.PUBLIC), at__gt=now - STALE_AFTER, announcement=None
    )
    due = rows.select_related("incident").order_by("at", "pk")[:_AT_ONCE]
    return sum(not is_over() and _announce(update, now) for update in due)


@transaction.atomic
def _announce(update: StatusUpdate, now: datetime) -> bool:
    """Write what one update asks for; False where another worker does it in this moment."""
    _, is_first = Announcement.objects.get_or_create(update=update, defaults={"at": now})
    if is_first:
        row = make_public(update.incident, actor=None, now=now)
        write(_concerned(row), lambda key: Notice(subscriber_id=key, update=update, send_at=now))
    return is_first


def _concerned(row: PublicIncident) -> QuerySet[Subscriber]:
    """Return who asked for one of the affected components, or for all of them.

    An incident that affects none concerns everybody. Of what was merged into it those hear, too, who
    heard of that: it goes on with these updates.
    """
    told = [row.incident, *merged_into(row.incident)]
    parts = Component.objects.filter(affected_by__public_incident__incident__in=told)
    wanted = set(parts.values_list("pk", flat=True))
    is_of_some = wanted and row.affected.exists()
    return Subscriber.objects.wanting(wanted) if is_of_some else Subscriber.objects.all()
