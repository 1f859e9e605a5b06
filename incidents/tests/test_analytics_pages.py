"""The page of incident analytics, the lists behind its figures, its CSV and its API."""

import csv
import html
import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import bearer, signed_in, token_of
from catalog.models import Service, Team
from incidents.figure_rows import DEFINITIONS
from incidents.models import Incident
from incidents.queries.analytics import BEHIND
from incidents.services import lifecycle, merging
from incidents.tests.oncall_portal import Portal, portal
from tests.query_counts import AssertQueries

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db]
PAGE, API = "/incidents/analytics/", "/api/v1/analytics/incidents/"


def told(client: Client, query: str = "") -> str:
    """Return the words of the page."""
    answer = client.get(f"{PAGE}?{query}")
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def asked(client: Client, query: str = "", status: int = 200) -> Any:
    """Return what the API answers."""
    answer = client.get(f"{API}?{query}")
    assert answer.status_code == status, answer.content
    return answer.json()


def live(portal: Portal) -> Incident:
    """Let a disk fill three times by itself, one incident be worked on, and one be merged into that."""
    for _ in range(3):
        portal.alert("disk", group_key="disk")
        portal.fast_forward(minutes=3)
        portal.alert("disk", firing=False, group_key="disk")
        portal.fast_forward(minutes=60)
    incident, twin = portal.open_incident("Checkout answers 500"), portal.open_incident("Twin")
    alice = portal.people["alice"]
    merging.merge(twin.pk, into=incident.pk, now=portal.now, actor=alice)
    portal.fast_forward(minutes=4)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    portal.fast_forward(minutes=26)
    lifecycle.resolve(incident.pk, now=portal.now, actor=alice)
    return incident


def test_each_figure_stands_beside_its_definition(portal: Portal) -> None:
    live(portal)
    page = html.unescape(told(signed_in(Role.RESPONDER)))
    for _, words in DEFINITIONS.values():
        assert words in page
    assert "3 never acknowledged" in page
    assert "let its rule wait longer" in page


def test_the_documentation_has_the_same_definitions() -> None:
    """Word for word."""
    text = (Path(settings.BASE_DIR) / "docs" / "analytics.md").read_text()
    rows = [f"| {label} | {words} |" for label, words in DEFINITIONS.values()]
    assert [row for row in rows if row not in text] == []
    assert [name for name in BEHIND if f"`{name}`" not in text] == []


def test_no_data_is_no_zero() -> None:
    """Of a portal without incidents there are no medians and no shares."""
    page = told(signed_in(Role.VIEWER))
    assert "No incident was opened in this period." in page
    assert page.count("no data") >= 10
    found = asked(signed_in(Role.RESPONDER))
    assert (found["count"], found["time_to_resolve"], found["people"]) == (0, None, [])
    assert found["acknowledged_without_action"] == {"part": 0, "of": 0, "fraction": None}


def test_every_figure_leads_to_as_many_incidents(portal: Portal) -> None:
    """Each link of a count shows so many, the one of the merged one never."""
    live(portal)
    client = signed_in(Role.RESPONDER)
    links = re.findall(r'<a href="(/incidents/\?[^"]+)">(\d+)[^<]*</a>', told(client))
    assert len(links) >= 10
    for href, count in links:
        shown = client.get(html.unescape(href)).content.decode()
        rows = re.findall(r'<th scope="row"><a href="/i/\d+"', shown)
        assert len(rows) == int(count), href


def test_a_list_behind_a_figure_stays_so_when_it_is_narrowed_further(portal: Portal) -> None:
    """Its form keeps what the figure asked for; what is meant stands above it."""
    live(portal)
    client = signed_in(Role.VIEWER)
    page = client.get("/incidents/?state=unmerged&figure=short&from=2026-03-02").content.decode()
    assert '<input type="hidden" name="figure" value="short">' in page
    until = f"before {portal.now.day} Mar 2026, {portal.now:%H}:{portal.now.minute + 1:02} UTC"
    assert f"opened from 2 Mar 2026, 00:00 UTC, opened {until}, over by themselves within" in page
    for query in ("figure=all", "from=soon", "to=2999-01-01"):
        assert client.get(f"/incidents/?{query}").status_code == 400


def test_a_list_behind_a_figure_has_the_period_of_the_figures(portal: Portal) -> None:
    """Without dates it is the last 30 days, as there, and says so; CSV is of the same incidents."""
    live(portal)
    portal.fast_forward(days=29)
    portal.alert("late", severity="P3")
    portal.alert("late", severity="P3", firing=False)
    portal.fast_forward(days=2)
    client, asked_for = signed_in(Role.VIEWER), "/incidents/?state=all&figure=short"
    page = client.get(asked_for).content.decode()
    assert page.count('<th scope="row"><a href="/i/') == 1
    begins = portal.now - timedelta(days=30)
    assert f"opened from {begins.day} {begins:%b %Y}, " in page
    assert "the last 30 days, as no other period is named" in page
    rows = client.get(f"{asked_for}&format=csv").getvalue().decode()
    assert rows.count("\n") == 2
    named = client.get(f"{asked_for}&from=2026-03-02").content.decode()
    assert "as no other period" not in named
    assert named.count('<th scope="row"><a href="/i/') == 4
    for query in ("from=2020-01-01", "from=2026-03-02&to=2026-03-01"):
        assert client.get(f"{asked_for}&{query}").status_code == 400


def test_what_is_counted_is_exported(portal: Portal) -> None:
    """A row an incident, of the same period and filters, without merged ones."""
    incident = live(portal)
    client = signed_in(Role.VIEWER)
    answer = client.get(f"{PAGE}?format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [row["is_short"] for row in rows] == ["True"] * 3 + ["False"]
    assert rows[0]["acknowledged_after_s"] == ""
    last = rows[-1]
    assert (last["id"], last["acknowledged_after_s"]) == (str(incident.pk), "240.0")
    assert (last["resolved_after_s"], last["is_acted_on"]) == ("1800.0", "True")
    narrowed = client.get(f"{PAGE}?format=csv&severity=P3").getvalue().decode()
    assert narrowed.count("\n") == 1


def test_the_api_says_the_same(portal: Portal) -> None:
    incident = live(portal)
    found = asked(signed_in(Role.RESPONDER))
    assert (found["count"], found["unacknowledged"], found["still_open"]) == (4, 3, 0)
    assert found["time_to_acknowledge"] == {"n": 1, "mean_s": 240, "median_s": 240, "p90_s": 240}
    assert found["over_by_itself_within_5_min"] == {"part": 3, "of": 4, "fraction": 0.75}
    assert found["time_between_failures"]["n"] == 3
    assert sum(map(sum, found["by_hour"])) == sum(day["count"] for day in found["by_day"]) == 4
    assert found["services"][0]["service"] == "checkout"
    assert found["promises"][0]["response"] == {"met": 1, "breached": 0, "open": 0}
    (repeat,) = found["repeats"]
    assert (repeat["count"], repeat["title"]) == (3, "disk is wrong")
    assert repeat["incident"] < incident.pk
    assert found["people"][0]["person"] == "alice"
    assert found["people"][0]["pages"] == found["pages"]["pages"]


def test_a_day_is_the_readers_and_the_last_one_is_in_it(portal: Portal) -> None:
    """Opened at 03:00 UTC on the second of March: the first, in Chicago."""
    portal.open_incident()
    client = signed_in(Role.RESPONDER)
    assert asked(client, "from=2026-03-01&to=2026-03-01")["count"] == 0
    assert asked(client, "from=2026-03-02&to=2026-03-02")["count"] == 1
    assert asked(client, "from=2026-03-02&to=2026-03-02T03:00:00Z")["count"] == 0
    User.objects.update(timezone="America/Chicago")
    found = asked(client, "from=2026-03-01&to=2026-03-01")
    assert (found["count"], found["start"]) == (1, "2026-03-01T06:00:00Z")
    assert found["by_day"] == [{"day": "2026-03-01", "count": 1}]
    assert found["by_hour"][6][21] == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("from=2026-03-02&to=2026-03-01", "to"),
        ("from=2024-01-01&to=2026-01-01", "to"),
        ("from=2000-01-01&to=2000-03-01", "from"),
        ("severity=P9", "severity"),
        ("severity=P0&severity=P1", "severity"),
        ("team=", "team"),
        ("teem=pay", "teem"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_name(query: str, field: str) -> None:
    refused = asked(signed_in(Role.VIEWER), query, 400)
    assert field in str(refused)


def test_a_private_service_is_not_there_for_strangers(portal: Portal) -> None:
    """No count, no title, no page of it; its slug finds as little as one that there is not."""
    live(portal)
    them = Team.objects.create(slug="them", name="Them")
    Service.objects.update(is_private=True, owner=them)
    stranger = signed_in(Role.RESPONDER)
    for query in ("", "service=checkout", "team=them", "service=nothing"):
        found = asked(stranger, query)
        assert (found["count"], found["pages"]["pages"], found["people"]) == (0, 0, [])
        assert (found["services"], found["repeats"]) == ([], [])
    assert "disk is wrong" not in told(stranger)
    assert b"disk" not in stranger.get(f"{PAGE}?format=csv").getvalue()
    them.members.add(User.objects.get(username="the-responder"))
    assert asked(stranger, "service=checkout&team=them")["count"] == 4


def test_viewers_are_told_of_nobody_elses_nights(portal: Portal) -> None:
    """Neither on the page nor by the API."""
    live(portal)
    viewer = signed_in(Role.VIEWER)
    page = told(viewer)
    assert "alice" not in page
    assert "You see your own" in page
    assert asked(viewer)["people"] == []
    assert "alice" in told(signed_in(Role.RESPONDER))


def test_a_token_reads_as_its_owner(portal: Portal) -> None:
    live(portal)
    _, secret = token_of(portal.people["bob"])
    answer = Client().get(API, headers=bearer(secret))
    assert answer.json()["count"] == 4
    assert Client().get(API).status_code == 401


def test_a_page_costs_the_same_however_much_happened(
    portal: Portal, assert_queries: AssertQueries
) -> None:
    client = signed_in(Role.RESPONDER)
    live(portal)
    with assert_queries(PAGE):
        told(client)
    for number in range(5):
        service = Service.objects.create(slug=f"s-{number}", name="S")
        portal.alert(f"k-{number}", service=service)
    portal.fast_forward(minutes=10)
    live(portal)
    with assert_queries(PAGE):
        told(client)


def test_periods_are_chosen(portal: Portal) -> None:
    """The last week, month or quarter, and no other number of days."""
    portal.open_incident()
    portal.now += timedelta(days=10)
    client = signed_in(Role.RESPONDER)
    assert "No incident was opened" in told(client, "days=7")
    assert "No incident was opened" not in told(client, "days=30&from=&to=&team=")
    assert client.get(f"{PAGE}?days=8").status_code == 400
