"""Webhooks of other systems: stored before they are thanked, answered as their own product would."""

import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client

from core import clock
from core.models import AuditEntry
from incidents.models import Alert, AlertLogEntry, ChangeEvent, InboundEvent
from incidents.services import intake, integrations, receiving
from incidents.tests import bodies
from incidents.tests.senders import integration_of, post

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.mark.parametrize("kind", sorted(bodies.WEBHOOKS))
@pytest.mark.parametrize("slash", ["/", ""])
def test_a_webhook_is_stored_with_what_it_did(kind: str, slash: str) -> None:
    integration, key = integration_of(kind)
    answer = post(f"/integrations/v1/{kind}/{key}{slash}", bodies.WEBHOOKS[kind])
    assert answer.status_code == 200
    event = InboundEvent.objects.get()
    assert answer.json() == {"status": "ok", "event": str(event.uid), "accepted": 1, "remarks": []}
    assert json.loads(bytes(event.body)) == bodies.WEBHOOKS[kind]
    assert event.sha256 == hashlib.sha256(bytes(event.body)).hexdigest()
    assert (event.state, event.alerts) == ("parsed", 1)
    alert = Alert.objects.get()
    assert (alert.integration, alert.service, alert.source) == (
        integration,
        integration.service,
        kind,
    )
    assert (alert.state, alert.dedup_key) == ("firing", event.ext_id)
    assert key not in event.address
    assert alert.log.get().event == event
    assert AuditEntry.objects.filter(act="alert.opened").count() == 1


def _basic(name: str, password: str = "") -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    "carried",
    [
        lambda key: f"Bearer {key}",
        lambda key: f"Token {key}",
        lambda key: key,
        lambda key: _basic("sreportal", key),
        _basic,
    ],
)
@pytest.mark.parametrize("address", ["alertmanager", "alertmanager/"])
def test_the_key_may_stand_in_a_header(carried: Callable[[str], str], address: str) -> None:
    _integration, key = integration_of("alertmanager")
    answer = post(
        f"/integrations/v1/{address}", bodies.ALERTMANAGER, authorization=carried(key)
    )  # fmt: skip
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    assert key not in str(InboundEvent.objects.values())


@pytest.mark.parametrize("carried", [None, "Bearer nobodys", "Bearer", "Basic ?", _basic("", "")])
def test_without_a_key_nothing_is_taken(carried: str | None) -> None:
    integration_of("alertmanager")
    _other, key = integration_of("grafana")
    for header in ({} if carried is None else {"authorization": carried}, {"authorization": key}):
        answer = post("/integrations/v1/alertmanager/", bodies.ALERTMANAGER, **header)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["message"].startswith("Authorization: ")
    assert not InboundEvent.objects.exists()


def test_the_same_alert_counts_and_resolves_once() -> None:
    _integration, key = integration_of("alertmanager")
    path = f"/integrations/v1/alertmanager/{key}/"
    for _ in range(3):
        assert post(path, bodies.ALERTMANAGER).status_code == 200
    alert = Alert.objects.get()
    assert alert.count == 3
    ended = {
        **bodies.ALERTMANAGER,
        "alerts": [{**bodies.ALERTMANAGER["alerts"][0], "status": "resolved"}],
    }
    assert post(path, ended).json()["accepted"] == 1
    assert post(path, ended).json()["accepted"] == 0
    alert.refresh_from_db()
    assert alert.state == "resolved"
    kinds = list(alert.log.values_list("kind", flat=True))
    assert kinds == ["opened", "repeated", "repeated", "resolved"]
    post(path, bodies.ALERTMANAGER)
    assert Alert.objects.firing().count() == 1
    assert Alert.objects.count() == 2


def test_the_same_key_of_another_integration_is_another_alert() -> None:
    for _ in range(2):
        _integration, key = integration_of("generic")
        post(f"/integrations/v1/generic/{key}", bodies.GENERIC)
    assert Alert.objects.firing().count() == 2


@pytest.mark.parametrize("key", ["0" * 32, "nonsense", "0" * 64])
def test_an_unknown_key_is_told_nothing_and_stores_nothing(key: str) -> None:
    answer = post(f"/integrations/v1/generic/{key}/", bodies.GENERIC)
    assert answer.status_code == 404
    assert InboundEvent.objects.count() == 0


def test_a_key_opens_only_its_kind_and_only_while_enabled() -> None:
    integration, key = integration_of("generic")
    assert post(f"/integrations/v1/grafana/{key}/", bodies.GRAFANA).status_code == 404
    dashed = f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"
    assert post(f"/integrations/v1/generic/{dashed}", bodies.GENERIC).status_code == 200
    integrations.save_integration(
        integration, fields={"is_enabled": False}, actor="test", now=clock.now()
    )
    assert post(f"/integrations/v1/generic/{key}/", bodies.GENERIC).status_code == 404
    assert not AuditEntry.objects.filter(changes__icontains=key).exists()


def test_a_rotated_key_is_unknown() -> None:
    integration, key = integration_of("generic")
    fresh = integrations.rotate_key(integration, actor="test", now=clock.now())
    assert post(f"/integrations/v1/generic/{key}/", bodies.GENERIC).status_code == 404
    assert post(f"/integrations/v1/generic/{fresh}/", bodies.GENERIC).status_code == 200


@pytest.mark.parametrize(
    "body", [b"{", b"", b"\xff\xff", b"[" * 50_000, b'{"alerts": 7}', b"null", b'"words"']
)
def test_rubbish_of_a_known_key_is_kept_in_the_inbox(body: bytes) -> None:
    _integration, key = integration_of("alertmanager")
    answer = post(f"/integrations/v1/alertmanager/{key}/", body)
    assert answer.status_code == 400
    event = InboundEvent.objects.get()
    assert bytes(event.body) == body
    assert event.state == "unparsed"
    assert event.problem == answer.json()["message"] != ""


def test_one_poison_alert_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be stored is undone by itself, named and shown."""
    _integration, key = integration_of("alertmanager")
    alerts = [
        {"status": "firing", "labels": {"alertname": name}, "fingerprint": name}
        for name in ("a", "poison", "z")
    ]
    take_all = intake.take_all

    def failing(signals: Any, acts: Any, **given: Any) -> Any:
        found = take_all(signals, acts, **given)
        if any(signal.dedup_key == "poison" for signal in signals):
            raise ValueError("poison")
        return found

    monkeypatch.setattr(intake, "take_all", failing)
    answer = post(f"/integrations/v1/alertmanager/{key}/", {"alerts": alerts})
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2
    assert set(Alert.objects.values_list("dedup_key", flat=True)) == {"a", "z"}
    event = InboundEvent.objects.get()
    assert event.state == "partly"
    assert "poison" in event.problem


def test_too_large_and_wrong_method() -> None:
    _integration, key = integration_of("generic")
    path = f"/integrations/v1/generic/{key}/"
    assert post(path, b"x" * (512 * 1024 + 1)).status_code == 413
    assert Client().get(path).status_code == 405
    fits = json.dumps({"title": "x" * (512 * 1024 - 20)}).encode()
    assert post(path, fits).status_code == 200
    assert len(Alert.objects.get().title) == 300


def packed(path: str, body: bytes, encoding: str = "gzip", **headers: str) -> Any:
    """Send what was packed for the way."""
    return Client().post(
        path, body, "application/json", headers={"Content-Encoding": encoding, **headers}
    )


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_bodies_that_were_packed_for_the_way_are_unpacked(encoding: str) -> None:
    _integration, key = integration_of("alertmanager")
    plain = json.dumps(bodies.ALERTMANAGER).encode()
    answer = packed(f"/integrations/v1/alertmanager/{key}/", gzip.compress(plain), encoding)
    assert (answer.status_code, json.loads(answer.content)["accepted"]) == (200, 1)
    assert bytes(InboundEvent.objects.get().body) == plain


def test_packed_bodies_reach_the_other_addresses() -> None:
    _integration, key = integration_of("pagerduty")
    event = {
        "routing_key": key, "event_action": "trigger",
        "payload": {"summary": "s", "source": "s", "severity": "critical"},
    }  # fmt: skip
    assert packed("/v2/enqueue", gzip.compress(json.dumps(event).encode())).status_code == 202
    _integration, key = integration_of("opsgenie")
    said = gzip.compress(b'{"message": "m"}')
    assert packed("/v2/alerts", said, Authorization=f"GenieKey {key}").status_code == 202
    assert Alert.objects.count() == 2


def test_what_does_not_unpack_is_kept_and_what_unpacks_to_too_much_is_refused() -> None:
    _integration, key = integration_of("alertmanager")
    path = f"/integrations/v1/alertmanager/{key}/"
    cut = gzip.compress(json.dumps(bodies.ALERTMANAGER).encode())[:-9]
    assert packed(path, cut).status_code == 400
    event = InboundEvent.objects.get()
    assert (event.state, bytes(event.body)) == ("unparsed", cut)
    assert packed(path, gzip.compress(b" " * 600_000)).status_code == 413
    newest = InboundEvent.objects.first()
    assert newest is not None
    assert bytes(newest.body) == b" " * 512 * 1024


def test_a_database_that_does_not_answer_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    _integration, key = integration_of("generic")

    def down(*_args: object, **_kwargs: object) -> None:
        raise DatabaseError("down: password=hunter2")

    monkeypatch.setattr(receiving, "look_ahead", down)
    answer = post(f"/integrations/v1/generic/{key}/", bodies.GENERIC)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert b"hunter2" not in answer.content
    assert Alert.objects.count() == 0


def test_forms_are_read_as_json_is() -> None:
    _integration, key = integration_of("generic")
    form = b"summary=Disk&details=full&dedup=d"
    assert (
        post(
            f"/integrations/v1/generic/{key}", form, "application/x-www-form-urlencoded"
        ).status_code
        == 200
    )
    assert Alert.objects.get().dedup_key == "d"


def test_signatures_are_checked_where_a_secret_is_set() -> None:
    _integration, key = integration_of(
        "generic", secret="whsec_" + base64.b64encode(b"s" * 24).decode()
    )
    body = json.dumps(bodies.GENERIC).encode()
    path = f"/integrations/v1/generic/{key}/"

    def signed(at: int, secret: bytes = b"s" * 24) -> dict[str, str]:
        digest = hmac.digest(secret, f"msg_1.{at}.".encode() + body, "sha256")
        signature = f"v1,AAAA v1,{base64.b64encode(digest).decode()}"
        return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": signature}

    now = int(clock.now().timestamp())
    assert post(path, body, **signed(now)).status_code == 200
    assert post(path, body).status_code == 401
    assert post(path, body, **signed(now - 400)).status_code == 401
    assert post(path, body, **signed(now, b"other")).status_code == 401
    assert InboundEvent.objects.filter(state="unparsed").count() == 3


def test_sentry_signs_in_hexadecimal() -> None:
    _integration, key = integration_of("sentry", secret="client secret")
    body = json.dumps(bodies.SENTRY_EVENT).encode()
    digest = hmac.new(b"client secret", body, hashlib.sha256).hexdigest()
    path = f"/integrations/v1/sentry/{key}/"
    headers = {"Sentry-Hook-Resource": "event_alert"}
    assert post(path, body, **headers, **{"Sentry-Hook-Signature": digest}).status_code == 200
    assert post(path, body, **headers, **{"Sentry-Hook-Signature": "0" * 64}).status_code == 401


def test_grafana_signs_with_and_without_the_time() -> None:
    _integration, key = integration_of("grafana", secret="shared")
    body = json.dumps(bodies.GRAFANA).encode()
    path = f"/integrations/v1/grafana/{key}/"

    def signed(before: bytes, **headers: str) -> int:
        digest = hmac.new(b"shared", before + body, hashlib.sha256).hexdigest()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = post(path, body, **{"X-Grafana-Alerting-Signature": digest}, **named)
        return int(answer.status_code)

    now = int(clock.now().timestamp())
    stamp = "X_Grafana_Alerting_Timestamp"
    assert signed(b"") == 200
    assert signed(f"{now}:".encode(), **{stamp: str(now)}) == 200
    assert signed(f"{now}:".encode()) == 401, "the time was taken away"
    assert signed(b"", **{stamp: str(now)}) == 401, "the time was not signed"
    assert signed(f"{now - 400}:".encode(), **{stamp: str(now - 400)}) == 401, "replayed"
    assert signed(b"soon:", **{stamp: "soon"}) == 401


def test_pagerduty_v2_triggers_acknowledges_and_resolves() -> None:
    _integration, key = integration_of("pagerduty")
    body = {**bodies.PAGERDUTY, "routing_key": key}
    answer = post("/v2/enqueue", body)
    assert answer.status_code == 202
    assert answer.json() == {
        "status": "success",
        "message": "Event processed",
        "dedup_key": "db-1/disk",
    }
    short = {"routing_key": key, "dedup_key": "db-1/disk"}
    assert post("/v2/enqueue", {**short, "event_action": "acknowledge"}).status_code == 202
    alert = Alert.objects.get()
    assert alert.acknowledged_at is not None
    assert post("/v2/enqueue/", {**short, "event_action": "resolve"}).status_code == 202
    assert post("/v2/enqueue", {**short, "event_action": "resolve"}).status_code == 202
    alert.refresh_from_db()
    assert alert.state == "resolved"
    unnamed = {name: value for name, value in body.items() if name != "dedup_key"}
    made = post("/v2/enqueue", unnamed).json()["dedup_key"]
    assert Alert.objects.firing().get().dedup_key == made


def test_pagerduty_complains_in_its_own_words() -> None:
    _integration, key = integration_of("pagerduty")
    answer = post("/v2/enqueue", {"routing_key": key, "event_action": "trigger"})
    assert answer.status_code == 400
    assert answer.json() == {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": ["'payload' is missing or blank"],
    }
    assert InboundEvent.objects.get().state == "unparsed"
    for wrong, errors in (
        ({}, ["'routing_key' is missing or blank"]),
        ({"routing_key": "x"}, ["Length of 'routing_key' is incorrect (should be 32 characters)"]),
        ({"routing_key": "0" * 32}, ["'routing_key' is not known here"]),
    ):
        assert post("/v2/enqueue", wrong).json()["errors"] == errors
    for broken in (b"{", b"[]", b"7", b"\xff"):
        answer = post("/v2/enqueue", broken)
        assert (answer.status_code, answer.json()["errors"]) == (400, ["JSON parse error"])


def test_pagerduty_v1_and_changes() -> None:
    _integration, key = integration_of("pagerduty")
    v1 = {"service_key": key, "event_type": "trigger", "incident_key": "k", "description": "Down"}
    # PagerDuty's own older client puts a slash at the end of everything.
    for path in ("/generic/2010-04-15/create_event.json", "/generic/2010-04-15/create_event.json/"):
        answer = post(path, v1)
        assert (answer.status_code, answer.json()["incident_key"]) == (200, "k")
    change = {"routing_key": key, "payload": {"summary": "Deploy 42", "source": "ci"}}
    assert post("/v2/change/enqueue", change).status_code == 202
    assert ChangeEvent.objects.get().summary == "Deploy 42"
    assert Alert.objects.count() == 1


def opsgenie(key: str, path: str, body: object = None, method: str = "post") -> Any:
    client = Client(raise_request_exception=False)
    data = b"" if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"GenieKey {key}"}
    return getattr(client, method)(path, data, content_type="application/json", headers=headers)


def test_opsgenie_creates_acts_and_tells() -> None:
    _integration, key = integration_of("opsgenie")
    answer = opsgenie(key, "/v2/alerts", bodies.OPSGENIE)
    assert answer.status_code == 202
    assert answer.json()["result"] == "Request will be processed"
    status = opsgenie(key, f"/v2/alerts/requests/{answer.json()['requestId']}", method="get").json()
    assert status["data"]["success"] is True
    alert = Alert.objects.get()
    assert status["data"]["alertId"] == str(alert.pk)
    # An alias may hold slashes; senders encode it.
    alias = "/v2/alerts/queue%2F1"
    assert (
        opsgenie(key, f"{alias}/acknowledge?identifierType=alias", {"user": "ada"}).status_code
        == 202
    )
    assert (
        opsgenie(key, f"{alias}/notes?identifierType=alias", {"note": "looking"}).status_code == 202
    )
    renamed = {"message": "Queue is stuck for good"}
    assert opsgenie(key, f"{alias}/message?identifierType=alias", renamed, "put").status_code == 202
    shown = opsgenie(key, f"/v2/alerts/{alert.pk}", method="get").json()["data"]
    assert (shown["acknowledged"], shown["owner"], shown["status"]) == (True, "ada", "open")
    assert shown["message"] == "Queue is stuck for good"
    assert opsgenie(key, f"/v2/alerts/{alert.pk}/close", {}).status_code == 202
    alert.refresh_from_db()
    assert alert.state == "resolved"
    kinds = list(AlertLogEntry.objects.values_list("kind", flat=True))
    assert kinds == ["opened", "acknowledged", "note", "note", "resolved"]


def test_opsgenie_complains_in_its_own_way() -> None:
    _integration, key = integration_of("opsgenie")
    answer = opsgenie(key, "/v2/alerts", {"priority": "P9"})
    assert answer.status_code == 422
    assert set(answer.json()["errors"]) == {"message", "priority"}
    assert opsgenie("0" * 32, "/v2/alerts", bodies.OPSGENIE).status_code == 401
    assert opsgenie(key, "/v2/alerts/4711/close", {}).status_code == 404
    assert opsgenie(key, "/v2/alerts/4711", method="get").status_code == 404
    assert opsgenie(key, "/v2/alerts/none/close?identifierType=alias", {}).status_code == 202
    assert (
        Client().post(f"/v2/alerts?apiKey={key}", b"[", content_type="application/json").status_code
        == 400
    )


def test_receipts_are_shown_to_sql_readers() -> None:
    _integration, key = integration_of("pagerduty")
    post("/v2/enqueue", {**bodies.PAGERDUTY, "routing_key": key})
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, ext_id, received_at FROM ev_receipt")
        ((number, ext_id, at),) = cursor.fetchall()
    assert (number, ext_id) == (InboundEvent.objects.get().pk, "db-1/disk")
    assert at is not None


def test_a_base_address_that_ends_with_a_slash_leads_here_too() -> None:
    """Clients put their own path after what they were given: `https://sre.example.org/` + `/v2/alerts`."""
    portal = "http://testserver"
    _integration, key = integration_of("opsgenie")
    _integration, other = integration_of("pagerduty")
    created = opsgenie(key, f"{portal}//v2/alerts", bodies.OPSGENIE)
    assert created.status_code == 202
    closed = opsgenie(key, f"{portal}//v2/alerts/queue%2F1/close?identifierType=alias", {})
    assert closed.status_code == 202
    for answer, action in ((created, "Create"), (closed, "Close")):
        request = f"{portal}//v2/alerts/requests/{answer.json()['requestId']}"
        became = opsgenie(key, request, method="get").json()["data"]
        assert (became["action"], became["isSuccess"]) == (action, True)
    assert opsgenie(key, f"{portal}//v2/heartbeats/backup/ping").status_code == 202
    assert (
        post(f"{portal}//v2/enqueue", {**bodies.PAGERDUTY, "routing_key": other}).status_code == 202
    )
    v1 = {"service_key": other, "event_type": "trigger", "description": "Disk full"}
    assert post(f"{portal}//generic/2010-04-15/create_event.json", v1).status_code == 200
    assert opsgenie(key, f"{portal}///v2/alerts", bodies.OPSGENIE).status_code == 404
