"""What a program does with somebody's token is theirs; the audit names the token, which others may have."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from accounts.models import ApiToken, User
from accounts.scopes import Scope
from accounts.tests.cast import bearer, person, send, token_of
from core.models import AuditEntry
from oncall.models import Override, ShiftSwap
from oncall.models.schedules import Schedule
from oncall.services.schedules import save_schedule

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


class Program:
    """A program that holds somebody's token."""

    def __init__(self, owner: User) -> None:
        self.token: ApiToken
        self.token, secret = token_of(owner, Scope.READ, Scope.WRITE)
        self._api = Client(headers=bearer(secret))

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        """Send a POST below `/api/v1/`; returns the answer."""
        return send(self._api, "post", path, body, status=status)

    def delete(self, path: str) -> None:
        """Delete what is below `/api/v1/`."""
        send(self._api, "delete", path, status=204)


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Program]:
    """Alice's and bob's, who take daily turns from now on."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    people = [person("alice"), person("bob")]
    layer = {
        "name": "Daily", "first_on": NOW.date(), "handover_at": NOW.time(), "unit": "days", "people": people,
    }  # fmt: skip
    fields = {"slug": "pay", "name": "Pay"}
    save_schedule(Schedule(), fields=fields, layers=[layer], actor="test", now=NOW)
    return {who.username: Program(who) for who in people}


def named(act: str) -> str:
    return AuditEntry.objects.get(act=act).actor


SWAP = {"schedule": "pay", "starts_at": "2026-03-02T12:00:00Z", "ends_at": "2026-03-02T18:00:00Z"}


def test_swaps(programs: dict[str, Program]) -> None:
    alice, bob = programs["alice"], programs["bob"]
    swap = alice.post("swaps/", SWAP, status=201)
    assert swap["asked_by"] == "alice"
    bob.post(f"swaps/{swap['id']}/accept/")
    assert Override.objects.get().person == bob.token.user
    assert Override.objects.get().created_by == bob.token.audit_name
    other = alice.post("swaps/", {**SWAP, "ends_at": "2026-03-03T09:00:00Z"}, status=201)
    alice.post(f"swaps/{other['id']}/withdraw/")
    assert ShiftSwap.objects.get(pk=other["id"]).state == ShiftSwap.State.WITHDRAWN
    asked = AuditEntry.objects.filter(act="swap.asked").values_list("actor", flat=True)
    assert {*asked} == {alice.token.audit_name} == {named("swap.withdrawn")}
    assert named("swap.accepted") == named("override.created") == bob.token.audit_name


def test_nobody_accepts_what_they_asked_for(programs: dict[str, Program]) -> None:
    alice = programs["alice"]
    swap = alice.post("swaps/", SWAP, status=201)
    refused = alice.post(f"swaps/{swap['id']}/accept/", status=403)
    assert refused["detail"] == "You asked for it: somebody else accepts it, or you withdraw it."


def test_calendars(programs: dict[str, Program]) -> None:
    alice = programs["alice"]
    made = alice.post("calendars/", {"schedule": "pay"}, status=201)
    alice.delete(f"calendars/{made['id']}/")
    assert named("calendar.made") == named("calendar.revoked") == alice.token.audit_name


def test_handoffs_are_signed_by_the_person(programs: dict[str, Program]) -> None:
    alice, bob = programs["alice"], programs["bob"]
    change = {"schedule": "pay", "at": "2026-03-03T10:00:00Z"}
    given = alice.post("handoffs/give/", {**change, "notes": "All quiet"})
    taken = bob.post("handoffs/take/", change)
    assert (given["given_by"], taken["taken_by"]) == ("alice", "bob")
    assert named("handoff.given") == alice.token.audit_name
    assert named("handoff.taken") == bob.token.audit_name
