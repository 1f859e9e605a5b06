"""PagerDuty's own webhooks, version 3: its incidents are mirrored here."""

import copy
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core import clock
from incidents.domain.events import Act, AlertEvent, Reading
from incidents.domain.formats import pagerduty_webhooks
from incidents.domain.formats.context import Context
from incidents.domain.payloads import Unreadable
from incidents.domain.signatures import is_signed
from incidents.models import Alert, AlertLogEntry, InboundEvent, Incident
from incidents.services import lifecycle
from incidents.tests import bodies
from incidents.tests.senders import integration_of, post

SECRET = "subscription-secret"
BEGAN = datetime(2026, 3, 2, 12, tzinfo=UTC)
ALICE = {"id": "PALICE1", "type": "user_reference", "summary": "Alice Ames"}


def told(
    event_type: str, *, number: int = 1, data: dict[str, Any] | None = None, **changed: Any
) -> dict[str, Any]:
    """Return a webhook: the `number`th event of the incident, a minute after the one before."""
    body = copy.deepcopy(bodies.PAGERDUTY_WEBHOOK)
    at = BEGAN + timedelta(minutes=number)
    body["event"] |= {
        "id": f"event-{number}",
        "event_type": event_type,
        "occurred_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "agent": ALICE,
    }
    body["event"]["data"] = {**bodies.PAGERDUTY_INCIDENT, **changed} if data is None else data
    return body


def of_incident(kind: str, **said: Any) -> dict[str, Any]:
    """Return what belongs to the incident, as notes and answers of responders do."""
    summary = {"id": "Q1W2E3R4", "type": "incident_reference", "summary": "Disk of db-1 is full"}
    return {"type": kind, "id": "P0NOTE1", "incident": summary, **said}


def read(body: Any, **context: Any) -> Reading:
    return pagerduty_webhooks.read(body, Context("pagerduty", **context))


def one(body: Any, **context: Any) -> AlertEvent:
    (event,) = read(body, **context).events
    return event


def test_an_incident_that_opens_there_opens_here_with_what_is_known_of_it() -> None:
    event = one(bodies.PAGERDUTY_WEBHOOK)
    assert (event.act, event.dedup_key) == (Act.TRIGGER, "incident/Q1W2E3R4")
    assert event.title == "Disk of db-1 is full"
    assert (event.severity, event.pages) == ("P1", True)
    assert event.url == "https://shop.pagerduty.com/incidents/Q1W2E3R4"
    assert event.labels == {"service": "Shop", "team": "Storage", "urgency": "high"}
    assert event.at == BEGAN + timedelta(milliseconds=250)
    assert event.is_ordered
    assert event.actor == "Shop"
    assert event.facts["number"] == 512
    assert event.facts["incident_key"] == "disk-full"
    assert event.facts["priority"] == "P2"
    assert event.facts["assignees"] == ["Alice Ames"]
    assert event.facts["escalation_policy"] == "Shop by night"


@pytest.mark.parametrize(
    ("priority", "urgency", "expected"),
    [
        # Its priorities are called as ours are and begin with the worst at 1, as Opsgenie's.
        ("P1", "low", ("P0", True)),
        ("p3", "high", ("P2", True)),
        ("P5", "high", ("P3", True)),
        (None, "high", ("P2", True)),
        (None, "low", ("P3", True)),
        (None, None, ("P2", True)),
        # An account may call them as it likes; what nobody mapped leaves it to the urgency.
        ("SEV-1", "low", ("P3", True)),
    ],
)
def test_how_bad_it_is(
    priority: str | None, urgency: str | None, expected: tuple[str, bool]
) -> None:
    said = {"id": "P0", "summary": priority} if priority else None
    event = one(told("incident.triggered", priority=said, urgency=urgency))
    assert (event.severity, event.pages) == expected


def test_an_integration_may_have_its_own_words_for_how_bad_it_is() -> None:
    sev = told("incident.triggered", priority={"summary": "SEV-1"}, urgency="low")
    assert one(sev, severity_map={"sev-1": "P0"}).severity == "P0"
    assert not one(sev, severity_map={"low": "none"}).pages
    # Words of a mirror that calls nobody.
    quiet = {"p2": "none", "high": "none", "low": "none"}
    assert not one(bodies.PAGERDUTY_WEBHOOK, severity_map=quiet).pages


@pytest.mark.parametrize(
    ("event_type", "act"),
    [
        ("incident.triggered", Act.TRIGGER),
        ("incident.reopened", Act.TRIGGER),
        ("incident.acknowledged", Act.ACKNOWLEDGE),
        ("incident.unacknowledged", Act.UNACKNOWLEDGE),
        ("incident.resolved", Act.RESOLVE),
    ],
)
def test_what_is_done_there_is_done_here(event_type: str, act: Act) -> None:
    event = one(told(event_type))
    assert (event.act, event.dedup_key, event.actor) == (act, "incident/Q1W2E3R4", "Alice Ames")


BY_NAME = [
    ("escalated", {}, "Escalated to Alice Ames."),
    ("reassigned", {"assignees": [ALICE, {"summary": "Bob"}]}, "Reassigned to Alice Ames, Bob."),
    ("reassigned", {"assignees": []}, "Reassigned."),
    ("delegated", {}, "Delegated to Shop by night."),
    ("priority_updated", {}, "The priority is P2."),
    ("priority_updated", {"priority": None}, "It has no priority any more."),
    ("conference_bridge.updated", {}, "conference bridge updated"),
    ("something.new_that_they_added", {}, "something new that they added"),
]


@pytest.mark.parametrize(("name", "changed", "words"), BY_NAME)
def test_what_happens_to_it_there_is_noted(name: str, changed: dict[str, Any], words: str) -> None:
    event = one(told(f"incident.{name}", **changed))
    assert (event.act, event.detail) == (Act.NOTE, words)
    assert event.dedup_key == "incident/Q1W2E3R4"


BELONGING = [
    ("annotated", of_incident("incident_note", content="Cleaning up /var."), "Cleaning up /var."),
    (
        "status_update_published",
        of_incident("incident_status_update", message="Orders are slow."),
        "Status update: Orders are slow.",
    ),
    (
        "responder.added",
        of_incident("incident_responder", user=ALICE, message="Please help", state="pending"),
        "Alice Ames was asked to help: Please help",
    ),
    (
        "responder.replied",
        of_incident("incident_responder", user=ALICE, message="On my way", state="accepted"),
        "Alice Ames answered (accepted): On my way",
    ),
    (
        "responder.added",
        of_incident("incident_responder", escalation_policy={"summary": "Databases"}),
        "Databases was asked to help.",
    ),
]


@pytest.mark.parametrize(("name", "data", "words"), BELONGING)
def test_what_belongs_to_an_incident_is_noted_with_it(
    name: str, data: dict[str, Any], words: str
) -> None:
    event = one(told(f"incident.{name}", data=data))
    assert (event.act, event.detail) == (Act.NOTE, words)
    assert event.dedup_key == "incident/Q1W2E3R4"


def test_an_incident_that_was_merged_says_into_which() -> None:
    reason = {
        "type": "merge_resolve_reason_reference",
        "incident": {"id": "QOTHER1", "summary": "Storage is down"},
    }
    event = one(told("incident.resolved", status="resolved", resolve_reason=reason))
    assert (event.act, event.detail) == (Act.RESOLVE, "Merged into Storage is down.")


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("pagey.ping", {"message": "Hello from your friend Pagey!", "type": "ping"}),
        ("service.updated", {"id": "PSHOP01", "type": "service", "summary": "Shop"}),
        ("something.else", None),
    ],
)
def test_what_is_about_no_incident_is_understood_and_does_nothing(
    event_type: str, data: Any
) -> None:
    body = told(event_type)
    body["event"]["data"] = data
    reading = read(body)
    assert not reading.events
    assert reading.notes


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ([], "event: missing"),
        ({"messages": [{"event": "incident.trigger"}]}, "event: missing"),
        ({"routing_key": "x", "event_action": "trigger"}, "/v2/enqueue"),
        ({"event": {}}, "event.event_type: missing"),
        (told("incident.triggered", data={"type": "incident"}), "event.data.id: missing"),
        (told("incident.resolved", id=None), "event.data.id: missing"),
        (told("incident.annotated", data={"type": "incident_note"}), "event.data.incident.id"),
    ],
)
def test_what_cannot_be_understood_names_the_field(body: Any, complaint: str) -> None:
    with pytest.raises(Unreadable, match=complaint.replace(".", r"\.")):
        read(body)


def _signature(body: bytes, *secrets: str) -> str:
    return ",".join(
        f"v1={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}" for secret in secrets
    )


@pytest.mark.parametrize(
    ("signature", "holds"),
    [
        (_signature(b"body", SECRET), True),
        # While a secret is being replaced it signs with both.
        (_signature(b"body", "old", SECRET), True),
        (_signature(b"body", "old", SECRET).replace(",", ", "), True),
        (f"v2=abc,{_signature(b'body', SECRET)}", True),
        (_signature(b"body", "old"), False),
        (_signature(b"body ", SECRET), False),
        (_signature(b"body", SECRET).replace("v1=", "v2="), False),
        (_signature(b"body", SECRET).removeprefix("v1="), False),
        ("v1=", False),
        ("é,v1=ü", False),
        ("", False),
    ],
)
def test_a_signature(signature: str, holds: bool) -> None:
    headers = {"x-pagerduty-signature": signature} if signature else {}
    assert is_signed("pagerduty", SECRET, b"body", headers, now=clock.now()) is holds


def test_a_signature_that_pagerduty_would_send() -> None:
    """Made apart from this code: `openssl dgst -sha256 -hmac secret` over the body."""
    signature = "v1=dc46983557fea127b43af721467eb9b3fde2338fe3e14f51952aa8478c13d355"
    headers = {"x-pagerduty-signature": signature}
    assert is_signed("pagerduty", "secret", b"body", headers, now=clock.now())


class Subscription:
    """Sends signed webhooks to an integration, as a subscription of PagerDuty."""

    def __init__(self, **fields: Any) -> None:
        self.integration, key = integration_of("pagerduty", secret=SECRET, **fields)
        self._path = f"/integrations/v1/pagerduty/{key}/"

    def __call__(self, body: Any, *secrets: str) -> Any:
        raw = json.dumps(body).encode()
        signature = _signature(raw, *(secrets or (SECRET,)))
        return post(self._path, raw, **{"x-pagerduty-signature": signature})


@pytest.mark.django_db
@pytest.mark.both_databases
def test_an_incident_is_mirrored_from_its_beginning_to_its_end() -> None:
    send = Subscription()
    assert send(told("incident.triggered", number=1)).json()["accepted"] == 1
    alert, incident = Alert.objects.get(), Incident.objects.get()
    assert (incident.severity, incident.status) == ("P1", "triggered")
    assert send(told("incident.acknowledged", number=2)).json()["accepted"] == 1
    incident.refresh_from_db()
    alert.refresh_from_db()
    assert (incident.status, alert.acknowledged_by) == ("acknowledged", "Alice Ames")
    send(told("incident.unacknowledged", number=3))
    incident.refresh_from_db()
    assert incident.status == "triggered"
    note = of_incident("incident_note", content="Cleaning up /var.")
    assert send(told("incident.annotated", number=4, data=note)).json()["accepted"] == 1
    worse = {"priority": {"summary": "P1"}}
    assert send(told("incident.priority_updated", number=5, **worse)).json()["accepted"] == 1
    incident.refresh_from_db()
    assert incident.severity == "P0"
    assert send(told("incident.resolved", number=6, status="resolved")).json()["accepted"] == 1
    incident.refresh_from_db()
    assert incident.status == "resolved"
    assert send(told("incident.reopened", number=7)).json()["accepted"] == 1
    assert Alert.objects.count() == 2
    said = list(alert.log.order_by("pk").values_list("kind", "text"))
    assert (AlertLogEntry.Kind.NOTE, "Cleaning up /var.") in said
    assert (AlertLogEntry.Kind.NOTE, "The priority is P1.") in said


@pytest.mark.django_db
@pytest.mark.both_databases
def test_a_webhook_that_comes_again_changes_nothing() -> None:
    """PagerDuty promises to send at least once."""
    send = Subscription()
    first = send(told("incident.triggered"))
    assert send(told("incident.triggered")).json() == first.json()
    assert Alert.objects.get().count == 1
    lifecycle.resolve(Incident.objects.get().pk, now=clock.now(), actor="alice")
    assert send(told("incident.triggered")).json() == first.json()
    assert (Incident.objects.count(), InboundEvent.objects.count()) == (1, 1)


@pytest.mark.django_db
@pytest.mark.both_databases
def test_without_a_secret_what_is_older_than_the_end_opens_nothing() -> None:
    _integration, key = integration_of("pagerduty")
    path = f"/integrations/v1/pagerduty/{key}/"
    for name, number in (("triggered", 1), ("resolved", 2), ("triggered", 1)):
        answer = post(path, told(f"incident.{name}", number=number))
        assert answer.status_code == 200
    assert Alert.objects.get().state == Alert.State.RESOLVED
    assert InboundEvent.objects.count() == 3


@pytest.mark.django_db
@pytest.mark.both_databases
def test_an_end_that_overtakes_its_beginning_keeps_it_from_calling() -> None:
    send = Subscription()
    send(told("incident.resolved", number=2, status="resolved"))
    assert send(told("incident.triggered", number=1)).json()["accepted"] == 0
    assert not Incident.objects.exists()
    assert Alert.objects.get().state == Alert.State.RESOLVED


@pytest.mark.django_db
@pytest.mark.both_databases
def test_a_forged_webhook_is_refused_and_kept_and_a_test_message_is_understood() -> None:
    send = Subscription()
    answer = send(told("incident.triggered"), "another")
    assert answer.status_code == 401
    assert answer.json()["message"].startswith("signature: ")
    assert InboundEvent.objects.get().state == InboundEvent.State.UNPARSED
    ping = told("pagey.ping", number=2, data={"message": "Hello", "type": "ping"})
    answer = send(ping)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 0)
    assert not Alert.objects.exists()
    # What is announced of an incident that is not known here opens none.
    assert send(told("incident.acknowledged", number=3)).json()["accepted"] == 0
    assert send(told("incident.escalated", number=4)).json()["accepted"] == 0
    assert not Incident.objects.exists()


@pytest.mark.django_db
@pytest.mark.both_databases
def test_the_secret_is_of_the_webhooks_alone() -> None:
    """The Events API has none: its key is all that its clients know."""
    _integration, key = integration_of("pagerduty", secret=SECRET)
    payload = {"summary": "Disk full", "source": "db-1", "severity": "error"}
    event = {"routing_key": key, "event_action": "trigger", "payload": payload}
    assert post("/v2/enqueue", event).status_code == 202
    assert post(f"/integrations/v1/pagerduty/{key}/", event).status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_keys_of_the_events_api_mean_no_mirrored_incident(action: str, version: str) -> None:
    """Whoever sends events with the same key names alerts of its own, whatever it calls them."""
    _, key = integration_of("pagerduty")
    assert post(f"/integrations/v1/pagerduty/{key}/", told("incident.triggered")).status_code == 200
    same = "incident/Q1W2E3R4"
    assert _event(version, key, action, same) == same
    (mirrored,) = Alert.objects.all()
    assert (mirrored.state, mirrored.acknowledged_at) == (Alert.State.FIRING, None)
    for name in (same, f"events/{same}", "incident"):
        assert _event(version, key, "trigger", name) == name
    assert Alert.objects.filter(state=Alert.State.FIRING).count() == 4
    for name in (same, f"events/{same}", "incident"):
        assert _event(version, key, "resolve", name) == name
    assert Alert.objects.get(state=Alert.State.FIRING) == mirrored


def _event(version: str, key: str, action: str, name: str) -> str:
    """Send an event by its API; return the key that is answered."""
    if version == "v1":
        body = {"service_key": key, "event_type": action, "incident_key": name, "description": "x"}
        return str(post("/generic/2010-04-15/create_event.json", body).json()["incident_key"])
    body = {**bodies.PAGERDUTY, "routing_key": key, "event_action": action, "dedup_key": name}
    return str(post("/v2/enqueue", body).json()["dedup_key"])
