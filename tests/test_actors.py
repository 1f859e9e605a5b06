"""The audit names the token by which something was done, for it may be in other hands than its owner's."""

from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.scopes import Scope
from accounts.tests.cast import NOON, person, token_of
from core.models import AuditEntry

pytestmark = pytest.mark.django_db
BODIES: dict[str, dict[str, Any]] = {
    "users": {"username": "eve", "email": "eve@example.org", "role": "viewer"},
    "teams": {"slug": "ops", "name": "Ops"},
    "services": {"slug": "pay"},
    "holiday-calendars": {"slug": "uk", "name": "UK", "country": "GB"},
    "schedules": {"slug": "main", "name": "Main"},
    "overrides": {
        "schedule": "main",
        "person": None,
        "starts_at": "2026-04-02T10:00:00Z",
        "ends_at": "2026-04-03T10:00:00Z",
    },
    "policies": {"slug": "own", "name": "Own", "called_for": ["pay"]},
    "fallback-contacts": {"person": "eve"},
    "contact-methods": {"kind": "email", "address": "alice@example.org"},
    "quiet-hours": {"begins": "22:00", "ends": "07:00"},
    "channels": {"team": "ops", "kind": "email", "address": "ops@example.org"},
    "integrations": {"kind": "healthchecks", "name": "Main", "service": "pay"},
    "maintenance": {
        "service": "pay",
        "starts_at": "2026-04-02T10:00:00Z",
        "ends_at": "2026-04-02T11:00:00Z",
        "comment": "Disks",
    },
    "silences": {
        "service": "pay",
        "starts_at": "2026-03-02T10:00:00Z",
        "ends_at": "2026-03-03T10:00:00Z",
        "comment": "Disks",
    },
    "incidents": {"title": "Down", "severity": "P3"},
}


def test_what_spares_budgets_is_by_the_owner_of_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)
    token, secret = token_of(person("alice", Role.ADMIN), Scope.READ, Scope.WRITE)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    body = {**BODIES["maintenance"], "excludes_budget": True}
    for resource, said in (("teams", BODIES["teams"]), ("services", BODIES["services"]),
                           ("maintenance", body)):  # fmt: skip
        made = client.post(f"/api/v1/{resource}/", said, content_type="application/json")
    assert client.post(f"/api/v1/maintenance/{made.json()['id']}/cancel/").status_code == 200
    (row,) = client.get("/api/v1/corrections/").json()["results"]
    assert row["created_by"] == "alice"
    told = AuditEntry.objects.filter(act__startswith="slo.correction_")
    assert set(told.values_list("actor", flat=True)) == {token.audit_name}
    assert told.count() == 2


def test_what_a_token_does_is_told_of_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)
    owner = person("alice", Role.ADMIN)
    token, secret = token_of(owner, Scope.READ, Scope.WRITE)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    for resource, body in BODIES.items():
        before = AuditEntry.objects.count()
        made = client.post(f"/api/v1/{resource}/", body, content_type="application/json")
        assert made.status_code == 201, (resource, made.content)
        actors = set(AuditEntry.objects.order_by("seq").values_list("actor", flat=True)[before:])
        assert actors == {token.audit_name}, resource
        row = made.json()
        if "created_by" in row:
            assert row["created_by"] == token.audit_name
