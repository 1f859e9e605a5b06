"""The silence of an occurrence of maintenance says what the maintenance says: it is ended early, not moved."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import send, signed_in
from catalog.models import Service
from incidents.models import Maintenance, Silence
from incidents.services import maintenance
from incidents.tests.oncall_portal import Portal, portal

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def api(portal: Portal) -> Client:
    return signed_in(Role.RESPONDER)


@pytest.fixture
def silence(portal: Portal) -> Silence:
    """That of maintenance of an hour, which has just begun."""
    fields: dict[str, Any] = {
        "service": portal.service,
        "starts_at": portal.now,
        "ends_at": portal.now + timedelta(hours=1),
        "comment": "Database upgrade",
        "excludes_budget": True,
    }
    maintenance.plan(fields=fields, actor="test", now=portal.now)
    return Silence.objects.get()


@pytest.mark.parametrize("field", ["starts_at", "ends_at", "service", "matchers", "is_maintenance"])
def test_it_is_not_moved_away_from_its_maintenance(
    portal: Portal, api: Client, silence: Silence, field: str
) -> None:
    """Budgets, and what pages show, would go by the maintenance all the same."""
    Service.objects.create(slug="search", name="Search")
    moved = {
        "starts_at": (portal.now + timedelta(minutes=5)).isoformat(),
        "ends_at": (portal.now + timedelta(minutes=61)).isoformat(),
        "service": "search",
        "matchers": [{"name": "title", "op": "=", "value": "Disk"}],
        "is_maintenance": False,
    }
    answer = send(api, "patch", f"silences/{silence.pk}/", {field: moved[field]}, status=400)
    number = Maintenance.objects.get().pk
    assert answer["errors"] == {
        field: [f"It is of maintenance {number}: end it early, or call that off and plan it anew."]
    }
    before = silence.updated_at
    silence.refresh_from_db()
    assert silence.updated_at == before


def test_it_is_shortened_and_explained(portal: Portal, api: Client, silence: Silence) -> None:
    """Its early end is that of the occurrence, in budgets and on pages."""
    where = f"silences/{silence.pk}/"
    ends_at = portal.now + timedelta(minutes=30)
    said = {"ends_at": ends_at.isoformat(), "comment": "Upgrade, faster than planned"}
    send(api, "patch", where, said, status=200)
    row = Maintenance.objects.get()
    assert row.early_ends == {portal.now: ends_at}
    # Back to what was planned, and no further.
    send(api, "patch", where, {"ends_at": row.ends_at.isoformat()}, status=200)
    assert Maintenance.objects.get().early_ends == {}
