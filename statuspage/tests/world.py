"""A shop with a public page, and words that must never be on it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from catalog.models import Service
from incidents.domain.communication import Audience, PublicState
from incidents.models import Incident, StatusUpdate
from incidents.queries.status_updates import Draft
from incidents.services.lifecycle import Opening, declare
from incidents.services.status_updates import publish
from statuspage.models import Component, ComponentGroup

HOUR = timedelta(hours=1)
NOON = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)
# Stands wherever something is internal.
SECRET = "zebra"


def shop() -> Service:
    """Make a service whose names are internal."""
    return Service.objects.create(
        slug=f"{SECRET}-checkout", name=f"{SECRET} checkout", tier=1, is_private=True,
        description=f"{SECRET} notes",
    )  # fmt: skip


def component(name: str = "Checkout", **values: Any) -> Component:
    """Make a component of the page."""
    return Component.objects.create(name=name, **values)


def group(name: str = "Shop", **values: Any) -> ComponentGroup:
    """Make a heading."""
    return ComponentGroup.objects.create(name=name, **values)


def responder() -> User:
    """Return somebody whose name is internal."""
    found = User.objects.filter(username=f"{SECRET}-alice").first()
    return found or person(f"{SECRET}-alice", Role.RESPONDER)


def incident(
    service: Service | None = None, *, severity: str = "P1", now: datetime = NOON
) -> Incident:
    """Declare an incident whose title and summary are internal."""
    opening = Opening(
        title=f"{SECRET}-db-7 is down",
        summary=f"{SECRET} summary",
        severity=severity,
        service_id=service.pk if service else None,
    )
    return declare(opening, now=now, actor=responder())


def tell(
    about: Incident,
    text: str,
    *,
    state: PublicState | None = PublicState.INVESTIGATING,
    now: datetime = NOON,
) -> StatusUpdate:
    """Publish an update; without a state an internal one."""
    audience = Audience.PUBLIC if state else Audience.INTERNAL
    return publish(about.pk, Draft(audience, text, state), now=now, actor=responder())
