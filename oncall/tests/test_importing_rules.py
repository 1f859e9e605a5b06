"""Notification rules of other tools: by what a person is called, and after how long."""

import contextlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import User
from accounts.tests.cast import person
from core import encryption
from core.models import AuditEntry
from notifications.models import ContactMethod, NotificationRule
from notifications.queries.rules import plan_for

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)

PAGERDUTY: dict[str, Any] = {
    "users": [
        {
            "id": "PALICE", "name": "Alice", "email": "alice@example.org",
            "contact_methods": [
                {"id": "C1", "type": "email_contact_method", "address": "alice@example.org"},
                {"id": "C2", "type": "phone_contact_method", "country_code": 44,
                 "address": "7700900123"},
                {"id": "C3", "type": "push_notification_contact_method", "address": "token"},
            ],
            "notification_rules": [
                {"type": "assignment_notification_rule", "urgency": "high",
                 "start_delay_in_minutes": 0,
                 "contact_method": {"id": "C2", "type": "phone_contact_method_reference"}},
                {"type": "assignment_notification_rule", "urgency": "high",
                 "start_delay_in_minutes": 5,
                 "contact_method": {"id": "C1", "type": "email_contact_method_reference"}},
                {"type": "assignment_notification_rule", "urgency": "low",
                 "start_delay_in_minutes": 0,
                 "contact_method": {"id": "C1", "type": "email_contact_method_reference"}},
                {"type": "assignment_notification_rule", "urgency": "high",
                 "contact_method": {"id": "C3", "type": "push_notification_contact_method_reference"}},
                {"type": "oncall_handoff_notification_rule", "contact_method": {"id": "C1"}},
            ],
        }
    ],
    "schedules": [],
}  # fmt: skip
OPSGENIE: dict[str, Any] = {
    "users": [
        {
            "id": "u1", "username": "alice@example.org", "fullName": "Alice",
            "userContacts": [{"contactMethod": "voice", "to": "44-7700900123"}],
            "notificationRules": [
                {"name": "New", "actionType": "create-alert", "enabled": True,
                 "criteria": {"type": "match-all-conditions"},
                 "steps": [
                     {"contact": {"method": "voice", "to": "44-7700900123"}, "enabled": True,
                      "sendAfter": {"timeAmount": 2, "timeUnit": "minutes"}},
                     {"contact": {"method": "mobile", "to": "phone"}, "enabled": True},
                     {"contact": {"method": "voice", "to": "44-7700900123"}, "enabled": False,
                      "sendAfter": {"timeAmount": 9, "timeUnit": "hours"}},
                 ]},
                {"name": "Closed", "actionType": "closed-alert", "steps": []},
            ],
        }
    ],
}  # fmt: skip
GRAFANA: dict[str, Any] = {
    "users": [
        {"id": "U1", "email": "alice@example.org", "username": "alice",
         "slack": [{"user_id": "U0123456", "team_id": "T1"}]}
    ],
    "personal_notification_rules": [
        {"user_id": "U1", "position": 0, "important": False, "type": "notify_by_slack"},
        {"user_id": "U1", "position": 1, "important": False, "type": "wait", "duration": 300},
        {"user_id": "U1", "position": 2, "important": False, "type": "notify_by_email"},
        {"user_id": "U1", "position": 0, "important": True, "type": "notify_by_email"},
        {"user_id": "U1", "position": 1, "important": True, "type": "notify_by_phone_call"},
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def alice(monkeypatch: pytest.MonkeyPatch) -> User:
    monkeypatch.setattr("django.utils.timezone.now", lambda: MONDAY)
    made = person("alice")
    User.objects.filter(pk=made.pk).update(email="alice@example.org")
    made.refresh_from_db()
    return made


def carry(tmp_path: Path, capsys: Any, source: str, document: object, *options: str) -> list[Any]:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(document))
    call_command("import_oncall", source, str(path), "--json", *options)
    items: list[Any] = json.loads(capsys.readouterr().out)["items"]
    return items


def stored() -> set[tuple[str, str, float]]:
    """Return urgency, kind and minutes of all rules."""
    return {
        (rule.urgency, rule.method.kind, rule.delay.total_seconds() / 60)
        for rule in NotificationRule.objects.all()
    }


def test_pagerduty(tmp_path: Path, capsys: Any) -> None:
    items = carry(tmp_path, capsys, "pagerduty", PAGERDUTY)
    assert stored() == {("high", "voice", 0), ("high", "email", 5), ("low", "email", 0)}
    (user,) = [item for item in items if item["kind"] == "user"]
    assert user["lost"] == ["Rules by push notification contact method are not carried."]
    changes = [item["changes"] for item in items if item["kind"] == "notification_rules"]
    assert changes == [["Telephone call after 0 min", "Email after 5 min"], ["Email after 0 min"]]
    entry = AuditEntry.objects.filter(act="notification_rule.added").first()
    assert entry is not None
    assert entry.actor != "user:alice"


def test_opsgenie(tmp_path: Path, capsys: Any) -> None:
    """Its rules know no urgency, so they hold for both."""
    items = carry(tmp_path, capsys, "opsgenie", OPSGENIE)
    assert stored() == {("high", "voice", 2), ("low", "voice", 2)}
    assert items[0]["lost"] == [
        "Rule New holds for every alert here, not only for some.",
        "Rule New has a step by a way that is not carried.",
    ]


def test_grafana_oncall(tmp_path: Path, capsys: Any) -> None:
    """Its default rules are those of low urgency, where a person has important ones."""
    items = carry(tmp_path, capsys, "grafana-oncall", GRAFANA)
    assert stored() == {("low", "slack", 0), ("low", "email", 5), ("high", "email", 0)}
    assert items[0]["lost"] == ["Rules by phone call are not carried: add that way here."]
    only = {**GRAFANA, "personal_notification_rules": GRAFANA["personal_notification_rules"][:3]}
    NotificationRule.objects.all().delete()
    carry(tmp_path, capsys, "grafana-oncall", only)
    assert {urgency for urgency, _, _ in stored()} == {"high", "low"}


def test_again_changes_nothing_and_own_rules_stay(tmp_path: Path, capsys: Any, alice: User) -> None:
    carry(tmp_path, capsys, "pagerduty", PAGERDUTY, "--dry-run")
    assert not NotificationRule.objects.exists()
    carry(tmp_path, capsys, "pagerduty", PAGERDUTY)
    items = carry(tmp_path, capsys, "pagerduty", PAGERDUTY)
    assert {item["action"] for item in items} == {"match", "same"}
    NotificationRule.objects.filter(urgency="high", delay=timedelta(minutes=5)).delete()
    before = stored()
    items = carry(tmp_path, capsys, "pagerduty", PAGERDUTY)
    (skipped,) = [item for item in items if item["action"] == "skip"]
    assert skipped["reason"] == "They have rules of their own here."
    assert stored() == before


def test_until_a_way_is_verified_others_are_used_at_once(
    tmp_path: Path, capsys: Any, alice: User
) -> None:
    """What was imported makes nobody harder to reach than before."""
    webhook = ContactMethod.objects.create(
        person=alice,
        kind="webhook",
        label="x",
        verified_at=MONDAY,
        sealed_address=encryption.encrypt("https://example.org/"),
    )
    carry(tmp_path, capsys, "pagerduty", PAGERDUTY)
    assert [(each.method, each.at) for each in plan_for(alice, "high", MONDAY)] == [
        (webhook, MONDAY)
    ]


@pytest.mark.parametrize("delay", [-5, 60 * 24 + 1, 1e300, "soon", [], {"a": 1}])
def test_delays_that_cannot_be_cost_nobody_their_account(
    tmp_path: Path, capsys: Any, alice: User, delay: Any
) -> None:
    user: dict[str, Any] = {**PAGERDUTY["users"][0]}
    user["notification_rules"] = [
        {"urgency": "high", "start_delay_in_minutes": delay, "contact_method": {"id": "C1"}}
    ]
    path = tmp_path / "export.json"
    path.write_text(json.dumps({"users": [user], "schedules": []}))
    with contextlib.suppress(SystemExit):
        call_command("import_oncall", "pagerduty", str(path), "--json")
    items = json.loads(capsys.readouterr().out)["items"]
    assert items[0]["slug"] == "alice"
    words = [*items[0]["lost"], *(item["reason"] for item in items if item["reason"])]
    if delay == []:
        assert stored() == {("high", "email", 0)}
    else:
        assert words
        assert stored() == set()
