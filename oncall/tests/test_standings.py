"""Who is on call now and next: by person, whatever layer or override they have it from."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person, send, signed_in
from core import encryption
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from oncall.models import Override, Schedule
from oncall.queries.standings import Standing, standings
from oncall.services.schedules import save_override, save_schedule

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
WHO: dict[str, Any] = {"actor": "test", "now": NOW}


@pytest.fixture
def ann() -> User:
    return person("ann")


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


def schedule_of(*people: User, slug: str = "pay", **more: Any) -> Schedule:
    """Return a schedule in which people take weekly turns from that Monday on."""
    layer = {"name": "Weekly", "first_on": date(2026, 3, 2), "people": list(people), **more}
    fields = {"slug": slug, "name": slug.title()}
    return save_schedule(Schedule(), fields=fields, layers=[layer], **WHO)


def take_over(schedule: Schedule, who: User, hours: int) -> None:
    fields = {"schedule": schedule, "person": who, "starts_at": NOW}
    fields["ends_at"] = NOW + timedelta(hours=hours)
    save_override(Override(), fields=fields, **WHO)


def standing(user: User) -> Standing:
    (row,) = standings(user, now=NOW).rows
    return row


def test_who_goes_on_is_not_their_own_successor(ann: User) -> None:
    """An override of ann by ann for two hours ends nothing: bob follows a week later."""
    bob = person("bob")
    take_over(schedule_of(ann, bob), ann, 2)
    row, change = standing(ann), datetime(2026, 3, 9, 9, tzinfo=UTC)
    assert (row.person, row.until) == (ann, change)
    assert (row.next, row.next_at) == (bob, change)
    assert standings(ann, now=NOW).until == change


def test_without_an_end_within_four_weeks_none_is_named(ann: User) -> None:
    schedule_of(ann)
    row = standing(ann)
    assert (row.person, row.until, row.next) == (ann, None, None)
    api = Client()
    api.force_login(ann)
    page = api.get("/oncall/").content.decode()
    assert "You are on call for the next four weeks and longer." in page
    assert page.count("not within four weeks") == 2


def test_on_call_of_several_schedules_one_is_so_until_the_last_ends(ann: User) -> None:
    bob = person("bob")
    take_over(schedule_of(bob, slug="a"), ann, 2)
    take_over(schedule_of(bob, slug="b"), ann, 3)
    found = standings(ann, now=NOW)
    assert (found.is_on_call, found.until) == (True, NOW + timedelta(hours=3))
    assert [row.slug for _, row in found.mine] == ["a", "b"]


def test_who_is_no_longer_active_is_not_shown_as_on_call(ann: User) -> None:
    """They are red, with no readiness; the API says that nobody is on call."""
    ContactMethod.objects.create(
        person=ann,
        kind=Kind.EMAIL,
        label="email",
        sealed_address=encryption.encrypt("x@example.com"),
        verified_at=NOW,
    )
    schedule_of(ann, person("bob"))
    client = signed_in(Role.VIEWER)
    assert send(client, "get", "schedules/pay/", status=200)["on_call_now"] == "ann"
    assert standing(ann).inactive == ()
    User.objects.filter(pk=ann.pk).update(is_active=False)
    assert standing(ann).inactive == (ann,)
    assert send(client, "get", "schedules/pay/", status=200)["on_call_now"] is None
    assert send(client, "get", "schedules/pay/readiness/", status=200)[0]["score"] == 0
    assert (
        "ann is no longer active, and it is their turn" in client.get("/oncall/").content.decode()
    )
    page = client.get("/oncall/pay/").content.decode()
    assert "ann is no longer active: nobody is called" in page
    past = client.get("/oncall/pay/?from=2026-01-05").content.decode()
    assert "no longer active" not in past
