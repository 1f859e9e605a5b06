"""What a report says of the promises about incidents: answered and resolved in time, late, or not yet."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import person
from catalog.models import Service, Team
from incidents.models import Incident, Severity
from slo.tests.world import NOON, World

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def page() -> Client:
    """Return a viewer's browser, at noon of Sunday, 3 May 2026."""
    World()
    client = Client()
    client.force_login(person("viewer", Role.VIEWER))
    return client


def opened(severity: str, response: str, resolution: str, **more: Any) -> Incident:
    """Store an incident of the week whose timers stand so."""
    at = more.pop("opened_at", NOON - timedelta(days=2))
    return Incident.objects.create(
        title="x", group=f"{Incident.objects.count():064}", severity=severity, opened_at=at,
        response=response, resolution=resolution, **more,
    )  # fmt: skip


def test_a_report_counts_how_promises_about_incidents_were_kept(page: Client) -> None:
    over = {"status": "resolved", "resolved_at": NOON}
    opened("P0", "met", "breached", **over)
    opened("P0", "breached", "breached", **over)
    opened("P0", "at_risk", "on_track")
    opened("P2", "met", "met", **over)
    opened("P2", "met", "met", opened_at=NOON - timedelta(days=9), **over)
    into = opened("P3", "on_track", "on_track")
    opened("P1", "on_track", "on_track", status="merged", merged_into=into)
    said = page.get("/slo/reports/", {"format": "json", "date": "2026-05-03"}).json()
    assert said["incidents"] == [
        {
            "severity": "P0", "count": 3,
            "response": {"met": 1, "breached": 1, "open": 1},
            "resolution": {"met": 0, "breached": 2, "open": 1},
        },
        {
            "severity": "P2", "count": 1,
            "response": {"met": 1, "breached": 0, "open": 0},
            "resolution": {"met": 1, "breached": 0, "open": 0},
        },
        {
            "severity": "P3", "count": 1,
            "response": {"met": 0, "breached": 0, "open": 1},
            "resolution": {"met": 0, "breached": 0, "open": 1},
        },
    ]  # fmt: skip
    shown = page.get("/slo/reports/", {"date": "2026-05-03"}).content.decode()
    assert "Incidents of the week" in shown
    assert Severity.P0.label in shown


def test_a_private_service_counts_for_those_who_know_of_it(page: Client) -> None:
    team = Team.objects.create(slug="secret", name="Secret")
    hidden = Service.objects.create(slug="hidden", name="Hidden", owner=team, is_private=True)
    opened("P0", "met", "met", service=hidden, status="resolved", resolved_at=NOON)
    said = page.get("/slo/reports/", {"format": "json", "date": "2026-05-03"}).json()
    assert said["incidents"] == []
    shown = page.get("/slo/reports/", {"date": "2026-05-03"}).content.decode()
    assert "No incident" in shown
