"""The shortcut of `incidents.middleware` answers as the routes behind it do."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings
from django.urls import resolve

from incidents.middleware import STARTS
from incidents.models import Alert, AlertLogEntry, InboundEvent, Incident, Integration
from incidents.tests.senders import integration_of, post

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SHORTCUT = "incidents.middleware.IntakeMiddleware"
LONG_WAY = override_settings(MIDDLEWARE=[m for m in settings.MIDDLEWARE if m != SHORTCUT])
NEW_EACH_TIME = re.compile(rb"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
EVENT = {"event_action": "trigger", "dedup_key": "disk",
         "payload": {"summary": "Full", "source": "a", "severity": "critical"}}  # fmt: skip
LONG = b"{" + b" " * 600_000 + b"}"
# Status, kind of the integration, address, body; KEY stands for the key.
CASES: list[tuple[int, str, str, Any]] = [
    (202, "pagerduty", "/v2/enqueue", EVENT | {"routing_key": "KEY"}),
    (202, "pagerduty", "/v2/enqueue/", {"routing_key": "KEY", "event_action": "resolve",
                                        "dedup_key": "disk"}),
    (400, "pagerduty", "/v2/enqueue", EVENT),
    (400, "pagerduty", "/v2/enqueue", EVENT | {"routing_key": "0" * 32}),
    (400, "pagerduty", "/v2/enqueue", {"routing_key": "KEY", "event_action": "trigger"}),
    (400, "pagerduty", "/v2/enqueue", b"{"),
    (413, "pagerduty", "/v2/enqueue", LONG),
    (200, "pagerduty", "/generic/2010-04-15/create_event.json",
     {"service_key": "KEY", "event_type": "trigger", "description": "Full"}),
    (200, "generic", "/integrations/v1/generic/KEY/", {"title": "Full", "dedup_key": "disk"}),
    (200, "generic", "/integrations/v1/generic/KEY", {"title": "Full"}),
    (400, "generic", "/integrations/v1/generic/KEY/", b"{"),
    (404, "generic", f"/integrations/v1/generic/{'0' * 32}/", {"title": "Full"}),
    (404, "generic", "/integrations/v1/sentry/KEY/", {"title": "Full"}),
    (413, "generic", "/integrations/v1/generic/KEY/", LONG),
    (401, "generic", "/integrations/v1/slack/actions", {}),
    (202, "opsgenie", "/v2/alerts", {"message": "Full", "alias": "disk"}),
    (422, "opsgenie", "/v2/alerts", {"alias": "disk"}),
    (202, "opsgenie", "/v2/alerts/disk/close?identifierType=alias", {}),
    (404, "generic", "/integrations/v1/generic/no/such/", {}),
]  # fmt: skip


def sent(kind: str, address: str, body: Any, key: str) -> Any:
    if isinstance(body, dict):
        body = {name: key if value == "KEY" else value for name, value in body.items()}
    headers = {"Authorization": f"GenieKey {key}"} if kind == "opsgenie" else {}
    return post(address.replace("KEY", key), body, **headers)


def stored(integration: Integration) -> list[Any]:
    own = {"integration": integration}
    alerts = Alert.objects.filter(**own).order_by("pk")
    return [
        *InboundEvent.objects.filter(**own).values_list("address", "state", "alerts", "problem"),
        *alerts.values_list("title", "state", "count", "facts", "incident__status"),
        *AlertLogEntry.objects.filter(alert__in=alerts).values_list("kind", "actor", "text"),
        *Incident.objects.filter(**own).values_list("title", "status", "severity"),
    ]


@pytest.mark.parametrize(("status", "kind", "address", "body"), CASES)
def test_both_ways_say_and_store_the_same(status: int, kind: str, address: str, body: Any) -> None:
    one, key_of_one = integration_of(kind, name="by routes")
    other, key_of_other = integration_of(kind, name="by the shortcut")
    with LONG_WAY:
        long = sent(kind, address, body, key_of_one)
    short = sent(kind, address, body, key_of_other)
    assert (long.status_code, short.status_code) == (status, status)
    if status != 404 or short["Content-Type"] == "application/json":
        hidden = [NEW_EACH_TIME.sub(b"", answer.content) for answer in (long, short)]
        assert hidden[0] == hidden[1]
    assert short["Content-Type"] == long["Content-Type"]
    assert stored(other) == stored(one)
    assert "X-Request-ID" in short.headers


def test_a_wrong_host_is_refused_either_way() -> None:
    _integration, key = integration_of("generic")
    address = f"/integrations/v1/generic/{key}/"
    for way in (LONG_WAY, override_settings()):
        with way:
            refused = post(address, {"title": "x"}, Host="evil.example.org")
            assert refused.status_code == 400
            assert b"evil" not in refused.content
    assert not InboundEvent.objects.exists()


def test_answers_may_load_nothing_and_belong_in_no_frame() -> None:
    _integration, key = integration_of("generic")
    answer = post(f"/integrations/v1/generic/{key}/", {"title": "x"})
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer["X-Frame-Options"] == "DENY"
    assert int(answer["Content-Length"]) == len(answer.content)


@pytest.mark.parametrize("start", STARTS)
def test_shortcuts_are_routes_that_a_key_opens(start: str) -> None:
    tails = {"/integrations/v1/": "generic/0123/", "/generic/2010-04-15/": "create_event.json"}
    view: Any = resolve(start + tails.get(start, "")).func
    assert view.access.role is None
    assert view.csrf_exempt
