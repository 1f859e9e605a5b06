"""The first and the last instants that there are: refused where they are asked for, never a 5xx."""

from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import signed_in
from catalog.models import Service
from oncall.models import HolidayCalendar, Schedule
from slo.tests.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
FAR = (
    "9999-12-31T23:59:00Z",
    "9999-12-31T23:59:00-12:00",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
)


@pytest.fixture
def client() -> Client:
    """A manager of a schedule, a service and a holiday calendar."""
    Schedule.objects.create(slug="payments", name="Payments")
    Service.objects.create(slug="checkout", name="Checkout", tier=1)
    HolidayCalendar.objects.create(slug="de", name="Germany", country="DE")
    client = signed_in(Role.MANAGER)
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize("at", FAR)
def test_an_address_that_asks_for_it_says_so(client: Client, at: str) -> None:
    day, minute = at[:10], at[:16]
    for address in (
        f"/oncall/payments/?from={day}",
        f"/api/v1/holiday-calendars/de/holidays/?from={day}",
        f"/api/v1/schedules/payments/shifts/?from={quote(at)}",
        f"/incidents/simulate/?service=checkout&at={minute}",
    ):
        assert client.get(address).status_code == 400, address
    assert client.get(f"/oncall/payments/handoff/?at={quote(at)}").status_code == 404


@pytest.mark.parametrize("at", FAR)
def test_a_form_that_holds_it_says_so(client: Client, at: str) -> None:
    begins = {"starts_at": at[:16]}
    span = {**begins, "ends_at": at[:16]}
    quiet = {**begins, "service": "checkout", "length": "2 d", "comment": "Work", "timezone": "UTC"}
    forms: dict[str, dict[str, Any]] = {
        "/alerts/silences/new/": quiet,
        "/alerts/maintenance/new/": quiet,
        "/oncall/payments/": {**span, "person": "manager"},
    }
    for address, said in forms.items():
        answer = client.post(address, said)
        assert answer.status_code == 422, address
        assert "Use a date from 2000-01-01 to 2099-12-31." in answer.content.decode()


@pytest.mark.parametrize("at", FAR)
def test_a_body_that_holds_it_is_refused(client: Client, at: str) -> None:
    span = {"starts_at": at, "ends_at": at}
    quiet = {**span, "service": "checkout", "comment": "Work"}
    bodies: dict[str, dict[str, Any]] = {
        "overrides": {**span, "schedule": "payments", "person": None},
        "silences": quiet,
        "maintenance": quiet,
        "swaps": {**span, "schedule": "payments"},
        "handoffs/give": {"schedule": "payments", "at": at, "notes": "All is quiet."},
    }
    for name, body in bodies.items():
        answer = client.post(f"/api/v1/{name}/", body, content_type="application/json")
        assert answer.status_code in {400, 404}, name


@pytest.mark.parametrize("offset", ["-23:19", "+23:59"])
def test_an_offset_of_nowhere_is_a_time_all_the_same(client: Client, offset: str) -> None:
    """Python takes it, PostgreSQL does not."""
    slo = World().slo("availability")
    at = f"2026-06-02T06:05:48{offset}"
    for address in (
        f"/api/v1/annotations/?starts_at__lt={quote(at)}",
        f"/api/v1/incidents/?opened_after={quote(at)}",
        f"/slo/{slo.slug}/?at={quote(at)}",
    ):
        assert client.get(address).status_code == 200, address
    assert client.get(f"/oncall/payments/handoff/?at={quote(at)}").status_code in {200, 404}
