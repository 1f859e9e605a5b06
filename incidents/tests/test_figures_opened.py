"""Every figure of incident analytics opens to the rows that it counts, and to as many of them."""

import csv
import html
import io
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import signed_in
from catalog.models import Service, Team
from incidents.models import Incident
from incidents.services import lifecycle, merging
from incidents.tests.oncall_portal import Portal, portal
from oncall.models import ServicePolicy
from tests.query_counts import AssertQueries

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
PAGE, PAGES = "/incidents/analytics/", "/incidents/analytics/pages/"
# From the night in which clocks in Berlin skip an hour to that in which they repeat one.
SKIPS, REPEATS = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
PERIOD = "from=2026-03-01&to=2026-10-31"
MINUTES_OF_NIGHTS = (-61, -1, 0, 29, 59, 60, 61, 119, 121, 180)


class Figure(NamedTuple):
    """A number on a page that leads somewhere: what its column is called, the number, and where it leads."""

    label: str
    number: int
    href: str


class _Figures(HTMLParser):
    """Reads the numbers in the cells of tables, and in cards, with where they lead."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Figure] = []
        self.unopened: list[tuple[str, str]] = []
        self._figure, self._label, self._href, self._is_cell = "", "", "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        if tag == "td":
            self._is_cell, self._label = True, of.get("data-label") or self._figure
        if tag == "figure":
            self._figure = of["id"] or ""
        if tag == "a":
            self._href = of.get("href") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "td":
            self._is_cell = False
        if tag == "a":
            self._href = ""

    def handle_data(self, data: str) -> None:
        number = re.match(r"\s*([\d,]+)(?: never acknowledged)?\s*$", data)
        if number is None or not self._is_cell:
            return
        count = int(number[1].replace(",", ""))
        if self._href:
            self.found.append(Figure(self._label, count, self._href))
        elif count:
            self.unopened.append((self._label, data))


def figures(client: Client, address: str = f"{PAGE}?{PERIOD}") -> _Figures:
    """Return the numbers of the page of analytics."""
    answer = client.get(address)
    assert answer.status_code == 200, answer.content
    page, reader = answer.content.decode(), _Figures()
    reader.found += [Figure(*card) for card in _cards(page)]
    reader.feed(page)
    return reader


def _cards(page: str) -> Iterator[tuple[str, int, str]]:
    """Yield the cards above: label, figure, and the list that it leads to."""
    pattern = r'<p class="stat-label">.*?<a href="(/[^"]+)">(\w+)</a></p>\s*<p class="stat-value">([\d,]+)'
    for href, label, count in re.findall(pattern, page, re.DOTALL):
        yield f"all {label}", int(count.replace(",", "")), html.unescape(href)


def rows(client: Client, href: str) -> list[dict[str, str]]:
    """Return all rows of the list that a figure leads to."""
    answer = client.get(f"{href}&format=csv")
    assert answer.status_code == 200, (href, answer.content)
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode())))


def shown(client: Client, href: str) -> int:
    """Return how many rows its first page shows."""
    return client.get(href).content.decode().count('<th scope="row">')


def counted(label: str, listed: list[dict[str, str]]) -> int:
    """Return what the rows of a list come to, as the column counts them."""
    if label == "Messages":
        return sum(int(row["messages"]) for row in listed)
    if label == "Interrupted nights":
        nights = set()
        for row in listed:
            local = datetime.fromisoformat(row["local_time"])
            nights.add((row["person"], (local - timedelta(hours=6)).date()))
        return len(nights)
    return len(listed)


def live(portal: Portal) -> None:
    """Let months pass: two changes of clocks, a merge, a private service, somebody who leaves."""
    zones = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Etc/GMT+10")
    for person, zone in zip(portal.people.values(), zones, strict=True):
        person.timezone = zone
        person.save()
    portal.add_method(portal.people["alice"])
    them = Team.objects.create(slug="them", name="Them")
    vault = Service.objects.create(slug="vault", name="Vault", owner=them, is_private=True)
    ServicePolicy.objects.create(service_id=vault.pk, policy=portal.policy)
    services = [portal.service, vault]
    for night in (SKIPS, REPEATS):
        for number, minutes in enumerate(MINUTES_OF_NIGHTS):
            portal.now = night + timedelta(minutes=minutes)
            key, service = f"{night.month}-{number}", services[number % 3 == 1]
            group: dict[str, Any] = {"group_key": "disk", "service": service}
            incident = portal.alert(key, severity=("P0", "P1", "P3")[number % 3], **group)
            assert incident is not None
            _end(portal, incident, number, partial(portal.alert, key, firing=False, **group))
        portal.now = night + timedelta(hours=20)
        _busy_evening(portal, vault)
    User.objects.filter(username="bob").update(is_active=False)


def _end(portal: Portal, incident: Incident, number: int, ends: Callable[[], Any]) -> None:
    """End an incident by itself, by a person, or by itself after an answer or a way up the ladder."""
    by: dict[str, Any] = {"now": portal.now, "actor": portal.people["alice"]}
    if number % 4 == 1:
        lifecycle.acknowledge(incident.pk, **by)
    if number % 4 == 2:
        portal.settle()
        portal.now += timedelta(seconds=30)
        lifecycle.mitigate(incident.pk, **{**by, "now": portal.now})
        lifecycle.resolve(incident.pk, **{**by, "now": portal.now})
        return
    portal.now += timedelta(seconds=30)
    ends()
    Incident.objects.filter(pk=incident.pk, status="resolved").update(resolved_at=portal.now)


def _busy_evening(portal: Portal, vault: Service) -> None:
    """One that waits for long, one that is merged into it, one of no service, and one that stays open."""
    long, twin = portal.open_incident("Nobody comes"), portal.open_incident("Twin")
    portal.fast_forward(minutes=25)
    alice = portal.people["alice"]
    merging.merge(twin.pk, into=long.pk, now=portal.now, actor=alice)
    lifecycle.resolve(long.pk, now=portal.now, actor=alice)
    lifecycle.declare(lifecycle.Opening("P1", "Whose is it?"), now=portal.now, actor=alice)
    portal.settle()
    portal.alert("stays", service=vault, severity="P0")


def readers(portal: Portal) -> Iterator[tuple[str, Client]]:
    """Yield who reads: all, what is public, what is their team's, and what was theirs alone."""
    clients = {"admin": signed_in(Role.ADMIN), "stranger": signed_in(Role.RESPONDER)}
    User.objects.filter(username__startswith="the-").update(timezone="Europe/Berlin")
    yield from clients.items()
    mate = User.objects.create_user("mate", role=Role.RESPONDER, timezone="Australia/Lord_Howe")
    Team.objects.get(slug="them").members.add(mate)
    User.objects.filter(username="alice").update(role=Role.VIEWER)
    for name in ("mate", "alice"):
        client = Client()
        client.force_login(User.objects.get(username=name))
        yield name, client


def test_every_figure_leads_to_as_many_rows_for_every_reader(portal: Portal) -> None:
    """In tables and in each hour of the week; a number that leads nowhere is none, or is not the reader's."""
    live(portal)
    seen = {}
    for name, client in readers(portal):
        read, lists = figures(client), {}
        for figure in read.found:
            if figure.href not in lists:
                lists[figure.href] = rows(client, figure.href)
            assert counted(figure.label, lists[figure.href]) == figure.number, (name, figure)
        for href, listed in [*lists.items()][::7]:
            assert shown(client, href) == min(len(listed), 50), (name, href)
        # How often others were paged is not told to viewers.
        allowed = {"Pages"} if name == "alice" else set()
        assert {label for label, _ in read.unopened} <= allowed, name
        seen[name] = {figure.label: figure.number for figure in read.found}, len(read.found)
        for label in ("by-hour", "by-day"):
            each = [figure.number for figure in read.found if figure.label == label]
            assert sum(each) == incidents(client), (name, label)
    assert seen["admin"][1] > 60
    assert {
        "by-day", "by-hour", "Pages", "At night", "On weekends", "Interrupted nights", "Messages", "Times",
        "Counted", "Incidents", "Over by itself", "all Incidents", "all Pages",
    } <= set(seen["admin"][0])  # fmt: skip
    pages = {name: found.get("all Pages", 0) for name, (found, _) in seen.items()}
    assert pages["admin"] == pages["mate"] > pages["stranger"] > pages["alice"] == 0


def incidents(client: Client) -> int:
    """Return how many incidents the period has, by the API."""
    found: int = client.get(f"/api/v1/analytics/incidents/?{PERIOD}").json()["count"]
    return found


def test_an_hour_that_clocks_repeat_is_one_cell(portal: Portal) -> None:
    """What was opened at 02:30 summer time and at 02:30 winter time is behind Sunday 02:00–03:00."""
    for minutes in (30, 90, 150):
        portal.now = REPEATS + timedelta(minutes=minutes)
        portal.open_incident(f"after {minutes} min")
    client = signed_in(Role.RESPONDER)
    User.objects.update(timezone="Europe/Berlin")
    page = client.get(f"{PAGE}?{PERIOD}").content.decode()
    assert 'aria-label="Sunday 02:00–03:00: 2 incidents"' in page
    assert 'aria-label="Sunday 03:00–04:00: 1 incident"' in page
    (cell,) = (
        each for each in figures(client).found if each.label == "by-hour" and each.number == 2
    )
    titles = {row["title"] for row in rows(client, cell.href)}
    assert titles == {"after 30 min", "after 90 min"}
    listed = client.get(cell.href).content.decode()
    assert "on Sundays 02:00–03:00 (Europe/Berlin)" in listed
    assert '<input type="hidden" name="weekday" value="sunday">' in listed


def test_a_link_to_an_hour_is_the_same_for_who_lives_elsewhere(portal: Portal) -> None:
    """It carries the zone in which it was counted."""
    portal.open_incident()
    client = signed_in(Role.RESPONDER)
    User.objects.update(timezone="Asia/Tokyo")
    (cell,) = (each for each in figures(client).found if each.label == "by-hour")
    asked = parse_qs(urlsplit(cell.href).query)
    assert (asked["weekday"], asked["hour"], asked["zone"]) == (["monday"], ["12"], ["Asia/Tokyo"])
    User.objects.update(timezone="America/New_York")
    assert len(rows(client, cell.href)) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (f"{PERIOD}&weekday=monday", "hour"),
        (f"{PERIOD}&hour=3", "weekday"),
        (f"{PERIOD}&weekday=someday&hour=3", "weekday"),
        (f"{PERIOD}&weekday=monday&hour=24", "hour"),
        (f"{PERIOD}&weekday=monday&hour=3&zone=Mars", "zone"),
        ("weekday=monday&hour=3&from=2024-03-09&to=2026-03-09", "to"),
    ],
)
def test_an_hour_that_there_is_not_is_refused_by_its_name(query: str, field: str) -> None:
    client = signed_in(Role.VIEWER)
    answer = client.get(f"/incidents/?{query}", headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert field in answer.content.decode()


def test_an_hour_without_a_period_is_one_of_the_last_month(portal: Portal) -> None:
    old = portal.open_incident()
    portal.now += timedelta(days=49)
    new = portal.open_incident()
    shown = signed_in(Role.RESPONDER).get("/incidents/?weekday=monday&hour=3&zone=UTC&state=all")
    told = shown.content.decode()
    assert f"/i/{new.pk}" in told
    assert f"/i/{old.pk}" not in told
    assert "the last 30 days" in told


def test_pages_say_when_whom_what_for_by_what_and_what_became_of_them(portal: Portal) -> None:
    """Alice's night in New York is no night of the reader's; bob answered after four minutes."""
    User.objects.filter(username="alice").update(timezone="America/New_York")
    incident = portal.open_incident("5xx spike")
    portal.fast_forward(minutes=4)
    bob = portal.people["bob"]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=bob, person=bob)
    client = signed_in(Role.RESPONDER)
    page = client.get(PAGES).content.decode()
    for words in (
        "2 Mar 2026, 03:00 UTC", "Sun 22:00 EST", "night, weekend", f"#{incident.pk} 5xx spike", "Checkout",
        ">L1<", ">email<", "Acknowledged by bob", "after 4 min", "1 page<",
    ):  # fmt: skip
        assert words in page, words
    (row,) = rows(client, f"{PAGES}?person=alice")
    assert row["at"] == "2026-03-02T03:00:00Z"
    assert row["local_time"] == "2026-03-01T22:00:00-05:00"
    assert (row["outcome"], row["outcome_by"], row["outcome_after_s"]) == (
        "acknowledged", "bob", "240.0",
    )  # fmt: skip
    assert rows(client, f"{PAGES}?person=bob") == []


def test_what_nobody_answered_and_what_ended_by_itself_are_told_apart(portal: Portal) -> None:
    portal.alert("gone")
    portal.fast_forward(minutes=2)
    portal.alert("gone", firing=False)
    portal.open_incident("open")
    found = {row["title"]: row for row in rows(signed_in(Role.RESPONDER), f"{PAGES}?person=alice")}
    assert found["open"]["outcome"] == "nothing yet"
    assert found["open"]["outcome_after_s"] == ""
    gone = found["gone is wrong"]
    assert (gone["outcome"], gone["outcome_by"]) == ("over by itself", "")


def test_pages_are_filtered_and_paged(portal: Portal) -> None:
    """By person, time, team, service and severity; fifty a page, the newest first."""
    for number in range(51):
        portal.alert(f"k-{number}", group_key=f"k-{number}")
    portal.open_incident("last")
    client = signed_in(Role.RESPONDER)
    first, second = (client.get(f"{PAGES}?person=alice&page={n}").content.decode() for n in (1, 2))
    assert "52 pages" in first
    assert first.index("last") < first.index("k-50 is wrong")
    assert (first.count('<th scope="row">'), second.count('<th scope="row">')) == (50, 2)
    assert len(rows(client, f"{PAGES}?severity=P0")) == 1
    for query in ("service=none", "team=none", "person=nobody", "when=weekend", "severity=P3"):
        assert rows(client, f"{PAGES}?{query}") == []
        assert "No page matches." in client.get(f"{PAGES}?{query}").content.decode()
    assert len(rows(client, f"{PAGES}?when=night")) == 52
    assert client.get(f"{PAGES}?when=noon").status_code == 400


def test_viewers_see_their_own_pages_and_no_other(portal: Portal) -> None:
    """By whatever name they ask."""
    portal.open_incident()
    portal.fast_forward(minutes=10)
    User.objects.filter(username="alice").update(role=Role.VIEWER)
    client = Client()
    client.force_login(User.objects.get(username="alice"))
    for query in ("", "person=alice"):
        assert {row["person"] for row in rows(client, f"{PAGES}?{query}")} == {"alice"}
    assert rows(client, f"{PAGES}?person=bob") == []
    assert "bob" not in client.get(f"{PAGES}?person=").content.decode()


def test_a_list_of_pages_costs_the_same_however_many_there_are(
    portal: Portal, assert_queries: AssertQueries
) -> None:
    client = signed_in(Role.RESPONDER)
    for count in (2, 12):
        for number in range(count):
            portal.alert(f"{count}-{number}", group_key=f"{count}-{number}")
        with assert_queries(f"{PAGES}?person=alice"):
            assert client.get(f"{PAGES}?person=alice").status_code == 200


def test_words_narrow_what_is_shown_of_times_between_failures(portal: Portal) -> None:
    """The last of three came after the second had ended, whether that is shown or not."""
    for title in ("first", "second", "third"):
        incident = portal.open_incident(title)
        portal.fast_forward(minutes=10)
        lifecycle.resolve(incident.pk, now=portal.now, actor="test")
        portal.fast_forward(minutes=10)
    client, asked = signed_in(Role.VIEWER), "/incidents/?state=unmerged&figure=between"
    assert [row["title"] for row in rows(client, asked)] == ["third", "second"]
    assert [row["title"] for row in rows(client, f"{asked}&q=third")] == ["third"]
    assert rows(client, f"{asked}&severity=P1") == rows(client, f"{asked}&service=none") == []
    assert "begun after the last one" in client.get(asked).content.decode()
