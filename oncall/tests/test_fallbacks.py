"""Who is called when nobody else can be, set by the API; and the channels that can be called."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import send, signed_in
from catalog.models import Team
from core.errors import InvalidInput
from core.models import AuditEntry
from notifications.models import ContactMethod
from oncall.models import FallbackContact
from oncall.queries.fallbacks import fallback_people
from oncall.services.fallbacks import add_fallback

pytestmark = pytest.mark.django_db
PATH = "fallback-contacts/"


@pytest.fixture
def api() -> Client:
    """Return an admin's client."""
    return signed_in(Role.ADMIN)


@pytest.fixture
def ann() -> User:
    return User.objects.create_user(username="ann", role=Role.RESPONDER)


def channel(**values: Any) -> ContactMethod:
    """Return a webhook of a team."""
    team = Team.objects.create(slug="ops", name="Ops")
    values = {"verified_at": timezone.now(), **values}
    return ContactMethod.objects.create(team=team, kind="webhook", label="Hook", **values)


@pytest.mark.both_databases
def test_people_and_channels_are_called_and_taken_out(api: Client, ann: User) -> None:
    hook = channel()
    listed = api.get("/api/v1/channels/").json()["results"]
    assert listed == [
        {
            "id": hook.pk,
            "team": "ops",
            "kind": "webhook",
            "label": "Hook",
            "is_enabled": True,
            "is_usable": True,
            "secret": None,
        }
    ]
    person = send(api, "post", PATH, {"person": "ann"}, status=201)
    assert person == {"id": person["id"], "person": "ann", "channel": None}
    send(api, "post", PATH, {"channel": listed[0]["id"]}, status=201)
    assert fallback_people() == ([ann], [hook])
    assert api.delete(f"/api/v1/{PATH}{person['id']}/").status_code == 204
    assert api.delete(f"/api/v1/{PATH}{person['id']}/").status_code == 404
    assert fallback_people() == ([], [hook])
    told = AuditEntry.objects.filter(act__startswith="fallback_contact.").order_by("seq")
    assert [(entry.act, entry.changes) for entry in told] == [
        ("fallback_contact.created", {"person": "ann"}),
        ("fallback_contact.created", {"channel": str(hook)}),
        ("fallback_contact.deleted", {"removed": "ann"}),
    ]


def test_who_would_not_be_called_is_refused(api: Client, ann: User) -> None:
    hook = channel(verified_at=None)
    own = ContactMethod.objects.create(person=ann, kind="webhook", label="Own")
    for body, field in (
        ({}, "person"),
        ({"person": "ann", "channel": hook.pk}, "person"),
        ({"person": "nobody"}, "person"),
        ({"channel": hook.pk}, "channel"),
        ({"channel": own.pk}, "channel"),
        ({"team": "ops"}, "team"),
    ):
        refused = send(api, "post", PATH, body, status=400)
        assert list(refused["errors"]) == [field], body
    send(api, "post", PATH, {"person": "ann"}, status=201)
    send(api, "post", PATH, {"person": "ann"}, status=409)
    User.objects.filter(pk=ann.pk).update(is_active=False)
    FallbackContact.objects.all().delete()
    refused = send(api, "post", PATH, {"person": "ann"}, status=400)
    assert refused["errors"] == {"person": ["ann is no longer active."]}


@pytest.mark.both_databases
def test_who_was_deactivated_meanwhile_is_refused(ann: User) -> None:
    hook = channel()
    User.objects.filter(pk=ann.pk).update(is_active=False)
    ContactMethod.objects.filter(pk=hook.pk).update(verified_at=None)
    with pytest.raises(InvalidInput, match="ann is no longer active"):
        add_fallback(person=ann, actor=None, now=timezone.now())
    with pytest.raises(InvalidInput, match="is not verified"):
        add_fallback(channel=hook, actor=None, now=timezone.now())
    assert not FallbackContact.objects.exists()


def test_only_admins_set_it(ann: User) -> None:
    manager = signed_in(Role.MANAGER)
    send(manager, "post", PATH, {"person": "ann"}, status=403)
    assert manager.get(f"/api/v1/{PATH}").status_code == 200
    assert "address" not in manager.get("/api/v1/channels/").content.decode()
