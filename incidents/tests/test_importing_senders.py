"""`manage.py import_oncall` keeps the keys of senders: who comes from elsewhere changes a base URL.

Each test imports what a tool exports, then sends to its own path with its own key, and looks at whom
the incident would call.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from catalog.models import Service
from core.models import AuditEntry
from incidents.models import Alert, EscalationRun, Heartbeat, InboundEvent, Integration
from incidents.tests import bodies
from incidents.tests.senders import post
from oncall.models import EscalationPolicy, ServicePolicy
from oncall.tests import test_importing as exports

pytestmark = pytest.mark.django_db
TOKEN = "mReAoNwDm0eMwKo1mTeTwYo7"
LINK = "https://oncall.example.org/integrations/v1/{}/{}/"
PD_KEY = "R03E1F2A3B4C5D6E7F8A9B0C1D2E3F4A"
GENIE = "eb243592-faa2-4ba2-a551-1afdf565c889"


@pytest.fixture(autouse=True)
def people() -> None:
    for name in ("alice", "bob"):
        User.objects.create_user(name, f"{name}@example.org", role=Role.RESPONDER)


@pytest.fixture
def carry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that imports a document and returns what became of its senders."""

    def carried(source: str, document: object, *options: str) -> dict[str, Any]:
        path = tmp_path / "export.json"
        path.write_text(json.dumps(document))
        with suppress(SystemExit):
            call_command("import_oncall", source, str(path), "--json", *options)
        items = json.loads(capsys.readouterr().out)["items"]
        return {item["name"]: item for item in items if item["kind"] == "integration"}

    return carried


def called_by() -> str:
    """Return the policy by which the newest incident calls."""
    return EscalationRun.objects.latest("pk").policy_name


def grafana(*integrations: dict[str, Any]) -> dict[str, Any]:
    """Return an export of Grafana OnCall with these integrations."""
    return {**exports.GRAFANA, "integrations": list(integrations)}


def of_grafana(word: str, token: str = TOKEN, **more: Any) -> dict[str, Any]:
    """Return an integration as Grafana OnCall lists one."""
    return {
        "id": f"C{word}", "name": f"Web {word}", "type": word, "link": LINK.format(word, token),
        "default_route": {"id": "R1", "escalation_chain_id": "F1"}, **more,
    }  # fmt: skip


def test_grafana_oncalls_addresses_work_on(carry: Any) -> None:
    document = grafana(of_grafana("alertmanager"))
    planned = carry("grafana-oncall", document, "--dry-run")
    assert planned["Web alertmanager"]["action"] == "create"
    assert not Integration.objects.exists()
    assert carry("grafana-oncall", document)["Web alertmanager"]["action"] == "create"
    answer = post(f"/integrations/v1/alertmanager/{TOKEN}/", bodies.WEBHOOKS["alertmanager"])
    assert (answer.status_code, answer.json()["accepted"] > 0) == (200, True)
    assert Alert.objects.latest("pk").service == Service.objects.get(slug="web-alertmanager")
    assert called_by() == "Search"
    assert carry("grafana-oncall", document)["Web alertmanager"]["action"] == "same"
    assert Integration.objects.count() == 1
    assert TOKEN not in InboundEvent.objects.get().address
    assert TOKEN not in str(list(AuditEntry.objects.values_list("changes", flat=True)))


@pytest.mark.parametrize(
    ("word", "body"),
    [
        ("grafana_alerting", "grafana"), ("formatted_webhook", "generic"), ("webhook", "generic"),
        ("sentry_platform", "sentry"), ("legacy_alertmanager", "alertmanager"), ("zabbix", "generic"),
    ],
)  # fmt: skip
def test_kinds_keep_their_path(carry: Any, word: str, body: str) -> None:
    found = carry("grafana-oncall", grafana(of_grafana(word)))[f"Web {word}"]
    assert bool(found["lost"]) is (word == "zabbix")
    for path in (word, body):
        answer = post(f"/integrations/v1/{path}/{TOKEN}/", bodies.WEBHOOKS[body])
        assert answer.status_code == 200, answer.content
    assert post(f"/integrations/v1/pagerduty/{TOKEN}/", {}).status_code == 404
    beat = Client().get(f"/integrations/v1/{word}/{TOKEN}/heartbeat/")
    assert (beat.status_code, Heartbeat.objects.get().name) == (200, f"Web {word}")


def test_what_is_no_webhook_or_goes_elsewhere_is_said(carry: Any) -> None:
    routed = of_grafana("grafana", routes=[{"id": "R2", "escalation_chain_id": "F1"}])
    other = of_grafana("webhook", "0" * 20, default_route={"escalation_chain_id": "F9"})
    broken = {**of_grafana("datadog"), "link": None, "default_route": None}
    found = carry("grafana-oncall", grafana(of_grafana("inbound_email"), routed, other, broken))
    assert found["Web inbound_email"]["action"] == "refuse"
    assert "routes" in found["Web grafana"]["lost"][0]
    assert "default policy" in found["Web webhook"]["lost"][0]
    assert "does not say its key" in found["Web datadog"]["lost"][0]
    twice = carry("grafana-oncall", grafana({**routed, "name": "Another"}))
    assert "belongs to" in twice["Another"]["reason"]
    assert not Service.objects.filter(slug="another").exists()


def test_pagerdutys_keys_call_by_the_services_policy(carry: Any) -> None:
    policy = exports.PAGERDUTY["escalation_policies"][0]
    service = {
        "id": "PS1", "name": "Web Shop", "escalation_policy": {"id": policy["id"]},
        "integrations": [
            {"type": "events_api_v2_inbound_integration", "name": "Prometheus",
             "integration_key": PD_KEY},
            {"type": "generic_email_inbound_integration", "name": "Mail"},
            {"type": "events_api_v2_inbound_integration_reference", "summary": "Other"},
        ],
    }  # fmt: skip
    found = carry("pagerduty", {**exports.PAGERDUTY, "services": [service]})
    assert {name: item["action"] for name, item in found.items()} == {
        "Web Shop: Prometheus": "create", "Web Shop: Mail": "refuse", "Web Shop: Other": "create",
    }  # fmt: skip
    assert "does not say its key" in found["Web Shop: Other"]["lost"][0]
    event = {**bodies.PAGERDUTY, "routing_key": PD_KEY}
    assert post("/v2/enqueue", event).status_code == 202
    assert Alert.objects.latest("pk").service == Service.objects.get(slug="web-shop")
    assert called_by() == policy["name"]


def test_services_of_the_same_slug_stay_apart(carry: Any) -> None:
    """Each calls by its own policy, and importing again changes nothing."""
    policies = [
        {**exports.PAGERDUTY["escalation_policies"][0], "id": f"EP{number}", "name": f"P{number}"}
        for number in (1, 2)
    ]
    names = ("決済", "検索", "Check-out!", "Check_out")
    services = [
        {"id": f"V{number}", "name": name,
         "escalation_policy": {"id": "EP2" if number % 2 else "EP1"},
         "integrations": [{"type": "events_api_v2_inbound_integration", "name": "Events",
                           "integration_key": f"{number}" * 32}]}
        for number, name in enumerate(names)
    ]  # fmt: skip
    document = {**exports.PAGERDUTY, "escalation_policies": policies, "services": services}
    found = carry("pagerduty", document)
    assert {item["action"] for item in found.values()} == {"create"}
    assert dict(ServicePolicy.objects.values_list("service__slug", "policy__name")) == {
        "imported-v0": "P1", "imported-v1": "P2", "check-out": "P1", "check-out-v3": "P2",
    }  # fmt: skip
    again = carry("pagerduty", {**document, "services": [*reversed(services)]})
    assert {item["action"] for item in again.values()} == {"same"}
    assert {item["slug"] for item in again.values()} == {item["slug"] for item in found.values()}


def test_opsgenies_keys_call_by_their_teams_escalation(carry: Any) -> None:
    team = {"ownerTeam": {"id": "T1", "name": "Shop"}}
    escalation = {**exports.OPSGENIE["escalations"][0], **team}
    document = {
        **exports.OPSGENIE,
        "escalations": [escalation],
        "integrations": [
            {"id": "i1", "name": "Shop API", "type": "API", "apiKey": GENIE, **team},
            {"id": "i2", "name": "Watch", "type": "CloudWatch", **team},
        ],
    }
    found = carry("opsgenie", document)
    assert "make an integration for it here" in found["Watch"]["reason"]
    sent = post("/v2/alerts", {"message": "Down"}, Authorization=f"GenieKey {GENIE}")
    assert sent.status_code == 202
    assert called_by() == "Shop escalation"


def test_two_of_one_name_without_keys_do_not_become_one(tmp_path: Path, capsys: Any) -> None:
    """Whoever gives the one its new key would leave the other sending to nobody."""
    integrations = [{"id": key, "name": "Events"} for key in ("I1", "I2")]
    document = {
        **exports.PAGERDUTY,
        "services": [{"id": "P1", "name": "Shop", "integrations": integrations}],
    }
    path = tmp_path / "export.json"
    path.write_text(json.dumps(document))
    for first in ("create", "same"):
        with pytest.raises(SystemExit) as ended:
            call_command("import_oncall", "pagerduty", str(path), "--json")
        assert ended.value.code == 1
        items = json.loads(capsys.readouterr().out)["items"]
        found = [item for item in items if item["kind"] == "integration"]
        assert [item["action"] for item in found] == [first, "refuse"]
        assert found[1]["reason"] == (
            "The file has another of this name, and not the key of this one: name them apart there."
        )
    assert Integration.objects.count() == 1


@pytest.mark.parametrize(
    ("notify", "wanted"),
    [
        ({"type": "escalation", "id": "E2"}, "Second"),
        ({"type": "escalation", "name": "Second"}, "Second"),
        ({"type": "schedule", "id": "S9"}, "Shop routing"),
    ],
)
def test_opsgenies_keys_call_as_their_team_routes(
    carry: Any, notify: dict[str, Any], wanted: str
) -> None:
    """The default routing rule decides, where the file has it: an escalation, or a schedule alone."""
    owner = {"ownerTeam": {"id": "T1", "name": "Shop"}}
    first = {**exports.OPSGENIE["escalations"][0], **owner}
    rota = {**exports.OPSGENIE["schedules"][0], "id": "S9", "name": "Shop rota"}
    document = {
        **exports.OPSGENIE,
        "schedules": [*exports.OPSGENIE["schedules"], rota],
        "escalations": [first, {**first, "id": "E2", "name": "Second"}],
        "teams": [
            {"id": "T1", "name": "Shop", "members": [],
             "routingRules": [{"isDefault": True, "notify": notify}]}
        ],
        "integrations": [
            {"id": "i1", "name": "Shop API", "type": "API", "apiKey": GENIE, **owner},
        ],
    }  # fmt: skip
    carry("opsgenie", document)
    sent = post("/v2/alerts", {"message": "Down"}, Authorization=f"GenieKey {GENIE}")
    assert sent.status_code == 202
    assert called_by() == wanted


def test_a_service_of_another_name_is_said(carry: Any) -> None:
    Service.objects.create(slug="web-grafana", name="Dashboards")
    found = carry("grafana-oncall", grafana(of_grafana("grafana")), "--dry-run")
    said = "Its alerts are of the service Dashboards (web-grafana) that is here."
    assert said in found["Web grafana"]["lost"]


def test_a_service_keeps_the_policy_that_it_has(carry: Any) -> None:
    service = Service.objects.create(slug="web-grafana", name="Web grafana")
    own = EscalationPolicy.objects.create(slug="own", name="Own")
    ServicePolicy.objects.create(service=service, policy=own)
    found = carry("grafana-oncall", grafana(of_grafana("grafana")))
    assert "is called by Own here already" in found["Web grafana"]["lost"][0]
    assert ServicePolicy.objects.get(service=service).policy == own


@pytest.mark.parametrize("token", ["short", "x" * 65, "with space in the key"])
def test_a_key_that_cannot_be_one_is_refused(carry: Any, token: str) -> None:
    row = {"id": "i1", "name": "Shop API", "type": "API", "apiKey": token}
    found = carry("opsgenie", {**exports.OPSGENIE, "integrations": [row]})
    assert "16 to 64" in found["Shop API"]["reason"]
    assert not Integration.objects.exists()
