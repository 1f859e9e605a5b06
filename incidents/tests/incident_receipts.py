"""Receipts of incidents, as scenarios read them."""

from datetime import date, time
from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from incidents.domain.receipts import Receipt, Ruling, Verdict
from incidents.models import Incident
from incidents.queries.receipts import receipt_of_incident
from incidents.services import lifecycle
from incidents.tests.oncall_portal import Portal
from oncall.models import (
    Layer,
    LayerMember,
    LevelTarget,
    Schedule,
)

__all__ = ["acknowledge", "by_schedule", "found", "one", "reader", "receipt"]


@pytest.fixture
def reader(portal: Portal) -> User:
    """Somebody who may know of everything; nobody calls them."""
    return person("reader", Role.VIEWER)


@pytest.fixture
def receipt(portal: Portal, reader: User) -> Any:
    """Reads the receipt of an incident as it is stored now."""

    def read(incident: Incident | None) -> Receipt:
        assert incident is not None
        return receipt_of_incident(Incident.objects.get(pk=incident.pk), reader, now=portal.now)

    return read


def found(receipt: Receipt, rule: str, ruling: Ruling | None = None) -> list[Verdict]:
    """Return the verdicts of a rule, those that came to `ruling`."""
    all_of_it = [verdict for part in receipt.parts for verdict in part.verdicts]
    return [v for v in all_of_it if v.rule == rule and ruling in (None, v.verdict)]


def one(receipt: Receipt, rule: str, ruling: Ruling) -> str:
    """Return what the only such verdict says."""
    (verdict,) = found(receipt, rule, ruling)
    return verdict.text


def by_schedule(portal: Portal, name: str) -> Schedule:
    """Have L1 call whoever is on call of a schedule: alice, on the layer of the days."""
    schedule = Schedule.objects.create(slug="primary", name=name)
    layer = Layer.objects.create(
        schedule=schedule, name="Days", first_on=date(2026, 3, 1), handover_at=time(0)
    )
    LayerMember.objects.create(layer=layer, position=0, person=portal.people["alice"])
    LevelTarget.objects.filter(level__number=1).update(person=None, schedule=schedule)
    return schedule


def acknowledge(portal: Portal, incident: Incident, name: str) -> None:
    who = portal.people[name]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=who, person=who)
    portal.settle()
