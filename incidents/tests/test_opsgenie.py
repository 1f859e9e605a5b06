"""Opsgenie's alert and heartbeat API: whoever comes from there changes a base URL.

The official client speaks to a live portal; what it does reaches the people who are on call.
"""

import json
import re
from datetime import timedelta
from typing import Any

import opsgenie_sdk
import pytest
import urllib3
from django.db import connection
from django.test import Client
from opsgenie_sdk import AlertApi, ApiClient, Configuration, HeartbeatApi
from opsgenie_sdk.exceptions import ApiException
from pytest_django.live_server_helper import LiveServer

from core.models import AuditEntry
from incidents.models import Alert, Heartbeat
from incidents.services import heartbeats
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.opsgenie_sender import Sender, sender
from incidents.tests.senders import integration_of, until

__all__ = ["portal", "sender"]

pytestmark = pytest.mark.django_db


def test_a_snooze_calls_nobody_until_it_ends(sender: Sender, portal: Portal) -> None:
    incident = sender.create()
    until = portal.now + timedelta(hours=2)
    done = sender.do("snooze", {"endTime": until.isoformat(), "user": "ada"})
    assert (done["isSuccess"], done["status"]) == (True, "Processed")
    assert sender.shown()["snoozed"] is True
    assert sender.shown()["snoozedUntil"] == "2026-03-02T05:00:00.000Z"
    portal.fast_forward(minutes=119)
    assert portal.paged() == [(0, "alice")]
    portal.fast_forward(minutes=2)
    assert portal.paged() == [(0, "alice"), (120, "alice")]
    incident.refresh_from_db()
    assert incident.status == "triggered"


def test_a_snooze_while_others_must_answer_is_not_said_to_be(
    sender: Sender, portal: Portal
) -> None:
    portal.policy.levels.filter(number=1).update(acknowledgements=2)
    incident = sender.create()
    until = portal.now + timedelta(hours=2)
    done = sender.do("snooze", {"endTime": until.isoformat(), "user": "ada"})
    said = "The answer counts, 1 of 2 who must answer: calling goes on, and nothing is snoozed."
    assert (done["isSuccess"], done["status"]) == (False, said)
    assert sender.shown()["snoozed"] is False
    assert [each.actor for each in incident.acknowledgements.all()] == ["ada"]


def test_what_cannot_be_done_is_not_said_to_be(sender: Sender, portal: Portal) -> None:
    sender.create()
    done = sender.do("snooze", {"endTime": "2026-05-01T00:00:00Z"})
    assert done["isSuccess"] is False
    assert "within a week" in done["status"]
    assert sender.shown()["snoozed"] is False
    unknown = sender.do("assign", {"owner": {"username": "nobody@example.org"}})
    assert (unknown["success"], unknown["status"]) == (
        False, "Nobody here is known as nobody@example.org.",
    )  # fmt: skip
    notes = Alert.objects.get().log.filter(kind="note").order_by("pk")
    assert [entry.text.partition("Not done: ")[2] for entry in notes] == [
        done["status"], unknown["status"],
    ]  # fmt: skip
    said = sender.send("POST", "/v2/alerts/none/acknowledge?identifierType=alias", {})
    status = sender.send("GET", f"/v2/alerts/requests/{said['requestId']}", status=200)["data"]
    assert (status["isSuccess"], status["status"]) == (False, "Alert does not exist")


def test_escalating_calls_the_next_level_at_once(sender: Sender, portal: Portal) -> None:
    sender.create()
    sender.do("escalate", {"escalation": {"name": "ops"}})
    assert portal.paged() == [(0, "alice"), (0, "bob")]


def test_an_owner_is_told_and_shown(sender: Sender, portal: Portal) -> None:
    incident = sender.create()
    sender.do("assign", {"owner": {"username": "CAROL@example.com"}, "user": "ada"})
    incident.refresh_from_db()
    assert incident.assigned_to == portal.people["carol"]
    assert portal.paged() == [(0, "alice"), (0, "carol")]
    assert sender.shown()["owner"] == "carol@example.com"


def test_a_worse_priority_calls_anew_and_a_better_one_nobody(
    sender: Sender, portal: Portal
) -> None:
    incident = sender.create(priority="P3")
    sender.do("acknowledge", {"user": "alice"})
    called = len(portal.paged())
    sender.do("priority", {"priority": "P1"}, "PUT")
    incident.refresh_from_db()
    assert (incident.severity, incident.status) == ("P0", "triggered")
    assert len(portal.paged()) > called
    assert sender.shown()["priority"] == "P1"
    sender.do("priority", {"priority": "P4"}, "PUT")
    incident.refresh_from_db()
    assert (incident.severity, sender.shown()["priority"]) == ("P0", "P4")
    sender.send("PUT", "/v2/alerts/disk/priority?identifierType=alias", {"priority": "P9"}, 422)


def test_tags_and_details_come_and_go(sender: Sender) -> None:
    sender.create(tags=["a"], details={"host": "db-1"})
    sender.do("tags", {"tags": ["b", "a"]})
    sender.do("details", {"details": {"disk": 7, "host": "db-2"}})
    assert sender.shown()["tags"] == ["b", "a"]
    assert sender.shown()["details"] == {"disk": "7", "host": "db-2"}
    sender.do("tags?tags=a,zebra", method="DELETE")
    sender.do("details?keys=host", method="DELETE")
    assert (sender.shown()["tags"], sender.shown()["details"]) == (["b"], {"disk": "7"})
    sender.send("DELETE", "/v2/alerts/disk/tags?identifierType=alias", status=422)
    sender.send("DELETE", "/v2/alerts/disk/snooze?identifierType=alias", status=405)
    assert sender.shown()["status"] == "open"


def test_notes_logs_and_recipients_are_told(sender: Sender) -> None:
    sender.create()
    sender.do("notes", {"note": "Looking.", "user": "ada"})
    sender.do("actions/Restart", {"user": "ada"})
    sender.do("acknowledge", {"note": "Mine.", "user": "alice"})
    told = {
        what: sender.send("GET", f"/v2/alerts/disk/{what}?identifierType=alias", status=200)["data"]
        for what in ("notes", "logs", "recipients")
    }
    assert [(note["note"], note["owner"]) for note in told["notes"]] == [
        ("Mine.", "alice"),
        ("Looking.", "ada"),
    ]
    assert len(told["logs"]) == 4
    assert "Restart" in told["logs"][1]["log"]
    assert told["recipients"][0]["user"]["username"] == "alice"


def test_alerts_are_searched_and_counted(sender: Sender) -> None:
    for number in range(25):
        sender.create(alias=f"disk {number}", message=f"Disk {number} full", tags=["disk"])
    sender.send("POST", "/v2/alerts/disk 3/close?identifierType=alias", {})

    def found(query: str) -> int:
        told = sender.send("GET", f"/v2/alerts/count?query={query}", status=200)
        count: int = told["data"]["count"]
        return count

    assert found("status:open") == 24
    assert found("status:closed AND priority:P2") == 1
    assert found("message:full tag:disk acknowledged:false") == 25
    assert found("Disk 7") == 2
    for wrong in ("owner:ada", "status:open OR status:closed", "status:odd", "priority:P9"):
        assert "not understood" in sender.send(
            "GET", f"/v2/alerts/count?query={wrong}", status=422
        )["message"]  # fmt: skip
    page = sender.send("GET", "/v2/alerts?limit=10&offset=20&sort=tinyId&order=asc", status=200)
    assert [alert["alias"] for alert in page["data"]] == [f"disk {n}" for n in range(20, 25)]
    assert len(sender.send("GET", "/v2/alerts", status=200)["data"]) == 20
    sender.send("GET", "/v2/alerts?sort=nonsense", status=422)
    sender.send("GET", "/v2/alerts?limit=-1", status=422)


def test_heartbeats_are_made_changed_and_ended(sender: Sender, portal: Portal) -> None:
    said = {"name": "backup", "interval": 90, "intervalUnit": "minutes", "enabled": True}
    shown = sender.send("POST", "/v2/heartbeats", said, 201)["data"]
    assert (shown["interval"], shown["intervalUnit"], shown["expired"]) == (90, "minutes", False)
    sender.send("POST", "/v2/heartbeats", said, 409)
    refused = sender.send("POST", "/v2/heartbeats", {"name": "x", "interval": "5"}, 422)["errors"]
    assert set(refused) == {"interval", "intervalUnit", "enabled"}
    changed = {"interval": 2, "intervalUnit": "hours", "alertPriority": "P1"}
    shown = sender.send("PATCH", "/v2/heartbeats/backup", changed, 200)["data"]
    assert (shown["interval"], shown["intervalUnit"], shown["alertPriority"]) == (2, "hours", "P1")
    sender.send("GET", "/v2/heartbeats/backup/ping")
    assert "lastPingTime" in sender.send("GET", "/v2/heartbeats/backup", status=200)["data"]
    portal.fast_forward(hours=3)
    heartbeats.check(now=portal.now)
    portal.settle()
    listed = sender.send("GET", "/v2/heartbeats", status=200)["data"]["heartbeats"]
    assert [one["expired"] for one in listed] == [True]
    assert [name for _, name in portal.paged()] == ["alice"]
    off = sender.send("POST", "/v2/heartbeats/backup/disable", {}, 200)["data"]
    assert off["enabled"] is False
    assert Alert.objects.get().state == "resolved"
    assert sender.send("POST", "/v2/heartbeats/backup/enable", {}, 200)["data"]["enabled"] is True
    sender.send("DELETE", "/v2/heartbeats/backup", status=200)
    sender.send("GET", "/v2/heartbeats/backup", status=404)
    acts = list(AuditEntry.objects.order_by("seq").values_list("act", flat=True))
    assert [act for act in acts if act.startswith("heartbeat.")] == [
        "heartbeat.created", "heartbeat.changed", "heartbeat.changed", "heartbeat.changed",
        "heartbeat.deleted",
    ]  # fmt: skip


ODD: list[Any] = [
    None, "", "x", "a\0b", "\ud800", 0, -1, 10**30, 1.5, True, [], {}, [1], {"x": []}, "9" * 6000,
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z",
]  # fmt: skip
HEARTBEAT = {"name": "b", "interval": 5, "intervalUnit": "minutes", "enabled": True}


def test_rubbish_is_no_error_of_ours(sender: Sender) -> None:
    """Any field of any act with any value, odd names in addresses, odd searches."""
    sender.create()
    acts: dict[str, tuple[str, ...]] = {
        "snooze": ("endTime", "note", "user"), "assign": ("owner", "source"), "priority": ("priority",),
        "tags": ("tags",), "details": ("details",), "message": ("message",), "notes": ("note",),
        "description": ("description",), "responders": ("responder",), "actions/x%00y": ("note",),
        "escalate": ("escalation",),
    }  # fmt: skip
    tried: list[tuple[str, str, Any]] = [
        ("POST", f"/v2/alerts/disk/{act}?identifierType=alias", {name: odd})
        for act, names in acts.items()
        for name in names
        for odd in ODD
    ]
    tried += [
        ("POST", "/v2/heartbeats", {**HEARTBEAT, name: odd}) for name in HEARTBEAT for odd in ODD
    ]
    tried += [("PATCH", "/v2/heartbeats/b", {name: odd}) for name in HEARTBEAT for odd in ODD]
    tried += [("PATCH", "/v2/heartbeats/b", {"alertPriority": odd}) for odd in ODD]
    tried += [("POST", "/v2/heartbeats", odd) for odd in ODD]
    for path in ("alerts", "alerts/count"):
        for odd in (
            "a%00b",
            "tag:%00",
            "alias:%00",
            "priority:",
            ":",
            "%ED%A0%80",
            "(" * 500,
            "status:%F0%9F",
        ):
            tried += [("GET", f"/v2/{path}?query={odd}&offset={odd}", None)]
            tried += [("GET", f"/v2/{path}?query={odd}", None)]
    for odd in ("a%00b", "%ED%A0%80", "9" * 40, "%2F", "x" * 600):
        for kind in ("alias", "id", "tiny", odd):
            tried += [("GET", f"/v2/alerts/{odd}?identifierType={kind}", None)]
            tried += [("POST", f"/v2/alerts/{odd}/close?identifierType={kind}", {})]
            tried += [("DELETE", f"/v2/alerts/{odd}/tags?identifierType={kind}&tags={odd}", None)]
        tried += [(method, f"/v2/heartbeats/{odd}", {}) for method in ("GET", "PATCH", "DELETE")]
        tried += [
            ("GET", f"/v2/heartbeats/{odd}/ping", None),
            ("POST", f"/v2/heartbeats/{odd}/enable", {}),
        ]
        tried += [("POST", f"/integrations/v1/{odd}/{odd}/heartbeat/", None)]
    client = Client(
        headers={"Authorization": f"GenieKey {sender.key}"}, raise_request_exception=False
    )
    for method, path, body in tried:
        answer = client.generic(method, path, json.dumps(body), content_type="application/json")
        assert answer.status_code < 500, (method, path, str(body)[:80], answer.content)


@pytest.mark.django_db(transaction=True)
def test_the_official_client_works_unchanged(live_server: LiveServer) -> None:
    """Each call that it has for alerts and heartbeats, but for files and saved searches."""
    _integration, key = integration_of("opsgenie")
    settings = Configuration()
    settings.host, settings.api_key = live_server.url, {"Authorization": key}
    settings.retry_count = 0
    client = ApiClient(configuration=settings)
    client.rest_client.pool_manager = manager = urllib3.PoolManager(retries=False)
    kept = manager.connection_from_url(live_server.url)
    alerts, beats = AlertApi(client), HeartbeatApi(client)
    sdk: Any = opsgenie_sdk
    of = {"identifier": "queue/1", "identifier_type": "alias"}
    made = alerts.create_alert(
        sdk.CreateAlertPayload(
            message="Queue stuck",
            alias="queue/1",
            priority="P1",
            tags=["a"],
            details={"k": "v"},
        )
    )
    status = alerts.get_request_status(made.request_id).data
    assert (status.is_success, status.alias) == (True, "queue/1")
    shown = alerts.get_alert(**of).data
    assert (shown.message, shown.priority, shown.tags) == ("Queue stuck", "P1", ["a"])
    assert alerts.count_alerts(query="status:open").data.count == 1
    assert [one.alias for one in alerts.list_alerts(query="status:open").data] == ["queue/1"]
    for call, payload in (
        ("acknowledge_alert", sdk.AcknowledgeAlertPayload(note="On it", user="ada")),
        ("un_acknowledge_alert", sdk.UnAcknowledgeAlertPayload()),
        ("add_note", sdk.AddNoteToAlertPayload(note="Looking")),
        ("add_tags", sdk.AddTagsToAlertPayload(tags=["b"])),
        ("add_details", sdk.AddDetailsToAlertPayload(details={"z": "1"})),
        ("update_alert_message", sdk.UpdateAlertMessagePayload(message="Queue is stuck")),
        ("update_alert_description", sdk.UpdateAlertDescriptionPayload(description="x")),
        ("update_alert_priority", sdk.UpdateAlertPriorityPayload(priority="P2")),
    ):
        words = re.findall("[A-Z][a-z]*", type(payload).__name__)
        getattr(alerts, call)(**of, **{"_".join(words).lower(): payload})
    alerts.remove_tags(tags=["a"], **of)
    alerts.remove_details(keys=["k"], **of)
    shown = alerts.get_alert(**of).data
    assert (shown.message, shown.tags, shown.details) == ("Queue is stuck", ["b"], {"z": "1"})
    assert [note.note for note in alerts.list_notes(**of).data] == ["Looking", "On it"]
    assert len(alerts.list_logs(**of).data) >= 9
    assert alerts.list_recipients(**of).data == []
    alerts.close_alert(**of)
    assert alerts.get_alert(**of).data.status == "closed"
    with pytest.raises(ApiException):
        alerts.get_alert(identifier="4711")
    beats.create_heartbeat(
        sdk.CreateHeartbeatPayload(name="backup", interval=5, interval_unit="minutes", enabled=True)
    )
    beats.ping("backup")
    assert beats.get_heartbeat("backup").data.expired is False
    longer = sdk.UpdateHeartbeatPayload(interval=7)
    beats.update_heartbeat("backup", update_heartbeat_payload=longer)
    assert beats.disable_heartbeat("backup").data.enabled is False
    assert beats.enable_heartbeat("backup").data.enabled is True
    assert [one.name for one in beats.list_heart_beats().data.heartbeats] == ["backup"]
    beats.delete_heartbeat("backup")
    assert not Heartbeat.objects.exists()
    # One that is kept open holds a thread of the server, and that a session of the database.
    kept.close()
    until(lambda: sessions() == 1)


def sessions() -> int:
    """Return how many the database of the test has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        ((count,),) = cursor.fetchall()
    return int(count)
