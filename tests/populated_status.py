"""The public page of the populated portal."""

from collections.abc import Iterator
from datetime import datetime

from catalog.models import Service
from incidents.domain.communication import Audience, PublicState
from incidents.models import Incident, Maintenance
from incidents.queries.status_updates import Draft
from incidents.services.status_updates import publish
from statuspage.models import (
    Component,
    ComponentGroup,
    MaintenanceAnnouncement,
    MaintenanceNotice,
    Notice,
    PublicIncident,
    PublicMaintenance,
    Subscriber,
    SubscriptionRequest,
)
from statuspage.services.subscriptions import ask
from statuspage.tokens import Purpose, token_of

__all__ = ["add_status_page", "status_parameters"]


def add_status_page(number: int, service: Service, now: datetime) -> None:
    """Add a component of the service, and what was told about it to whom."""
    group = ComponentGroup.objects.create(name=f"Group {number}")
    slo = service.slis.first()
    part = Component.objects.create(
        name=f"Part {number}", group=group, service=service, slo=slo.slos.first() if slo else None
    )
    incident = Incident.objects.latest("pk")
    draft = Draft(Audience.PUBLIC, "We look into it.", PublicState.INVESTIGATING)
    update = publish(incident.pk, draft, now=now, actor="test")
    told = PublicIncident.objects.get(incident=incident)
    told.affected.get_or_create(component=part, defaults={"status": "partial_outage"})
    reader = Subscriber.objects.create(email=f"reader-{number}@example.org", confirmed_at=now)
    Notice.objects.create(subscriber=reader, update=update, send_at=now)
    ask(email=f"asked-{number}@example.org", components=[part], now=now)
    work = Maintenance.objects.filter(service=service).first()
    if work:
        PublicMaintenance.objects.create(maintenance=work)
        news = MaintenanceAnnouncement.objects.create(
            maintenance=work, occurrence_at=work.starts_at, ends_at=work.ends_at,
            kind="scheduled", at=now,
        )  # fmt: skip
        MaintenanceNotice.objects.create(subscriber=reader, announcement=news, send_at=now)


def status_parameters() -> Iterator[tuple[str, str]]:
    """Yield the beginning of an address and the parameter that belongs there."""
    told = PublicIncident.objects.latest("pk")
    yield "status/incidents/", told.public_id
    yield "status/components/", Component.objects.latest("pk").public_id
    asked = SubscriptionRequest.objects.latest("pk")
    yield "status/api/v2/", "missing.json"
    yield "status/confirm/", token_of(asked.key, Purpose.CONFIRM)
    reader = Subscriber.objects.latest("pk")
    yield "status/unsubscribe/", token_of(reader.key, Purpose.UNSUBSCRIBE)
    yield "incidents/panels/public/", str(told.incident_id)
    yield "incidents/%(pk)s/public/", str(told.incident_id)
