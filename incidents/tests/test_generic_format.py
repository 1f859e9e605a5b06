"""Any JSON: what ends by its key alone, the sender's clock, and expressions with odd values."""

from typing import Any

import pytest

from incidents.domain.formats.generic import check_mapping
from incidents.models import Alert, InboundEvent, Integration
from incidents.tests.senders import integration_of, post

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

CURL = "application/x-www-form-urlencoded"


def send(key: str, body: object, content_type: str = "application/json") -> Any:
    """Send a body to an integration of any JSON."""
    return post(f"/integrations/v1/generic/{key}/", body, content_type)


def test_an_end_needs_no_title_where_a_key_says_of_what() -> None:
    """As Grafana OnCall's formatted webhook ends an alert."""
    _integration, key = integration_of("generic")
    send(key, {"alert_uid": "u1", "title": "Disk is full", "state": "alerting"})
    assert send(key, {"alert_uid": "u1", "state": "ok"}).json()["accepted"] == 1
    alert = Alert.objects.get()
    assert (alert.state, alert.title) == ("resolved", "Disk is full")
    assert send(key, {"alert_uid": "u2", "state": "ok"}).json()["accepted"] == 0
    assert send(key, {"state": "ok"}).status_code == 400
    assert send(key, {"alert_uid": "u1", "state": "alerting"}).status_code == 400


@pytest.mark.parametrize("kind", ["generic", "alertmanager"])
def test_what_curl_sends_without_a_type_is_json(kind: str) -> None:
    _integration, key = integration_of(kind)
    body = b'{"title": "x", "alerts": [{"labels": {"alertname": "A&B=C"}}]}'
    answer = post(f"/integrations/v1/{kind}/{key}/", body, CURL)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)


def test_a_clock_that_is_mapped_orders_the_events_of_an_alert() -> None:
    _integration, key = integration_of("generic", mapping={"at": "when"})

    def tell(state: str, minute: int) -> int:
        at = f"2026-03-02T12:{minute:02}:00Z"
        return int(send(key, {"title": "x", "state": state, "when": at}).json()["accepted"])

    assert tell("firing", 5) == 1
    assert tell("ok", 4) == 0, "an end before the beginning"
    assert tell("ok", 6) == 1
    assert tell("firing", 5) == 0, "delivered late"
    assert tell("firing", 7) == 1
    assert not Alert.objects.firing().exclude(sender_at__minute=7).exists()


def test_a_clock_that_is_guessed_orders_nothing() -> None:
    """`time` is when it began, with many senders."""
    _integration, key = integration_of("generic")
    said = {"title": "x", "time": "2026-03-02T12:05:00Z"}
    send(key, {**said, "state": "firing"})
    assert (
        send(key, {**said, "state": "ok", "time": "2026-03-02T12:00:00Z"}).json()["accepted"] == 1
    )
    assert Alert.objects.get().state == "resolved"


ODD = [r'`"\ud800"`', r'`"a\u0000b"`', r'{"\u0000": a}', r'[`"x"`, `"\udfff"`]', "`NaN`"]


@pytest.mark.parametrize("expression", ODD)
def test_a_mapping_with_a_value_that_cannot_be_kept_is_refused(expression: str) -> None:
    wrong = check_mapping({"title": "a", "labels": expression})
    assert wrong == {"labels": "Has a value that cannot be kept."}


@pytest.mark.parametrize("expression", ODD)
def test_such_a_mapping_of_old_loses_no_body(expression: str) -> None:
    integration, key = integration_of("generic", mapping={"title": "a"})
    old = {
        "title": "t",
        "dedup_key": "t",
        "detail": expression,
        "labels": "{x: " + expression + "}",
    }
    Integration.objects.filter(pk=integration.pk).update(mapping=old)
    assert send(key, {"t": "Full", "a": 1}).json()["accepted"] == 1
    assert InboundEvent.objects.get().state == "parsed"
