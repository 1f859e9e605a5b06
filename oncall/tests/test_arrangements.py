"""What people on call arrange: calendars they subscribe to, swaps, and calling a role."""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import PASSWORD, person, send, signed_in
from core import http_client
from core.errors import InvalidInput
from oncall.domain.events import Known, Unreadable, overrides_in
from oncall.models import CalendarFeed, Override, Schedule, ShiftSwap
from oncall.queries.targets import called_by
from oncall.services import feeds
from oncall.tests.test_oncall_api import weekly

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> dict[str, User]:
    monkeypatch.setattr("django.utils.timezone.now", lambda: MONDAY)
    return {name: person(name) for name in ("alice", "bob", "carol")}


@pytest.fixture
def schedule(people: dict[str, User]) -> Schedule:
    send(signed_in(Role.MANAGER), "post", "schedules/", weekly(), status=201)
    return Schedule.objects.get()


def client_of(name: str) -> Client:
    client = Client()
    assert client.login(username=name, password=PASSWORD)
    return client


def starts_of(event: Any) -> datetime:
    """Return when an event of a calendar begins."""
    at: datetime = event["dtstart"].dt
    return at


def test_a_calendar_shows_shifts_and_overrides(schedule: Schedule, people: Any) -> None:
    made = send(client_of("alice"), "post", "calendars/", {"schedule": "payments"}, status=201)
    Override.objects.create(
        schedule=schedule,
        person=people["carol"],
        starts_at=MONDAY + timedelta(days=1),
        ends_at=MONDAY + timedelta(days=1, hours=2),
    )
    answer = Client().get(made["url"])
    assert answer["Content-Type"].startswith("text/calendar")
    events = Calendar.from_ical(answer.content).walk("VEVENT")
    shown = [(e["summary"], starts_of(e)) for e in events][:4]
    assert shown == [
        ("alice on call: Payments", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("carol on call: Payments", MONDAY + timedelta(days=1)),
        ("alice on call: Payments", MONDAY + timedelta(days=1, hours=2)),
        ("bob on call: Payments", datetime(2026, 3, 9, 9, tzinfo=UTC)),
    ]
    assert len({str(e["uid"]) for e in events}) == len(events)
    assert (
        Calendar.from_ical(Client().get(made["url"]).content).walk("VEVENT")[0]["uid"]
        == (events[0]["uid"])
    )


def test_my_calendar_shows_mine_only(schedule: Schedule) -> None:
    made = send(client_of("bob"), "post", "calendars/", {}, status=201)
    events = Calendar.from_ical(Client().get(made["url"]).content).walk("VEVENT")
    assert {str(e["summary"]) for e in events} == {"bob on call: Payments"}
    assert starts_of(events[0]) == datetime(2026, 3, 9, 9, tzinfo=UTC)


@pytest.mark.parametrize("names", [["alice", "bob"], ["alice"]])
def test_a_shift_that_began_long_ago_stays_the_same(
    people: Any, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is as of when it began, not of when a calendar program asks; alone one is on call for years."""
    layer = {**weekly()["layers"][0], "first_on": "2019-01-07", "every": 20, "people": names}
    send(signed_in(Role.MANAGER), "post", "schedules/", weekly(layers=[layer]), status=201)
    made = send(client_of("alice"), "post", "calendars/", {"schedule": "payments"}, status=201)

    def events(at: datetime) -> list[tuple[str, datetime]]:
        monkeypatch.setattr("django.utils.timezone.now", lambda: at)
        shown = Calendar.from_ical(Client().get(made["url"]).content).walk("VEVENT")
        return [(str(each["uid"]), starts_of(each)) for each in shown]

    first = events(MONDAY)
    assert events(MONDAY + timedelta(hours=1)) == first
    assert events(MONDAY + timedelta(days=1)) == first
    london = ZoneInfo("Europe/London")
    began = datetime(2025, 12, 1, 9, tzinfo=london)
    assert first[0][1] == (began if len(names) > 1 else datetime(2019, 1, 7, 9, tzinfo=london))


def test_an_address_is_shown_once_and_revoked(schedule: Schedule) -> None:
    bob = client_of("bob")
    made = send(bob, "post", "calendars/", {}, status=201)
    assert Client().get(made["url"]).status_code == 200
    (listed,) = send(bob, "get", "calendars/", status=200)["results"]
    assert (listed["url"], bool(listed["read_at"])) == (None, True)
    assert made["url"].rsplit("/", 1)[1].removesuffix(".ics") not in str(
        CalendarFeed.objects.values()
    )
    send(client_of("alice"), "delete", f"calendars/{made['id']}/", status=404)
    send(bob, "delete", f"calendars/{made['id']}/", status=204)
    assert Client().get(made["url"]).status_code == 404
    assert Client().get("/oncall/calendar/guess.ics").status_code == 404


def test_calendars_of_people_who_left_lead_nowhere(schedule: Schedule) -> None:
    made = send(client_of("bob"), "post", "calendars/", {}, status=201)
    User.objects.filter(username="bob").update(is_active=False)
    assert Client().get(made["url"]).status_code == 404


def test_a_calendar_is_made_and_revoked_on_its_page(schedule: Schedule) -> None:
    bob = client_of("bob")
    page = bob.post("/oncall/calendars/", {}, follow=True).content.decode()
    assert "it is shown only now: http" in page
    feed = CalendarFeed.objects.get()
    assert "never read" in page
    page = bob.post(f"/oncall/calendars/{feed.pk}/revoke/", follow=True).content.decode()
    assert "leads nowhere" in page
    assert client_of("alice").post(f"/oncall/calendars/{feed.pk}/revoke/").status_code == 404


def swap(**values: Any) -> dict[str, Any]:
    return {
        "schedule": "payments",
        "starts_at": (MONDAY + timedelta(hours=2)).isoformat(),
        "ends_at": (MONDAY + timedelta(hours=4)).isoformat(),
        "reason": "Dentist",
        **values,
    }


def test_whoever_accepts_takes_their_place(schedule: Schedule, people: Any) -> None:
    alice, bob = client_of("alice"), client_of("bob")
    made = send(alice, "post", "swaps/", swap(), status=201)
    assert (made["asked_by"], made["state"]) == ("alice", "asked")
    send(alice, "post", f"swaps/{made['id']}/accept/", status=403)
    done = send(bob, "post", f"swaps/{made['id']}/accept/", status=200)
    override = Override.objects.get()
    assert (done["state"], done["override"]) == ("accepted", override.pk)
    assert (override.person, override.reason) == (people["bob"], "Swap with alice")
    send(client_of("carol"), "post", f"swaps/{made['id']}/accept/", status=409)
    send(alice, "post", f"swaps/{made['id']}/withdraw/", status=409)


def test_a_swap_offered_to_one_is_theirs(schedule: Schedule) -> None:
    alice = client_of("alice")
    made = send(alice, "post", "swaps/", swap(offered_to="bob"), status=201)
    send(client_of("carol"), "post", f"swaps/{made['id']}/accept/", status=403)
    send(client_of("carol"), "post", f"swaps/{made['id']}/withdraw/", status=403)
    assert send(alice, "post", f"swaps/{made['id']}/withdraw/", status=200)["state"] == "withdrawn"
    send(alice, "post", "swaps/", swap(ends_at=MONDAY.isoformat()), status=400)


def test_swaps_on_pages(schedule: Schedule) -> None:
    """Asked on the schedule's page, seen and accepted on the overview of another."""
    alice, bob = client_of("alice"), client_of("bob")
    said = {"starts_at": "2026-03-02T12:00", "ends_at": "2026-03-02T14:00", "reason": "Dentist"}
    page = alice.post("/oncall/payments/swaps/", said, follow=True).content.decode()
    assert "Asked: whoever accepts" in page
    assert "Take it back" in page
    assert "Dentist" in bob.get("/oncall/").content.decode()
    asked = ShiftSwap.objects.get()
    page = bob.post(f"/oncall/swaps/{asked.pk}/accept/", follow=True).content.decode()
    assert "You take their place." in page
    assert bob.post(f"/oncall/swaps/{asked.pk}/eat/").status_code == 404


def test_a_role_is_called(people: dict[str, User]) -> None:
    boss = person("boss", Role.MANAGER)
    person("gone", Role.MANAGER, is_active=False)
    assert called_by([{"kind": "role", "id": "manager"}], MONDAY).people == (boss,)
    nobody = called_by([{"kind": "role", "id": "admin"}], MONDAY)
    assert nobody.missing == ("Nobody who is active has the role admin.",)


def test_a_policy_names_a_role(people: dict[str, User]) -> None:
    api = signed_in(Role.MANAGER)
    level = {"number": 1, "name": "Managers", "mode": "all", "targets": [{"role": "manager"}]}
    said = {"slug": "boss", "name": "Boss", "levels": [level]}
    made = send(api, "post", "policies/", said, status=201)
    assert made["levels"][0]["targets"][0]["role"] == "manager"
    assert "all whose role is Manager" in api.get("/oncall/policies/boss/").content.decode()
    both = {**level, "targets": [{"role": "manager", "person": "alice"}]}
    send(api, "post", "policies/", {**said, "slug": "b2", "levels": [both]}, status=400)


def test_who_cannot_be_reached_within_a_day_is_red(schedule: Schedule) -> None:
    """Alice is on call now and has no verified way; Bob's turn is a week away."""
    page = client_of("bob").get("/oncall/").content.decode()
    assert "Payments: alice cannot be reached" in page


FEED = b"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//EN
BEGIN:VEVENT
UID:one@example.org
DTSTART:20260303T100000Z
DTEND:20260303T120000Z
SUMMARY:bob (covers)
END:VEVENT
BEGIN:VEVENT
UID:two@example.org
DTSTART;TZID=Europe/London:20260329T090000
DURATION:PT2H
RRULE:FREQ=WEEKLY;COUNT=3
EXDATE;TZID=Europe/London:20260405T090000
SUMMARY:Cover
ATTENDEE:mailto:CAROL@example.com
END:VEVENT
BEGIN:VEVENT
UID:three@example.org
DTSTART;VALUE=DATE:20260304
SUMMARY:Nobody we know
END:VEVENT
BEGIN:VEVENT
UID:four@example.org
DTSTART:20250303T100000Z
DTEND:20250303T120000Z
SUMMARY:bob
END:VEVENT
END:VCALENDAR
"""


class Server:
    """Answers instead of the network."""

    def __init__(self) -> None:
        self.status, self.body = 200, FEED

    def __call__(self, url: str, **_asked: Any) -> http_client.Response:
        return http_client.Response(self.status, {}, self.body, 1.0)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server()
    monkeypatch.setattr(http_client, "request", found)
    return found


def from_feed() -> list[tuple[str, datetime, datetime]]:
    """Return the overrides that came from a calendar."""
    rows = Override.objects.exclude(feed_uid="").order_by("starts_at")
    return [(row.person.username, row.starts_at, row.ends_at) for row in rows if row.person]


def test_overrides_come_from_a_calendar(schedule: Schedule, server: Server) -> None:
    """By name or attendee, repeating by the wall clock, and what is not understood is said."""
    api = Client()
    api.force_login(User.objects.get(username="the-manager"))
    where = "schedules/payments/override-feed/"
    send(api, "get", where, status=404)
    send(api, "put", where, {"url": "https://calendar.example.org/secret.ics"}, status=200)
    assert feeds.follow_due(now=MONDAY) == 1
    assert from_feed() == [
        ("bob", MONDAY + timedelta(days=1), MONDAY + timedelta(days=1, hours=2)),
        ("carol", datetime(2026, 3, 29, 8, tzinfo=UTC), datetime(2026, 3, 29, 10, tzinfo=UTC)),
        ("carol", datetime(2026, 4, 12, 8, tzinfo=UTC), datetime(2026, 4, 12, 10, tzinfo=UTC)),
    ]
    said = send(api, "get", where, status=200)
    assert said["problem"] == "Nobody we know: names nobody who is known here."
    assert "secret" not in str(said)
    assert feeds.follow_due(now=MONDAY + timedelta(minutes=14)) == 0


def test_a_calendar_that_changes_is_followed(schedule: Schedule, server: Server) -> None:
    feed = feeds.set_feed(schedule, "webcal://c.example.org/x.ics", actor="test", now=MONDAY)
    assert feed.url == "https://c.example.org/x.ics"
    assert feeds.read_feed(feed, now=MONDAY)
    kept = Override.objects.get(starts_at=MONDAY + timedelta(days=1))
    assert feeds.read_feed(feed, now=MONDAY)
    assert Override.objects.filter(pk=kept.pk).exists()
    server.body = FEED.replace(b"DTEND:20260303T120000Z", b"DTEND:20260303T130000Z").replace(
        b"COUNT=3", b"COUNT=1"
    )
    assert feeds.read_feed(feed, now=MONDAY)
    assert [end for _, _, end in from_feed()] == [
        MONDAY + timedelta(days=1, hours=3),
        datetime(2026, 3, 29, 10, tzinfo=UTC),
    ]
    feeds.remove_feed(schedule, actor="test", now=MONDAY)
    assert from_feed() == []


@pytest.mark.parametrize(
    ("status", "body"), [(500, b""), (200, b"<html>"), (200, b"BEGIN:VCALENDAR\nrubbish")]
)
def test_a_calendar_that_cannot_be_read_takes_nobody_away(
    schedule: Schedule, server: Server, status: int, body: bytes
) -> None:
    feed = feeds.set_feed(schedule, "https://c.example.org/x.ics", actor="test", now=MONDAY)
    feeds.read_feed(feed, now=MONDAY)
    server.status, server.body = status, body
    assert not feeds.read_feed(feed, now=MONDAY)
    assert len(from_feed()) == 3
    feed.refresh_from_db()
    assert feed.problem
    assert "from which overrides come" in client_of("bob").get("/oncall/payments/").content.decode()


@pytest.mark.parametrize("url", ["ftp://x/", "https://169.254.169.254/x.ics", "javascript:1", ""])
def test_addresses_that_may_not_be_asked_are_refused(schedule: Schedule, url: str) -> None:
    with pytest.raises(InvalidInput):
        feeds.set_feed(schedule, url, actor="test", now=MONDAY)


@given(st.sampled_from(FEED.decode().splitlines()), st.text(max_size=40))
@settings(max_examples=150)
def test_rubbish_in_a_calendar_is_no_error_of_ours(line: str, rubbish: str) -> None:
    """One line replaced by whatever: overrides, remarks, or a sentence."""
    body = FEED.decode().replace(line, f"{line.split(':', maxsplit=1)[0]}:{rubbish}").encode()
    known, end = Known({}, {"bob": 1}), MONDAY + timedelta(days=90)
    with contextlib.suppress(Unreadable):
        found, remarks = overrides_in(body, known, zone="UTC", after=MONDAY, before=end)
        assert all(each.person == 1 and each.starts_at < each.ends_at for each in found)
        assert all(remarks)
