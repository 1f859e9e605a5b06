"""`/api/v1/quiet-hours/`: when one is not called for what can wait, as on the page."""

from datetime import time
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.scopes import Scope
from accounts.tests.cast import bearer, person, send, token_of
from core.models import AuditEntry
from notifications.models import QuietHours
from notifications.tests.own_api import alice, api

__all__ = ["alice", "api"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
PATH = "quiet-hours/"
NIGHT = {"begins": "21:30", "ends": "06:45"}


def test_quiet_hours_are_set_changed_and_removed(api: Client, alice: User) -> None:
    assert send(api, "get", PATH, status=200)["results"] == []
    made = send(api, "post", PATH, NIGHT, status=201)
    assert made == {"id": made["id"], "begins": "21:30:00", "ends": "06:45:00"}
    where = f"{PATH}{made['id']}/"
    changed = send(api, "patch", where, {"begins": "23:00"}, status=200)
    assert changed == made | {"begins": "23:00:00"}
    assert send(api, "get", where, status=200) == changed
    assert send(api, "get", PATH, status=200)["results"] == [changed]
    quiet = QuietHours.objects.get(person=alice)
    assert (quiet.begins, quiet.ends) == (time(23), time(6, 45))
    send(api, "delete", where, status=204)
    send(api, "delete", where, status=404)
    told = AuditEntry.objects.filter(act__startswith="quiet_hours").order_by("seq")
    assert [(entry.act, entry.changes) for entry in told] == [
        ("quiet_hours.set", {"begins": "21:30", "ends": "06:45"}),
        ("quiet_hours.set", {"begins": "23:00", "ends": "06:45"}),
        ("quiet_hours.removed", {}),
    ]
    assert {entry.actor for entry in told} == {alice.api_tokens.get().audit_name}


def test_second_quiet_hours_are_a_conflict(api: Client) -> None:
    """Everybody has one span: another is no addition, and replaces nothing by mistake."""
    send(api, "post", PATH, NIGHT, status=201)
    refused = send(api, "post", PATH, {"begins": "12:00", "ends": "13:00"}, status=409)
    assert "change those" in refused["detail"]
    assert QuietHours.objects.get().begins == time(21, 30)


@pytest.mark.parametrize(
    ("said", "field", "why"),
    [
        ({"begins": "22:00", "ends": "22:00"}, "ends", "end at another time than they begin"),
        ({"begins": "25:00", "ends": "07:00"}, "begins", "wrong format"),
        ({"begins": "22:00Z", "ends": "07:00"}, "begins", "wrong format"),
        ({"begins": "22:00"}, "ends", "required"),
        ({**NIGHT, "person": 1}, "person", "no such field"),
    ],
)
def test_quiet_hours_that_mean_nothing_are_refused(
    api: Client, said: dict[str, Any], field: str, why: str
) -> None:
    refused = send(api, "post", PATH, said, status=400)
    assert list(refused["errors"]) == [field]
    assert why in refused["errors"][field][0]
    assert not QuietHours.objects.exists()


def test_a_change_is_held_against_what_stays(api: Client) -> None:
    made = send(api, "post", PATH, NIGHT, status=201)
    refused = send(api, "patch", f"{PATH}{made['id']}/", {"begins": "06:45"}, status=400)
    assert list(refused["errors"]) == ["ends"]
    assert QuietHours.objects.get().begins == time(21, 30)


def test_others_quiet_hours_do_not_exist(api: Client) -> None:
    """For admins neither."""
    made = send(api, "post", PATH, NIGHT, status=201)
    _, secret = token_of(person("root", Role.ADMIN), Scope.READ, Scope.WRITE)
    other = Client(headers=bearer(secret))
    assert send(other, "get", PATH, status=200)["results"] == []
    for method in ("get", "patch", "delete"):
        send(other, method, f"{PATH}{made['id']}/", status=404)
    assert QuietHours.objects.count() == 1


def test_a_viewer_has_their_own_and_a_token_needs_the_scope() -> None:
    viewer = person("vera", Role.VIEWER)
    _, reads = token_of(viewer)
    send(Client(headers=bearer(reads)), "post", PATH, NIGHT, status=403)
    client = Client()
    client.force_login(viewer)
    send(client, "post", PATH, NIGHT, status=201)
    assert QuietHours.objects.get().person == viewer
