"""The public pages: what they show, to whom, and what never leaves the portal."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from incidents.domain.communication import PublicState
from incidents.models import Incident, Maintenance
from incidents.services.maintenance import cancel_maintenance, plan
from slo.tests.world import NOON as MEASURED
from slo.tests.world import World
from statuspage.addresses import CSS
from statuspage.domain.statuses import Impact, Status
from statuspage.models import Component, PublicIncident, PublicMaintenance
from statuspage.rendering import paths_of_documents
from statuspage.services.publishing import save_public_incident
from statuspage.tests.world import (
    HOUR,
    NOON,
    SECRET,
    component,
    group,
    incident,
    responder,
    shop,
    tell,
)
from tests.query_counts import AssertQueries

pytestmark = [pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON + 2 * HOUR)


def read(client: Client, path: str = "") -> str:
    """Return what an address of the page answers."""
    answer = client.get(f"/status/{path}")
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()


def document(client: Client, name: str = "summary") -> dict[str, Any]:
    """Return a document of the page."""
    found: dict[str, Any] = json.loads(read(client, f"api/v2/{name}.json"))
    return found


def everything(client: Client) -> str:
    """Return all that the public can read, of every address."""
    parts = [f"incidents/{row.public_id}/" for row in PublicIncident.objects.all()]
    parts += [f"components/{row.public_id}/" for row in Component.objects.filter(is_shown=True)]
    paths = ["", "history/", "subscribe/", *parts, *paths_of_documents()]
    return "\n".join(read(client, path) for path in paths)


def outage(**values: Any) -> Incident:
    """Have an incident of the shop made public; of a component as well, where there is one."""
    service = shop()
    component(service=service, **values)
    found = incident(service)
    tell(found, f"{SECRET} internal note", state=None, now=NOON)
    tell(found, "We look into it.", now=NOON + timedelta(minutes=5))
    return found


def test_nothing_internal_is_public(client: Client) -> None:
    """Titles, summaries, notes, services and people of incidents and maintenance stay inside."""
    found = outage()
    fields = {"service": found.service, "starts_at": NOON, "ends_at": NOON + 4 * HOUR,
              "comment": f"{SECRET} disks"}  # fmt: skip
    plan(fields=fields, actor=responder(), now=NOON)
    told = everything(client)
    assert "We look into it." in told
    assert "Service disruption" in told
    assert "Scheduled maintenance" in told
    assert SECRET not in told


@pytest.mark.parametrize("has_component", [True, False])
def test_not_all_is_well_while_an_incident_goes_on(client: Client, has_component: bool) -> None:
    """Also where it affects no component, or nothing is listed; unless somebody says that none notices it."""
    if has_component:
        component()
    found = incident(severity="P3")
    tell(found, "Some of you wait.")
    assert "Minor Service Outage" in read(client, "")
    save_public_incident(
        found, title="A test", impact=Impact.NONE, affected={}, actor=responder(), now=NOON
    )
    assert ("All Systems Operational" in read(client, "")) is has_component
    assert "Minor Service Outage" not in read(client, "")


def test_an_incident_without_a_public_update_is_not_there(client: Client) -> None:
    """Not even where its public words were typed already."""
    service = shop()
    part = component(service=service)
    found = incident(service)
    tell(found, "Only for us", state=None)
    save_public_incident(
        found, title="Payments fail", impact=None, affected={part: Status.MAJOR_OUTAGE},
        actor=responder(), now=NOON,
    )  # fmt: skip
    row = PublicIncident.objects.get()
    assert client.get(f"/status/incidents/{row.public_id}/").status_code == 404
    summary = document(client)
    assert (summary["incidents"], summary["status"]["indicator"]) == ([], "none")
    assert "Payments fail" not in read(client) + read(client, "history/") + read(client, "feed.rss")


def test_a_private_service_is_there_only_as_a_component_made_on_purpose(client: Client) -> None:
    """Without a component of its own its incident says nothing of the page's others."""
    component("Search")
    tell(incident(shop()), "We look into it.")
    summary = document(client)
    assert [one["name"] for one in summary["components"]] == ["Search"]
    assert summary["components"][0]["status"] == "operational"
    assert [one["components"] for one in summary["incidents"]] == [[]]


@pytest.mark.both_databases
def test_an_incident_affects_its_components_until_it_is_resolved(client: Client) -> None:
    """By severity until somebody says what; the newest update stands first."""
    found = outage(name="Checkout")
    assert document(client)["components"][0]["status"] == "partial_outage"
    part = Component.objects.get()
    save_public_incident(
        found, title="Payments fail", impact=None, affected={part: Status.MAJOR_OUTAGE},
        actor=responder(), now=NOON,
    )  # fmt: skip
    (told,) = document(client)["incidents"]
    assert (told["name"], told["impact"], told["status"]) == (
        "Payments fail", "critical", "investigating",
    )  # fmt: skip
    tell(found, "It is over.", state=PublicState.RESOLVED, now=NOON + HOUR)
    summary = document(client)
    assert (summary["incidents"], summary["status"]["indicator"]) == ([], "none")
    (past,) = document(client, "incidents")["incidents"]
    assert [one["body"] for one in past["incident_updates"]] == ["It is over.", "We look into it."]
    assert past["resolved_at"] == "2026-05-03T13:00:00.000Z"
    page = read(client)
    assert page.index("It is over.") < page.index("We look into it.")


def test_past_incidents_leave_the_page_and_stay_in_the_history(client: Client) -> None:
    """Fifteen days on the page, a year in the history, for ever at their address."""
    early = NOON - timedelta(days=20)
    found = incident(now=early)
    tell(found, "It broke.", now=early)
    assert "It broke." in read(client)
    tell(found, "It works.", state=PublicState.RESOLVED, now=early + HOUR)
    assert "It works." not in read(client)
    row = PublicIncident.objects.get()
    assert row.public_id in read(client, "history/")
    assert "It works." in read(client, f"incidents/{row.public_id}/")


def test_documents_have_the_shape_of_statuspage(client: Client) -> None:
    """Programs that read one read the other: names, states, groups by id, any origin."""
    outage(group=group())
    summary = document(client)
    assert set(summary) == {"page", "status", "components", "incidents", "scheduled_maintenances"}
    assert set(summary["page"]) == {"id", "name", "url", "time_zone", "updated_at"}
    heading, part = summary["components"]
    assert (heading["group"], heading["components"]) == (True, [part["id"]])
    assert (part["group_id"], heading["status"]) == (heading["id"], "partial_outage")
    (told,) = summary["incidents"]
    assert told["incident_updates"][0]["incident_id"] == told["id"]
    assert told["shortlink"].endswith(f"/status/incidents/{told['id']}/")
    assert told["started_at"] == "2026-05-03T12:05:00.000Z"
    assert document(client, "incidents/unresolved")["incidents"] == summary["incidents"]
    assert document(client, "status")["status"] == {
        "indicator": "major", "description": "Partial System Outage",
    }  # fmt: skip
    answer = client.get("/status/api/v2/summary.json")
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Content-Type"] == "application/json; charset=utf-8"


def test_pages_need_no_session_and_are_kept(client: Client) -> None:
    """No cookie, nothing that differs by who asks; what somebody has is not sent again."""
    outage()
    for path in ("", "history/", "api/v2/summary.json", "feed.atom"):
        answer = client.get(f"/status/{path}")
        assert not answer.cookies, path
        assert "Cookie" not in answer.get("Vary", ""), path
        assert answer["Cache-Control"] == "public, max-age=30, stale-if-error=86400"
        again = client.get(f"/status/{path}", headers={"If-None-Match": answer["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    tell(Incident.objects.get(), "Found it.", state=PublicState.IDENTIFIED, now=NOON + HOUR)
    stale = client.get("/status/", headers={"If-None-Match": answer["ETag"]})
    assert stale.status_code == 200


def test_a_second_factor_is_asked_of_nobody(client: Client, settings: Any) -> None:
    """Whoever is signed in is not looked up: not for the policy on second factors either."""
    settings.MFA_REQUIRED_ROLES = ["responder"]
    client.force_login(responder())
    assert "Cookie" not in client.get("/status/").get("Vary", "")


def test_maintenance_is_shown_in_public_words(client: Client) -> None:
    """Planned, running and over by the clock; the component is under maintenance meanwhile."""
    service = shop()
    component(service=service)
    fields = {"service": service, "starts_at": NOON + HOUR, "ends_at": NOON + 3 * HOUR,
              "comment": f"{SECRET} disks"}  # fmt: skip
    row = plan(fields=fields, actor=responder(), now=NOON)
    (work,) = document(client)["scheduled_maintenances"]
    assert (work["name"], work["status"], work["impact"]) == (
        "Scheduled maintenance", "in_progress", "maintenance",
    )  # fmt: skip
    assert document(client)["components"][0]["status"] == "under_maintenance"
    assert document(client)["status"] == {
        "indicator": "none", "description": "System Under Maintenance",
    }  # fmt: skip
    words = PublicMaintenance.objects.create(maintenance=row, title="Faster disks", text="Slow.")
    assert "Faster disks" in read(client)
    words.is_shown = False
    words.save()
    assert document(client)["scheduled_maintenances"] == []
    words.delete()
    cancel_maintenance(Maintenance.objects.get(), actor=responder(), now=NOON)
    assert document(client, "scheduled-maintenances")["scheduled_maintenances"] == []


def test_a_component_hides_the_maintenance_of_its_service(client: Client) -> None:
    """Where its page's owner says so."""
    service = shop()
    component(service=service, shows_maintenance=False)
    fields = {"service": service, "starts_at": NOON, "ends_at": NOON + 3 * HOUR, "comment": "x"}
    plan(fields=fields, actor=responder(), now=NOON)
    assert document(client)["components"][0]["status"] == "operational"


def test_repeated_maintenance_shows_its_next_occurrences(client: Client) -> None:
    """Not all that a rule ever yields."""
    service = shop()
    component(service=service)
    fields = {"service": service, "starts_at": NOON - timedelta(days=60),
              "ends_at": NOON - timedelta(days=60) + HOUR, "comment": "x",
              "rule": "FREQ=HOURLY;INTERVAL=3"}  # fmt: skip
    plan(fields=fields, actor=responder(), now=NOON)
    assert len(document(client, "scheduled-maintenances/upcoming")["scheduled_maintenances"]) == 5
    assert len(document(client, "scheduled-maintenances")["scheduled_maintenances"]) == 10


def test_hidden_components_are_nowhere(client: Client) -> None:
    """Nor does an incident name them."""
    outage(name="Backstage", is_shown=False)
    assert "Backstage" not in read(client) + json.dumps(document(client)) + read(client, "feed.rss")
    row = Component.objects.get()
    assert client.get(f"/status/components/{row.public_id}/").status_code == 404


def test_feeds_are_valid_with_ids_that_stay(client: Client) -> None:
    """An entry per incident, the same id whatever is told, whatever was typed."""
    found = outage()
    control = "It <b>broke</b> & \x01 \x0b more"
    tell(found, control, state=PublicState.IDENTIFIED, now=NOON + HOUR)
    atom = "{http://www.w3.org/2005/Atom}"
    feed = ElementTree.fromstring(read(client, "feed.atom"))
    assert feed.find(f"{atom}author/{atom}name") is not None
    (entry,) = feed.findall(f"{atom}entry")
    assert entry.findtext(f"{atom}updated") == "2026-05-03T13:00:00+00:00"
    assert "&lt;b&gt;broke&lt;/b&gt;" in (entry.findtext(f"{atom}summary") or "")
    rss = ElementTree.fromstring(read(client, "feed.rss"))
    assert rss.findtext("channel/item/guid") == entry.findtext(f"{atom}id")
    tell(found, "Over.", state=PublicState.RESOLVED, now=NOON + 2 * HOUR)
    again = ElementTree.fromstring(read(client, "feed.atom"))
    assert again.findtext(f"{atom}entry/{atom}id") == entry.findtext(f"{atom}id")


@pytest.mark.both_databases
def test_bars_open_to_what_was_counted(
    client: Client, monkeypatch: pytest.MonkeyPatch, assert_queries: AssertQueries
) -> None:
    """Days without measurements are grey and say so; the others have their counts."""
    world = World()
    world.run(3, good=97, errors=3)
    monkeypatch.setattr("django.utils.timezone.now", lambda: MEASURED + timedelta(days=1, hours=1))
    part = component(slo=world.slo("availability"), service=world.service)
    page = read(client, f"components/{part.public_id}/")
    assert "3 May 2026: 97.00 %, 291 of 300 events good" in page
    assert '<td class="num">291</td>' in page
    assert "2 May 2026: no data" in page
    front = read(client)
    assert "97.00 % good over 1 day, 89 days without data" in front
    assert re.findall(r'class="bar-(\w+)" d="(M[^"]*)"', front)[0][0] == "far_below"
    with assert_queries("statuspage:page"):
        read(client)
    for number in range(5):
        component(f"Part {number}", slo=world.slo("latency"))
    with assert_queries("statuspage:page"):
        read(client)


def test_a_large_page_is_small(client: Client) -> None:
    """Twelve components with bars and three incidents fit into 50 kB with their styles."""
    world = World()
    world.run(2, good=97, errors=3)
    for number in range(12):
        component(f"Component {number}", description="What it is for", slo=world.slo("latency"))
    for _ in range(3):
        tell(incident(), "Something is wrong. " * 20)
    css = sum(len(path.read_bytes()) for path in _styles())
    assert len(read(client).encode()) + css < 50_000


def _styles() -> list[Path]:
    return [Path(str(finders.find(name))) for name in CSS]


def test_the_impact_that_was_typed_holds(client: Client) -> None:
    """Also where components are not affected; the page says no less than an incident."""
    component()
    found = incident()
    tell(found, "We look into it.")
    assert document(client)["status"]["indicator"] == "minor"
    save_public_incident(
        found, title="Mails are late", impact=Impact.MAJOR, affected={}, actor=responder(), now=NOON
    )
    summary = document(client)
    assert summary["incidents"][0]["impact"] == "major"
    assert summary["status"]["indicator"] == "major"
