"""What programs made for Statuspage read: each field where they look for it, and feeds that are valid."""

from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client

from incidents.domain.communication import PublicState
from incidents.services.maintenance import cancel_maintenance, plan
from statuspage.domain.statuses import Status
from statuspage.models import PublicMaintenance
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

pytestmark = [pytest.mark.django_db]
DAY = timedelta(days=1)
ATOM = "{http://www.w3.org/2005/Atom}"
# Of a component, an incident, an update and maintenance, as https://metastatuspage.com/api has them.
COMPONENT = {
    *("id", "name", "status", "created_at", "updated_at", "position", "description", "showcase"),
    *("start_date", "group_id", "page_id", "group", "only_show_if_degraded"),
}
INCIDENT = {
    *("id", "name", "status", "created_at", "updated_at", "monitoring_at", "resolved_at", "impact"),
    *("shortlink", "started_at", "page_id", "incident_updates", "components", "reminder_intervals"),
}
UPDATE = {
    *("id", "status", "body", "incident_id", "created_at", "updated_at", "display_at"),
    *("affected_components", "deliver_notifications", "custom_tweet", "tweet_id"),
}


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, NOON + 2 * HOUR)


def at(monkeypatch: pytest.MonkeyPatch, now: Any) -> None:
    """Have it be another time."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)


def document(client: Client, name: str = "summary") -> Any:
    """Return a document of the page."""
    answer = client.get(f"/status/api/v2/{name}.json")
    assert answer.status_code == 200
    return answer.json()


def work(client: Client, of: str = "scheduled-maintenances") -> list[Any]:
    """Return maintenance of a document."""
    found: list[Any] = document(client, of)["scheduled_maintenances"]
    return found


@pytest.mark.both_databases
def test_every_field_is_where_programs_look_for_it(client: Client) -> None:
    """Of what stands on the page, no more and no less."""
    part = component(service=(service := shop()), group=group())
    tell(incident(service), "We look into it.")
    fields = {"service": service, "starts_at": NOON + DAY, "ends_at": NOON + DAY + HOUR,
              "comment": SECRET}  # fmt: skip
    plan(fields=fields, actor="test", now=NOON)
    summary = document(client)
    heading, listed = summary["components"]
    assert set(listed) == COMPONENT
    assert set(heading) == COMPONENT | {"components"}
    (told,) = summary["incidents"]
    (planned,) = summary["scheduled_maintenances"]
    assert set(told) == INCIDENT
    assert set(planned) == INCIDENT | {"scheduled_for", "scheduled_until"}
    assert all(set(one) == UPDATE for one in told["incident_updates"])
    assert all(set(one) == UPDATE for one in planned["incident_updates"])
    assert (planned["scheduled_for"], planned["scheduled_until"]) == (
        "2026-05-04T12:00:00.000Z", "2026-05-04T13:00:00.000Z",
    )  # fmt: skip
    page = summary["page"]
    assert page["url"] == "http://127.0.0.1:8000/status"
    assert {one["page_id"] for one in (listed, heading, told, planned)} == {page["id"]}
    assert listed["id"] == part.public_id


def test_components_stand_in_their_order(client: Client) -> None:
    """Programs sort by `position`, within the page and within each group."""
    second, first = group("Second", order=2), group("First", order=1)
    for name, heading in (("D", second), ("B", first), ("C", first), ("A", None)):
        component(name, group=heading)
    found = document(client, "components")["components"]
    tops = sorted((one for one in found if not one["group_id"]), key=lambda one: one["position"])
    assert [one["name"] for one in tops] == ["A", "First", "Second"]
    own = [one for one in found if one["group_id"] == tops[1]["id"]]
    assert [one["name"] for one in sorted(own, key=lambda one: one["position"])] == ["B", "C"]
    assert len({one["position"] for one in own}) == 2


def test_updates_say_which_components_they_affect(client: Client) -> None:
    """From how they were before to how they are; the last one ends it. None is null, not an empty list."""
    part = component("Checkout")
    found = incident()
    save_public_incident(
        found, title="Payments fail", impact=None, affected={part: Status.MAJOR_OUTAGE},
        actor=responder(), now=NOON,
    )  # fmt: skip
    tell(found, "We look into it.")
    tell(found, "Found it.", state=PublicState.IDENTIFIED, now=NOON + HOUR)
    tell(found, "Over.", state=PublicState.RESOLVED, now=NOON + HOUR)
    (told,) = document(client, "incidents")["incidents"]
    changes = [one["affected_components"][0] for one in reversed(told["incident_updates"])]
    assert [(one["old_status"], one["new_status"]) for one in changes] == [
        ("operational", "major_outage"),
        ("major_outage", "major_outage"),
        ("major_outage", "operational"),
    ]
    assert {(one["code"], one["name"]) for one in changes} == {(part.public_id, "Checkout")}
    tell(incident(), "Everything is slow.")
    (other,) = document(client)["incidents"]
    assert other["incident_updates"][0]["affected_components"] is None


def test_a_component_changes_when_its_status_does(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs look at `updated_at` to learn whether there is news."""
    at(monkeypatch, NOON)
    component(service=(service := shop()), group=group())
    component("Other")
    tell(incident(service), "We look into it.", now=NOON + HOUR)
    at(monkeypatch, NOON + 2 * HOUR)
    found = {one["name"]: one["updated_at"] for one in document(client)["components"]}
    assert found == {
        "Shop": "2026-05-03T13:00:00.000Z",
        "Checkout": "2026-05-03T13:00:00.000Z",
        "Other": "2026-05-03T12:00:00.000Z",
    }


def test_the_last_incidents_are_there_however_old(client: Client) -> None:
    """Fifty of a year, and the page itself begins later."""
    early = NOON - timedelta(days=100)
    found = incident(now=early)
    tell(found, "It broke.", now=early)
    tell(found, "It works.", state=PublicState.RESOLVED, now=early + HOUR)
    (old,) = document(client, "incidents")["incidents"]
    assert old["status"] == "resolved"
    assert document(client)["incidents"] == []
    feed = ElementTree.fromstring(client.get("/status/feed.atom").content)
    assert len(feed.findall(f"{ATOM}entry")) == 1


def test_maintenance_tells_what_became_of_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update for each stage, with an id that stays: programs tell each once."""
    component(service=(service := shop()))
    fields = {"service": service, "starts_at": NOON + HOUR, "ends_at": NOON + 3 * HOUR,
              "comment": SECRET}  # fmt: skip
    row = plan(fields=fields, actor="test", now=NOON)
    PublicMaintenance.objects.create(maintenance=row, title="Faster disks", text="All is slow.")
    seen: list[list[tuple[str, str]]] = []
    for hours in (0, 2, 4):
        at(monkeypatch, NOON + hours * HOUR)
        (one,) = work(client)
        updates = [(each["id"], each["status"]) for each in one["incident_updates"]]
        assert updates[1:] == (seen[-1] if seen else [])
        assert one["status"] == one["incident_updates"][0]["status"]
        assert one["updated_at"] == one["incident_updates"][0]["updated_at"]
        seen.append(updates)
    assert [state for _, state in seen[-1]] == ["completed", "in_progress", "scheduled"]
    assert one["incident_updates"][-1]["body"] == "All is slow."
    assert one["resolved_at"] == "2026-05-03T15:00:00.000Z"
    assert work(client, "scheduled-maintenances/active") == []


@pytest.mark.both_databases
def test_what_was_before_maintenance_was_called_off_stays(client: Client) -> None:
    """The occurrence that was, and the one that was ended by it; not those that would have followed."""
    component(service=(service := shop()))
    fields = {"service": service, "starts_at": NOON - DAY, "ends_at": NOON - DAY + 3 * HOUR,
              "comment": SECRET, "rule": "FREQ=DAILY"}  # fmt: skip
    row = plan(fields=fields, actor="test", now=NOON - 2 * DAY)
    cancel_maintenance(row, actor="test", now=NOON + HOUR)
    assert [(one["status"], one["scheduled_until"]) for one in work(client)] == [
        ("completed", "2026-05-02T15:00:00.000Z"),
        ("completed", "2026-05-03T13:00:00.000Z"),
    ]


HOSTILE = "</title><script>alert(1)</script> ]]> &amp; \x08\x00\x0b\x1b\ufffe\uffff é"


@pytest.mark.parametrize("kind", ["atom", "rss"])
def test_feeds_are_well_formed_whatever_was_typed(client: Client, kind: str, settings: Any) -> None:
    """Markup comes back as the letters that it is; what XML forbids is left out."""
    typed = HOSTILE.replace("\0", "")  # No database keeps it.
    settings.STATUSPAGE_NAME = typed
    part = component(typed[:120], service=(service := shop()))
    found = incident()
    save_public_incident(
        found, title=typed, impact=None, affected={part: Status.MAJOR_OUTAGE},
        actor=responder(), now=NOON,
    )  # fmt: skip
    tell(found, typed)
    fields = {"service": service, "starts_at": NOON + DAY, "ends_at": NOON + DAY + HOUR,
              "comment": SECRET}  # fmt: skip
    row = plan(fields=fields, actor="test", now=NOON)
    PublicMaintenance.objects.create(maintenance=row, title=typed, text=typed)
    raw = client.get(f"/status/feed.{kind}").content
    assert b"<script" not in raw
    tree = ElementTree.fromstring(raw)
    titles = [each.text or "" for each in tree.iter() if each.tag.endswith("title")]
    shown = "</title><script>alert(1)</script> ]]> &amp;"
    assert len(titles) == 3
    assert all(title.startswith(shown) for title in titles)


def test_feeds_are_as_their_formats_ask(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unique ids that stay, absolute links, a time for each that moves with what is told (RFC 4287, RSS 2.0)."""
    component(service=(service := shop()))
    found = incident(service)
    tell(found, "We look into it.")
    fields = {"service": service, "starts_at": NOON + DAY, "ends_at": NOON + DAY + HOUR,
              "comment": SECRET}  # fmt: skip
    plan(fields=fields, actor="test", now=NOON)

    def read() -> dict[str, str]:
        tree = ElementTree.fromstring(client.get("/status/feed.atom").content)
        assert tree.findtext(f"{ATOM}id", "").startswith("urn:uuid:")
        links = {link.get("rel"): link.get("href", "") for link in tree.findall(f"{ATOM}link")}
        assert links["self"] == "http://127.0.0.1:8000/status/feed.atom"
        entries = tree.findall(f"{ATOM}entry")
        for entry in entries:
            link = entry.find(f"{ATOM}link")
            assert link is not None
            assert link.get("href", "").startswith("http://127.0.0.1:8000/status/")
        newest = max(entry.findtext(f"{ATOM}updated", "") for entry in entries)
        assert tree.findtext(f"{ATOM}updated", "") >= newest
        return {
            entry.findtext(f"{ATOM}id", ""): entry.findtext(f"{ATOM}updated", "")
            for entry in entries
        }

    before = read()
    assert len(before) == 2
    at(monkeypatch, NOON + DAY + timedelta(minutes=1))
    after = read()
    assert set(after) == set(before)
    assert "2026-05-04T12:00:00+00:00" in set(after.values()) - set(before.values())
    rss = ElementTree.fromstring(client.get("/status/feed.rss").content)
    guids = rss.findall("channel/item/guid")
    assert {guid.text for guid in guids} == set(after)
    assert {guid.get("isPermaLink") for guid in guids} == {"false"}
    assert all((link.text or "").startswith("http://") for link in rss.findall("channel/item/link"))
