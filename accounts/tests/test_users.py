"""People: made, changed, let go; what managers may do in the admin."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import ApiToken, User
from accounts.roles import Role
from accounts.services.users import change_profile, change_user, create_user, deactivate, set_role
from accounts.tests.cast import NOON, PASSWORD, bearer, person, token_of
from core.audit import verify_chain
from core.errors import Conflict, InvalidInput
from core.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
USERS = "/api/v1/users/"


def acts() -> list[str]:
    """Return what the audit tells, oldest first."""
    return list(AuditEntry.objects.order_by("seq").values_list("act", flat=True))


@pytest.mark.parametrize("role", list(Role))
def test_djangos_flags_follow_the_role(role: Role) -> None:
    """Managers and admins enter the admin, admins may do all there; no other way leads there."""
    user = person(role=role)
    assert user.is_staff is role.includes(Role.MANAGER)
    assert user.is_superuser is (role is Role.ADMIN)
    user.role = Role.VIEWER
    user.save(update_fields=["role"])
    user.refresh_from_db()
    assert (user.is_staff, user.is_superuser) == (False, False)


def test_superuser_of_the_command_line_is_an_admin() -> None:
    """`createsuperuser` gives the role, not only the flag."""
    assert User.objects.create_superuser("root").role == Role.ADMIN


@pytest.mark.parametrize(
    ("role", "permission", "allowed"),
    [
        (Role.MANAGER, "slo.change_slo", True),
        (Role.MANAGER, "catalog.add_service", True),
        (Role.MANAGER, "slo.delete_slo", False),
        (Role.MANAGER, "core.view_auditentry", True),
        (Role.MANAGER, "django_celery_beat.view_periodictask", True),
        (Role.MANAGER, "django_celery_beat.change_periodictask", False),
        (Role.MANAGER, "accounts.change_user", False),
        (Role.MANAGER, "accounts.view_apitoken", False),
        (Role.MANAGER, "mfa.view_authenticator", False),
        (Role.RESPONDER, "slo.view_slo", False),
        (Role.VIEWER, "slo.view_slo", False),
        (Role.ADMIN, "accounts.change_user", True),
    ],
)
def test_admin_permissions_follow_the_role(role: Role, permission: str, allowed: bool) -> None:
    """Managers keep the catalog and the targets; people and tokens are for admins."""
    assert person(role=role).has_perm(permission) is allowed


def test_deactivated_manager_has_no_permission() -> None:
    """A role is worth nothing to somebody who left."""
    assert not person(role=Role.MANAGER, is_active=False).has_perm("slo.change_slo")


def test_created_people_sign_in_with_their_password() -> None:
    """The password is stored as a hash, and the creation is audited without it."""
    user = create_user(username="alice", password=PASSWORD, now=NOON, actor="user:root")
    assert user.check_password(PASSWORD)
    assert user.role == Role.VIEWER
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.actor) == ("user.created", "user:root")
    assert PASSWORD not in str(entry.changes)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"username": "a b"}, "username"),
        ({"username": ""}, "username"),
        ({"username": "alice", "email": "nowhere"}, "email"),
        ({"username": "alice", "role": "king"}, "role"),
        ({"username": "alice", "timezone": "Mars/Olympus"}, "timezone"),
        ({"username": "alice", "password": "short"}, "password"),
        ({"username": "alexandria", "password": "alexandria12"}, "password"),
        ({"username": "alice", "is_superuser": True}, "is_superuser"),
    ],
)
def test_wrong_values_are_refused_by_field(fields: dict[str, Any], field: str) -> None:
    """Nothing is half made."""
    with pytest.raises(InvalidInput) as caught:
        create_user(**fields, now=NOON)
    assert field in caught.value.fields
    assert not User.objects.exists()


@pytest.mark.parametrize("fields", [{"username": "ALICE"}, {"email": "Alice@Example.com"}])
def test_taken_names_and_addresses_conflict_in_any_case(fields: dict[str, str]) -> None:
    """Two people never look alike, nor share the address that resets a password."""
    person("alice")
    with pytest.raises(Conflict):
        create_user(**{"username": "bob", **fields}, now=NOON)


def test_leaving_ends_sessions_and_tokens(client: Client) -> None:
    """Whoever is let go is out at once, and stays out when they come back later."""
    alice, root = person("alice"), person("root", Role.ADMIN)
    token, _ = token_of(alice)
    client.force_login(alice)
    deactivate(user=alice, now=NOON, actor=root)
    assert client.get("/accounts/").status_code == 302
    token.refresh_from_db()
    assert token.revoked_at == NOON
    change_user(user=alice, fields={"is_active": True}, now=NOON, actor=root)
    assert client.get("/accounts/").status_code == 302
    assert not ApiToken.objects.usable(NOON).exists()
    assert verify_chain().holds


def test_password_change_ends_other_sessions(client: Client) -> None:
    """A stolen session does not survive a new password."""
    alice = person("alice")
    client.force_login(alice)
    assert client.get("/accounts/").status_code == 200
    alice.set_password("another correct horse")
    alice.save()
    assert client.get("/accounts/").status_code == 302


@pytest.mark.parametrize("fields", [{"role": Role.MANAGER}, {"is_active": False}])
def test_last_admin_stays(fields: dict[str, Any]) -> None:
    """The portal never locks everyone out."""
    root = person("root", Role.ADMIN)
    person("gone", Role.ADMIN, is_active=False)
    with pytest.raises(Conflict, match="active admin"):
        change_user(user=root, fields=fields, now=NOON, actor=root)
    second = person("second", Role.ADMIN)
    change_user(user=root, fields=fields, now=NOON, actor=second)
    assert acts() == ["user.changed"]


def test_only_what_changed_is_audited() -> None:
    """The entry has before and after; nothing changed is nothing told."""
    alice = person("alice", Role.VIEWER)
    set_role(user=alice, role=Role.MANAGER, now=NOON, actor="user:root")
    set_role(user=alice, role=Role.MANAGER, now=NOON, actor="user:root")
    entry = AuditEntry.objects.get()
    assert entry.changes == {"role": ["viewer", "manager"]}


def test_people_do_not_raise_themselves() -> None:
    """A profile has a name and a time zone, and nothing else is taken from it."""
    alice = person("alice", Role.VIEWER)
    changed = change_profile(
        user=alice, fields={"timezone": "Europe/Berlin", "role": Role.ADMIN}, now=NOON
    )
    assert (changed.timezone, changed.role) == ("Europe/Berlin", Role.VIEWER)


def test_everyone_signed_in_knows_people_by_name_and_role(client: Client) -> None:
    """Addresses are not for everyone."""
    client.force_login(person("alice", Role.VIEWER))
    rows = client.get(USERS).json()["results"]
    known = {"id", "name", "role", "username", "is_active"}
    assert [{name for name in row if row[name] is not None} for row in rows] == [known]
    assert client.get(USERS, {"email": "alice@example.com"}).status_code == 400


def test_token_tells_who_it_is(client: Client) -> None:
    """`me` answers owner and scopes, a session has none."""
    alice = person("alice")
    _, secret = token_of(alice)
    me = client.get(f"{USERS}me/", headers=bearer(secret)).json()
    assert (me["username"], me["scopes"], me["timezone"]) == ("alice", ["read"], "UTC")
    client.force_login(alice)
    assert client.get(f"{USERS}me/").json()["scopes"] is None


def test_only_admins_make_and_change_people(client: Client) -> None:
    """A manager reads; an admin writes, by the same service as everyone."""
    client.force_login(person("manager", Role.MANAGER))
    body = {"username": "bob", "role": "responder", "password": PASSWORD}
    kind = "application/json"
    assert client.post(USERS, body, content_type=kind).status_code == 403
    client.force_login(person("root", Role.ADMIN))
    made = client.post(USERS, body, content_type=kind)
    assert made.status_code == 201, made.content
    assert "password" not in made.json()
    address = f"{USERS}{made.json()['id']}/"
    assert client.patch(address, {"role": "viewer"}, content_type=kind).json()["role"] == "viewer"
    assert client.patch(address, {"password": PASSWORD}, content_type=kind).status_code == 400
    assert client.patch(address, {"rule": "x"}, content_type=kind).json()["errors"] == {
        "rule": ["There is no such field."]
    }
    body |= {"email": "bob@example.com", "last_name": "Bobson", "timezone": "Europe/Berlin"}
    changes = {name: body[name] for name in ("email", "last_name", "timezone")}
    changed = client.patch(address, changes | {"is_active": False}, content_type=kind).json()
    assert changed == client.get(address).json()
    assert changed | changes | {"is_active": False} == changed
    assert client.delete(address).status_code == 405
    assert client.post(USERS, body, content_type=kind).status_code == 409
    assert acts() == ["user.created", "user.changed", "user.changed"]
