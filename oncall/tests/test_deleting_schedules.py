"""A schedule nobody needs any more goes; one by which somebody is called stays, and says by what."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import person, send, signed_in
from core.models import AuditEntry
from oncall.models import EscalationPolicy, LevelTarget, Override, PolicyLevel, Schedule

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture
def schedule() -> Schedule:
    """Return a schedule with somebody who takes over."""
    made = Schedule.objects.create(slug="payments", name="Payments")
    Override.objects.create(
        schedule=made, person=person("bob"), starts_at=MONDAY, ends_at=MONDAY + timedelta(days=1)
    )
    return made


def call_by(schedule: Schedule, name: str) -> PolicyLevel:
    policy = EscalationPolicy.objects.create(slug=name.lower(), name=name)
    level = PolicyLevel.objects.create(policy=policy, number=1, name="First")
    LevelTarget.objects.create(level=level, schedule=schedule)
    return level


def test_by_the_api(schedule: Schedule) -> None:
    """409 names the policies that call by it; without any it goes, and the audit knows."""
    api = signed_in(Role.MANAGER)
    first, second = call_by(schedule, "Shop"), call_by(schedule, "Bank")
    refused = send(api, "delete", "schedules/payments/", status=409)
    assert "call by it: Bank, Shop." in refused["detail"]
    first.targets.all().delete()
    second.delete()
    send(api, "delete", "schedules/payments/", status=204)
    assert not Schedule.objects.exists()
    assert not Override.objects.exists()
    assert AuditEntry.objects.filter(act="schedule.deleted").exists()
    send(api, "delete", "schedules/payments/", status=404)


def test_on_its_page(schedule: Schedule) -> None:
    """Managers find it at the end of the page; responders neither see nor may it."""
    level = call_by(schedule, "Shop")
    responder, manager = signed_in(Role.RESPONDER), signed_in(Role.MANAGER)
    assert "Delete this schedule" not in page(responder)
    assert responder.post("/oncall/payments/delete/").status_code == 403
    assert "Delete this schedule" in page(manager)
    answer = manager.post("/oncall/payments/delete/", follow=True)
    assert "call by it: Shop." in answer.content.decode()
    level.delete()
    answer = manager.post("/oncall/payments/delete/", follow=True)
    assert answer.redirect_chain == [("/oncall/", 302)]
    assert not Schedule.objects.exists()


def page(client: Client) -> str:
    return client.get("/oncall/payments/").content.decode()
