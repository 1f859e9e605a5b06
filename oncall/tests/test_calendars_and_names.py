"""Whom a calendar names: by what admins gave, and by nothing that somebody only says of themself."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from core import http_client
from oncall.models import Override, Schedule
from oncall.services import feeds
from oncall.tests.test_calendar_events import calendar

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
EVENT = "BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260305T090000Z\r\nDURATION:PT1H\r\n{}\r\nEND:VEVENT"

Named = Callable[[str], tuple[str | None, str]]


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Named:
    """Return who takes over by an event of these lines, and what is said of it."""
    body = b""

    def answer(_url: str, **_asked: Any) -> http_client.Response:
        return http_client.Response(200, {}, body, 1.0)

    monkeypatch.setattr(http_client, "request", answer)
    schedule = Schedule.objects.create(slug="payments", name="Payments")
    feed = feeds.set_feed(schedule, "https://c.example.org/x.ics", actor="test", now=NOW)

    def read(lines: str) -> tuple[str | None, str]:
        nonlocal body
        body = calendar().replace(b"END:VCAL", f"{EVENT.format(lines)}\r\nEND:VCAL".encode())
        assert feeds.read_feed(feed, now=NOW)
        feed.refresh_from_db()
        row = Override.objects.select_related("person").first()
        return (str(row.person.username) if row and row.person else None), feed.problem

    return read


@pytest.mark.parametrize(
    "lines",
    ["SUMMARY:bob", "SUMMARY:bob@example.com", "SUMMARY:Leave\r\nATTENDEE:mailto:bob@example.com"],
)
@pytest.mark.parametrize("role", [Role.VIEWER, Role.RESPONDER])
@pytest.mark.parametrize("claimed", ["bob", "Bob@example.com"])
def test_nobody_takes_over_by_calling_themself_like_another(
    named: Named, lines: str, role: Role, claimed: str
) -> None:
    person("bob")
    person("vic", role, first_name=claimed)
    assert named(lines) == ("bob", "")


def test_nobody_takes_the_place_of_who_has_left(named: Named) -> None:
    """The name of an account stays its own, also when it is no longer active."""
    person("bob", is_active=False)
    person("vic", first_name="bob")
    assert named("SUMMARY:bob") == (None, "bob: names nobody who is known here.")


def test_a_name_that_several_have_names_nobody(named: Named) -> None:
    for name in ("one", "two"):
        person(name, first_name="John", last_name="Smith")
    person("john")
    said = (
        "John Smith: several people are called john smith; write an email address or a user name."
    )
    assert named("SUMMARY:John Smith") == (None, said)
    assert named("SUMMARY:John Smith\r\nATTENDEE:mailto:two@example.com") == ("two", "")


def test_a_full_name_is_that_of_a_responder(named: Named) -> None:
    """A viewer can neither take over by it, nor make it mean two people."""
    person("vic", Role.VIEWER, first_name="Ann", last_name="Lee")
    assert named("SUMMARY:Ann Lee")[0] is None
    person("ann", first_name="Ann", last_name="Lee")
    assert named("SUMMARY:Ann Lee") == ("ann", "")


def test_an_attendee_is_known_by_an_address_alone(named: Named) -> None:
    """Not by what is somebody's user name."""
    person("bob")
    User.objects.create_user("bob@example.com", "x@example.org", "secret", role=Role.RESPONDER)
    assert named("SUMMARY:Leave\r\nATTENDEE:mailto:bob@example.com")[0] == "bob"
    assert named("SUMMARY:Leave\r\nATTENDEE:mailto:bob")[0] is None
