"""`/api/v1/incidents/` and `/api/v1/silences/`: what programs do to incidents."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.scopes import Scope
from accounts.tests.cast import bearer, send, signed_in, token_of
from catalog.models import Service, Team
from core.models import AuditEntry
from incidents.models import Alert
from incidents.tests.oncall_portal import Portal, portal

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def api(portal: Portal) -> Client:
    return signed_in(Role.RESPONDER)


def test_an_incident_is_worked_by_the_api(portal: Portal, api: Client) -> None:
    said = {"title": "Nobody can pay", "severity": "P1", "service": "checkout"}
    made = send(api, "post", "incidents/", said, status=201)
    assert (made["status"], made["service"], made["response"]) == (
        "triggered", "checkout", "on_track",
    )  # fmt: skip
    portal.settle()
    where = f"incidents/{made['id']}/"
    assert [page["target"] for page in send(api, "get", where + "pages/", status=200)] == [
        "user:alice"
    ]
    send(api, "post", where + "escalate/", status=200)
    portal.settle()
    assert portal.paged() == [(0, "alice"), (0, "bob")]
    acked = send(api, "post", where + "acknowledge/", status=200)
    assert (acked["status"], acked["assigned_to"]) == ("acknowledged", "the-responder")
    send(api, "post", where + "note/", {"text": "Rolling back."}, status=200)
    send(api, "post", where + "assign/", {"to": "bob"}, status=200)
    until = (portal.now + timedelta(hours=1)).isoformat()
    assert send(api, "post", where + "snooze/", {"until": until}, status=200)["snoozed_until"]
    send(api, "post", where + "severity/", {"severity": "P0"}, status=200)
    done = send(api, "post", where + "resolve/", {"reason": "Rolled back."}, status=200)
    assert (done["status"], done["resolved_by"]) == ("resolved", "the-responder")
    acts = [entry["act"] for entry in send(api, "get", where + "timeline/", status=200)]
    assert acts == [
        "open", "call", "paged", "escalate", "call", "paged", "acknowledge", "note", "assign",
        "snooze", "severity", "resolve",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "body", "status", "says"),
    [
        ("reopen", {}, 409, "cannot be reopened"),
        ("snooze", {"until": "2020-01-01T00:00:00Z"}, 400, "later than now"),
        ("snooze", {}, 400, "required"),
        ("note", {"text": ""}, 400, "blank"),
        ("assign", {"to": "nobody"}, 400, "does not exist"),
        ("merge", {"into": 987654}, 400, "no such incident"),
        ("severity", {"severity": "P9"}, 400, "not a valid choice"),
        ("acknowledge", {"who": "me"}, 200, "acknowledged"),
        ("resolve", {"cause": "x"}, 400, "no such field"),
    ],
)
def test_what_is_wrong_is_said(
    portal: Portal, api: Client, action: str, body: dict[str, Any], status: int, says: str
) -> None:
    incident = portal.open_incident()
    answer = api.post(
        f"/api/v1/incidents/{incident.pk}/{action}/", body, content_type="application/json"
    )
    assert answer.status_code == status, answer.content
    assert says in answer.content.decode().lower()


def test_the_audit_names_the_token(portal: Portal) -> None:
    incident = portal.open_incident()
    token, secret = token_of(portal.people["alice"], Scope.READ, Scope.WRITE)
    path = f"/api/v1/incidents/{incident.pk}/acknowledge/"
    assert Client().post(path, headers=bearer(secret)).status_code == 200
    entry = AuditEntry.objects.filter(act="incident.acknowledged").get()
    assert entry.actor == token.audit_name
    _, reading = token_of(portal.people["bob"], Scope.READ)
    assert Client().post(path, headers=bearer(reading)).status_code == 403


def test_lists_filter_and_order(portal: Portal, api: Client) -> None:
    portal.open_incident("Checkout answers 500", severity="P0")
    portal.open_incident("Search is slow", severity="P2")

    def titles(query: str) -> list[str]:
        found = send(api, "get", f"incidents/?{query}", status=200)["results"]
        return [incident["title"] for incident in found]

    assert titles("") == ["Search is slow", "Checkout answers 500"]
    assert titles("severity=P0") == ["Checkout answers 500"]
    assert titles("status=resolved") == []
    assert titles("search=slow") == ["Search is slow"]
    assert titles("service=checkout&ordering=severity") == [
        "Checkout answers 500", "Search is slow",
    ]  # fmt: skip
    assert titles("opened_after=2026-03-03T00:00:00Z") == []
    send(api, "get", "incidents/?ordering=title", status=400)


def test_another_teams_private_incident_does_not_exist(portal: Portal, api: Client) -> None:
    incident = portal.open_incident()
    Service.objects.update(is_private=True, owner=Team.objects.create(slug="them", name="Them"))
    send(api, "get", f"incidents/{incident.pk}/", status=404)
    send(api, "post", f"incidents/{incident.pk}/resolve/", status=404)
    said = {"title": "x", "severity": "P1", "service": "checkout"}
    send(api, "post", "incidents/", said, status=400)


def silence(portal: Portal, **values: Any) -> dict[str, Any]:
    return {
        "service": "checkout",
        "starts_at": portal.now.isoformat(),
        "ends_at": (portal.now + timedelta(hours=2)).isoformat(),
        "comment": "Disks are exchanged.",
        **values,
    }


def test_a_silence_holds_back_and_then_calls_for_what_still_fires(
    portal: Portal, api: Client
) -> None:
    """Kept and shown meanwhile; people are called when it ends, not before, for what matches only."""
    matchers = [{"name": "title", "op": "=~", "value": "disk.*"}]
    made = send(api, "post", "silences/", silence(portal, matchers=matchers), status=201)
    assert portal.alert("disk") is None
    assert portal.alert("network") is not None
    held = Alert.objects.get(dedup_key="disk")
    assert (held.silenced_by_id, held.state) == (made["id"], "firing")
    assert [name for _, name in portal.paged()] == ["alice"]
    portal.fast_forward(hours=2)
    assert Alert.objects.get(dedup_key="disk").incident is not None
    assert (120, "alice") in portal.paged()


def test_a_silence_ended_early_calls_at_once(portal: Portal, api: Client) -> None:
    made = send(api, "post", "silences/", silence(portal), status=201)
    portal.alert("disk")
    send(api, "post", f"silences/{made['id']}/end/", status=200)
    portal.settle()
    assert [name for _, name in portal.paged()] == ["alice"]
    send(api, "post", f"silences/{made['id']}/end/", status=409)


def test_what_ended_under_a_silence_calls_nobody(portal: Portal, api: Client) -> None:
    send(api, "post", "silences/", silence(portal), status=201)
    portal.alert("disk")
    portal.alert("disk", firing=False)
    portal.fast_forward(hours=3)
    assert portal.paged() == []


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"service": None}, "silence everything"),
        ({"comment": "  "}, "blank"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "ends after it starts"),
        ({"matchers": [{"name": "a", "op": "=~", "value": "("}]}, "cannot be read"),
        ({"matchers": [{"name": "a", "op": "~", "value": ""}]}, "not a valid choice"),
    ],
)
def test_a_silence_that_cannot_be_is_refused(
    portal: Portal, api: Client, values: dict[str, Any], says: str
) -> None:
    answer = send(api, "post", "silences/", silence(portal, **values), status=400)
    assert says in str(answer)


def test_alerts_are_split_off_and_incidents_related(portal: Portal, api: Client) -> None:
    """Two of three alerts become an incident of their own; people are called for it."""
    first = portal.alert("one", group_key="disks")
    assert first is not None
    for key in ("two", "three"):
        portal.alert(key, group_key="disks", severity="P0" if key == "three" else "P2")
    alerts = list(Alert.objects.order_by("pk"))
    assert {alert.incident_id for alert in alerts} == {first.pk}
    where = f"incidents/{first.pk}/"
    send(api, "post", where + "split/", {"alerts": [a.pk for a in alerts]}, status=400)
    send(api, "post", where + "split/", {"alerts": [9_999_999]}, status=400)
    send(api, "post", where + "split/", {"alerts": []}, status=400)
    chosen = {"alerts": [alerts[1].pk, alerts[2].pk]}
    made = send(api, "post", where + "split/", chosen, status=201)
    assert (made["severity"], made["title"]) == ("P0", "three is wrong")
    assert Alert.objects.filter(incident=made["id"]).count() == 2
    portal.settle()
    assert len(portal.pages(incident=made["id"])) == 1
    other = portal.open_incident("another")
    send(api, "post", where + "relate/", {"to": other.pk}, status=200)
    assert set(first.related.all()) == {other, first.related.get(pk=made["id"])}
    send(api, "post", where + "unrelate/", {"to": other.pk}, status=200)
    assert first.related.count() == 1
    send(api, "post", where + "relate/", {"to": first.pk}, status=409)
    send(api, "post", where + "relate/", {"to": 9_999_999}, status=400)
