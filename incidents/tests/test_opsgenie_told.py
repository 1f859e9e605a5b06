"""What Opsgenie's API tells of alerts is what is so, in the form that its clients read."""

from typing import Any

import pytest
from opsgenie_sdk import ApiClient, Configuration
from opsgenie_sdk.models import Alert as SdkAlert
from opsgenie_sdk.models import AlertRequestStatus

from incidents.models import Alert, Incident
from incidents.services import lifecycle
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.opsgenie_sender import Sender, sender

__all__ = ["portal", "sender"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def is_acknowledged(sender: Sender) -> bool:
    """Return what is told of the alert; searches tell the same."""
    told = bool(sender.shown()["acknowledged"])
    assert sender.found("acknowledged: true") == (["disk"] if told else [])
    assert sender.found("acknowledged: false") == ([] if told else ["disk"])
    return told


def test_it_is_acknowledged_while_people_work_on_its_incident(
    sender: Sender, portal: Portal
) -> None:
    incident = sender.create()
    assert not is_acknowledged(sender)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor="alice")
    assert is_acknowledged(sender)
    assert sender.shown()["owner"] == "alice"
    sender.do("unacknowledge", {})
    assert not is_acknowledged(sender)
    sender.do("acknowledge", {"user": "ada"})
    assert is_acknowledged(sender)
    lifecycle.unacknowledge(incident.pk, now=portal.now, actor="alice")
    assert not is_acknowledged(sender)
    assert sender.shown()["owner"] == ""
    lifecycle.mitigate(incident.pk, now=portal.now, actor="alice")
    assert is_acknowledged(sender)


def test_a_worse_one_that_withdraws_the_acknowledgement_says_so(
    sender: Sender, portal: Portal
) -> None:
    sender.create(priority="P4")
    sender.do("acknowledge", {})
    assert is_acknowledged(sender)
    sender.create(priority="P1")
    assert Incident.objects.get().status == "triggered"
    assert not is_acknowledged(sender)


def test_without_an_incident_what_the_sender_said_counts(sender: Sender, portal: Portal) -> None:
    sender.create()
    sender.do("acknowledge", {})
    sender.do("close", {})
    assert Alert.objects.get().state == "resolved"
    assert is_acknowledged_when_closed(sender)


def is_acknowledged_when_closed(sender: Sender) -> bool:
    found = sender.found("acknowledged: true")
    return found == ["disk"]


@pytest.mark.parametrize(
    ("responders", "told"),
    [
        ([{"name": "T", "type": "team"}], [{"id": "T", "type": "team", "name": "T"}]),
        (
            [{"username": "ada@example.org", "type": "user"}],
            [{"id": "ada@example.org", "type": "user", "username": "ada@example.org"}],
        ),
        ([{"id": "4513b7ea", "type": "schedule"}], [{"id": "4513b7ea", "type": "schedule"}]),
        (["critical", {"type": -1}, {"type": "team"}, {"id": "x", "type": "robot"}, None], []),
    ],
)
def test_whom_it_was_sent_to_is_told_with_an_id_and_a_type(
    sender: Sender, responders: Any, told: Any
) -> None:
    """As the official client insists: it breaks on the whole list else."""
    sender.create(responders=responders, tags=[1, None], actions=[{"a": 1}])
    shown = sender.shown()
    assert shown["responders"] == told
    assert shown["tags"] == ["1", ""]
    client = ApiClient(Configuration())
    read = client._ApiClient__deserialize(shown, SdkAlert)
    assert [each.id for each in read.responders] == [each["id"] for each in told]


def test_pages_of_notes_and_logs_lead_on(sender: Sender) -> None:
    """The newest come first, as clients expect that ask for one; an offset goes on from an entry."""
    sender.create(alias="a/b")
    of = "/v2/alerts/a%2Fb/notes?identifierType=alias"
    for number in range(5):
        sender.send("POST", of, {"note": f"{number}"})
    for order, wanted in (("desc", "43210"), ("asc", "01234")):
        page = sender.send("GET", f"{of}&order={order}&limit=2", status=200)
        first, seen = page["paging"]["first"], []
        while True:
            seen += [note["note"] for note in page["data"]]
            if "next" not in page["paging"]:
                break
            page = sender.follow(page["paging"]["next"])
        assert "".join(seen) == wanted
        last = page["data"][-1]["offset"]
        before = sender.send(
            "GET", f"{of}&order={order}&limit=2&direction=prev&offset={last}", status=200
        )
        assert "".join(note["note"] for note in before["data"]) == wanted[2:4]
        assert sender.follow(before["paging"]["next"])["data"][-1]["offset"] == last
        assert [note["note"] for note in sender.follow(first)["data"]] == [*wanted[:2]]
    logs = sender.send("GET", "/v2/alerts/a%2Fb/logs?identifierType=alias&limit=1", status=200)
    assert [entry["log"] for entry in logs["data"]] == ["4"]
    for odd in ("offset=x", "limit=0", "limit=many", "offset=1_"):
        sender.send("GET", f"{of}&{odd}", status=422)


def test_who_takes_something_away_says_so_in_the_address(sender: Sender) -> None:
    sender.create(tags=["a"], details={"host": "db-1"})
    for part in ("tags?tags=a", "details?keys=host"):
        sender.do(f"{part}&user=ada&note=Not%20so", method="DELETE")
    of = "?identifierType=alias"
    assert sender.notes(f"/v2/alerts/disk{of}") == ["Not so", "Not so"]
    sender.send("DELETE", f"/v2/alerts/disk{of}&user=ada&source=script")
    logs = sender.send("GET", f"/v2/alerts/disk/logs{of}&limit=3", status=200)["data"]
    assert [entry["owner"] for entry in logs] == ["ada", "ada", "ada"]
    assert sender.shown()["status"] == "closed"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/alerts/disk/attachments?identifierType=alias"),
        ("GET", "/v2/alerts/disk/attachments/?identifierType=alias"),
        ("DELETE", "/v2/alerts/disk/attachments/1?identifierType=alias"),
        ("POST", "/v2/alerts/saved-searches"),
        ("DELETE", "/v2/alerts/saved-searches/stale?identifierType=name"),
    ],
)
def test_what_is_not_kept_here_is_never_said_to_be_done(
    sender: Sender, method: str, path: str
) -> None:
    sender.create()
    said = sender.send(method, path, status=404)
    assert said["message"].startswith("There are no ")
    assert sender.shown()["status"] == "open"


ACTIONS = [
    ("POST", "acknowledge", {}, "Acknowledge"),
    ("POST", "unacknowledge", {}, "UnAcknowledge"),
    ("POST", "notes", {"note": "Looking."}, "AddNote"),
    ("POST", "tags", {"tags": ["a"]}, "AddTags"),
    ("DELETE", "tags?tags=a", None, "RemoveTags"),
    ("POST", "details", {"details": {"a": "b"}}, "AddDetails"),
    ("DELETE", "details?keys=a", None, "RemoveDetails"),
    ("PUT", "message", {"message": "Disk is full"}, "UpdateMessage"),
    ("POST", "actions/Restart", {}, "ExecuteCustomAction"),
    ("POST", "close", {}, "Close"),
]


@pytest.mark.parametrize(("method", "part", "body", "name"), ACTIONS)
def test_what_became_of_a_request_is_told_by_the_name_of_its_action(
    sender: Sender, method: str, part: str, body: Any, name: str
) -> None:
    """As the original calls it, and with the alert that it was done to."""
    sender.create(tags=["a"], details={"a": "b"})
    became = sender.do(part, body, method)
    assert (became["action"], became["isSuccess"]) == (name, True)
    assert became["alertId"] == sender.shown()["id"]
    read = ApiClient(Configuration())._ApiClient__deserialize(became, AlertRequestStatus)
    assert (read.action, read.is_success, read.alias) == (name, True, "disk")
    assert read.integration_id


def test_what_became_of_an_alert_that_was_sent_or_deleted_is_told(sender: Sender) -> None:
    """Also of one that could not be read, or does not exist."""
    said = {"message": "Disk full", "alias": "a/close"}
    became = sender.became_of(sender.send("POST", "/v2/alerts", said))
    assert (became["action"], became["status"]) == ("Create", "Created alert")
    became = sender.became_of(sender.send("POST", "/v2/alerts", said))
    assert (became["action"], became["status"], became["isSuccess"]) == (
        "Create",
        "Processed",
        True,
    )
    gone = "/v2/alerts/a%2Fclose%2Fb?identifierType=alias"
    became = sender.became_of(sender.send("DELETE", gone))
    assert (became["action"], became["status"]) == ("Delete", "Alert does not exist")
    refused = sender.send("POST", "/v2/alerts/", {"alias": "x"}, 422)
    became = sender.became_of(refused)
    assert (became["action"], became["isSuccess"]) == ("Create", False)
    assert became["status"] == "message: Message can not be empty."


def test_when_it_was_answered_and_ended_is_reported(sender: Sender, portal: Portal) -> None:
    """In milliseconds since it began, as the official clients read it."""
    sender.create(visibleTo=[{"name": "rocket_team", "type": "team"}])
    assert "report" not in sender.shown()
    portal.fast_forward(minutes=2)
    sender.do("acknowledge", {"user": "ada"})
    portal.fast_forward(minutes=3)
    sender.do("close", {})
    shown = sender.shown()
    read = ApiClient(Configuration())._ApiClient__deserialize(shown, SdkAlert)
    assert 120_000 <= read.report.ack_time < 300_000 <= read.report.close_time < 600_000
    assert read.report.acknowledged_by == "ada"
    assert read.integration.type == "API"
    assert Alert.objects.get().facts["visibleTo"] == [{"name": "rocket_team", "type": "team"}]
