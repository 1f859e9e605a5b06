"""What is deleted beside a change of what belongs to it: neither waits for the other for ever."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from catalog.models import Service, Team
from catalog.services.services import delete_service
from catalog.services.teams import delete_team
from core.models import AuditEntry
from core.tests.crossing import cross
from incidents.models import Incident
from oncall.models import Handoff, Schedule
from oncall.services.schedules import delete_schedule

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
WHO: dict[str, Any] = {"actor": "test", "now": NOW}


def deleted() -> AuditEntry:
    return AuditEntry.objects.get(act__endswith="deleted")


def test_a_team_is_deleted_beside_a_change_of_its_service() -> None:
    team = Team.objects.create(slug="shop", name="Shop")
    service = Service.objects.create(slug="web", name="Web", owner=team)
    cross(service, lambda: delete_team(team, **WHO))
    service.refresh_from_db()
    assert service.owner is None
    assert deleted().subject == "catalog.team:shop"


def test_a_service_is_deleted_beside_a_change_of_its_incident() -> None:
    service = Service.objects.create(slug="web", name="Web")
    incident = Incident.objects.create(title="Slow", service=service, severity="P1", opened_at=NOW)
    cross(incident, lambda: delete_service(service, **WHO))
    incident.refresh_from_db()
    assert incident.service is None
    assert deleted().subject == "catalog.service:web"


def test_a_schedule_is_deleted_beside_a_signature_under_its_handoff() -> None:
    schedule = Schedule.objects.create(slug="shop", name="Shop")
    handoff = Handoff.objects.create(schedule=schedule, at=NOW + timedelta(hours=1))
    name = f"oncall.schedule:{schedule.pk}"
    cross(handoff, lambda: delete_schedule(schedule, **WHO))
    assert not Handoff.objects.exists()
    assert deleted().subject == name
