"""`/api/v1/channels/`: who may add and change a team's channels is as on the team's page."""

import re

import pytest
from django.core import mail
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.scopes import Scope
from accounts.tests.cast import bearer, person, send, token_of
from catalog.models import Team
from core import encryption
from core.models import AuditEntry
from notifications.models import ContactMethod
from oncall.models import FallbackContact

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
PATH = "channels/"
LIST = {"team": "payments", "kind": "email", "address": "payments@example.com", "label": "list"}


@pytest.fixture
def alice() -> User:
    """Somebody of the team."""
    found = person("alice")
    Team.objects.create(slug="payments", name="Payments").members.add(found)
    Team.objects.create(slug="search", name="Search")
    return found


@pytest.fixture
def api(alice: User) -> Client:
    """Return the client of a program that holds a token of alice's."""
    _, secret = token_of(alice, Scope.READ, Scope.WRITE)
    return Client(headers=bearer(secret))


def client_of(name: str, role: Role) -> Client:
    client = Client()
    client.force_login(person(name, role))
    return client


def test_a_channel_is_added_verified_tried_changed_and_removed(api: Client, alice: User) -> None:
    made = send(api, "post", PATH, LIST, status=201)
    assert made == {
        "id": made["id"],
        "team": "payments",
        "kind": "email",
        "label": "list",
        "is_enabled": True,
        "is_usable": False,
        "secret": None,
    }
    where = f"{PATH}{made['id']}/"
    send(api, "post", where + "code/", status=200)
    code = re.findall(r"\b\d{6}\b", str(mail.outbox[-1].subject))[0]
    assert send(api, "post", where + "verify/", {"code": code}, status=200)["is_usable"]
    send(api, "post", where + "test/", status=200)
    assert [message.to for message in mail.outbox] == [["payments@example.com"]] * 2
    off = send(api, "patch", where, {**made, "is_enabled": False}, status=200)
    assert off["is_enabled"] is False
    refused = send(api, "patch", where, {"team": "search"}, status=400)
    assert list(refused["errors"]) == ["team"]
    send(api, "delete", where, status=204)
    assert not ContactMethod.objects.exists()
    told = AuditEntry.objects.filter(act__startswith="contact_method.")
    assert set(told.values_list("actor", flat=True)) == {alice.api_tokens.get().audit_name}


@pytest.mark.parametrize(
    ("name", "role", "status"),
    [
        ("charlie", Role.RESPONDER, 403),
        ("vic", Role.VIEWER, 403),
        ("mia", Role.MANAGER, 201),
        ("root", Role.ADMIN, 201),
    ],
)
def test_channels_are_changed_by_members_and_by_managers(
    api: Client, name: str, role: Role, status: int
) -> None:
    other = client_of(name, role)
    made = send(api, "post", PATH, LIST, status=201)
    where = f"{PATH}{made['id']}/"
    send(other, "post", PATH, {**LIST, "address": "other@example.com"}, status=status)
    done = 200 if status == 201 else status
    send(other, "patch", where, {"label": "everybody"}, status=done)
    send(other, "post", where + "code/", status=done)
    assert send(other, "get", where, status=200)["is_usable"] is False
    send(other, "delete", where, status=204 if status == 201 else status)


def test_a_member_who_only_looks_changes_no_channel(api: Client) -> None:
    viewer = client_of("vic", Role.VIEWER)
    Team.objects.get(slug="payments").members.add(User.objects.get(username="vic"))
    send(viewer, "post", PATH, LIST, status=403)


def test_a_channel_that_is_called_stays(api: Client) -> None:
    made = send(api, "post", PATH, LIST, status=201)
    FallbackContact.objects.create(channel_id=made["id"])
    said = send(api, "delete", f"{PATH}{made['id']}/", status=409)
    assert "the fallback contact" in said["detail"]


def test_ways_of_people_are_no_channels(api: Client, alice: User) -> None:
    own = ContactMethod.objects.create(
        person=alice, kind="email", label="own", sealed_address=encryption.encrypt("a@example.com")
    )
    assert send(api, "get", PATH, status=200)["results"] == []
    send(api, "delete", f"{PATH}{own.pk}/", status=404)
    for team in (None, "nowhere"):
        refused = send(api, "post", PATH, {**LIST, "team": team}, status=400)
        assert list(refused["errors"]) == ["team"]
    assert ContactMethod.objects.get() == own
