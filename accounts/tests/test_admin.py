"""The admin of people, tokens and the audit."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import ApiToken, User
from accounts.roles import Role
from accounts.tests.cast import PASSWORD, person, token_of
from core.models import AuditEntry

pytestmark = pytest.mark.django_db
USERS = "/admin/accounts/user/"


@pytest.fixture
def root(client: Client) -> User:
    """An admin, signed in."""
    user = person("root", Role.ADMIN)
    client.force_login(user)
    return user


def form_of(user: User, **values: Any) -> dict[str, Any]:
    """Return what the change form posts, with some values changed."""
    names = ("username", "first_name", "last_name", "email", "timezone", "role")
    form = {name: getattr(user, name) for name in names}
    return {**form, "is_active": "on", **values}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.RESPONDER])
def test_lesser_roles_do_not_enter(client: Client, role: Role) -> None:
    """The admin is for managers and admins."""
    client.force_login(person(role=role))
    assert client.get("/admin/").status_code in {302, 403}
    assert client.get(reverse("admin:core_auditentry_changelist")).status_code in {302, 403}


def test_managers_see_targets_and_the_audit_but_no_people_to_change(client: Client) -> None:
    """SRE leads find what they keep and nothing that raises anyone."""
    client.force_login(person(role=Role.MANAGER))
    body = client.get("/admin/").content.decode()
    assert "/admin/slo/slo/" in body
    assert "/admin/core/auditentry/" in body
    assert "/admin/accounts/" not in body
    assert client.get("/admin/slo/slo/").status_code == 200
    assert client.get(USERS).status_code == 403


def test_no_row_gives_a_right() -> None:
    """Migrating makes none of the rows by which somebody could hold more than a role."""
    assert not Permission.objects.exists()


def test_every_list_of_ours_opens_for_an_admin(client: Client, root: User) -> None:
    """No list breaks."""
    token_of(root)
    ours = {"accounts", "core", "catalog", "slo", "incidents", "telemetry", "capacity", "chaos"}
    for model in admin.site._registry:
        if model._meta.app_label in ours:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
            assert client.get(reverse(name)).status_code == 200, name


def test_new_person_comes_from_the_service(client: Client, root: User) -> None:
    """The form makes somebody who can sign in, and the audit says by whom."""
    form = {
        "username": "bob",
        "email": "bob@example.com",
        "role": "responder",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    answer = client.post(f"{USERS}add/", form)
    assert answer.status_code == 302, answer.content.decode()
    bob = User.objects.get(username="bob")
    assert bob.check_password(PASSWORD)
    assert answer["Location"] == f"{USERS}{bob.pk}/change/"
    entry = AuditEntry.objects.get(act="user.created")
    assert (entry.actor, entry.subject) == ("user:root", f"accounts.user:{bob.pk}")


def test_role_is_changed_by_the_service(client: Client, root: User) -> None:
    """The change is audited with before and after."""
    bob = person("bob", Role.VIEWER)
    answer = client.post(f"{USERS}{bob.pk}/change/", form_of(bob, role="manager"))
    assert answer.status_code == 302
    bob.refresh_from_db()
    assert (bob.role, bob.is_staff) == ("manager", True)
    assert AuditEntry.objects.get().changes == {"role": ["viewer", "manager"]}


def test_refusal_is_said_on_the_page(client: Client, root: User) -> None:
    """The last admin stays, and the form says why."""
    answer = client.post(f"{USERS}{root.pk}/change/", form_of(root, role="viewer"), follow=True)
    assert "needs an active admin" in answer.content.decode()
    root.refresh_from_db()
    assert root.role == Role.ADMIN


def test_password_set_by_an_admin_is_told(client: Client, root: User) -> None:
    """It lets nobody in unseen."""
    bob = person("bob")
    form = {"usable_password": "true", "password1": "another horse", "password2": "another horse"}
    answer = client.post(f"{USERS}{bob.pk}/password/", {**form, "set-password": "1"})
    assert answer.status_code == 302
    bob.refresh_from_db()
    assert bob.check_password("another horse")
    assert AuditEntry.objects.get().act == "user.password_set_by_admin"


def test_people_are_not_deleted(client: Client, root: User) -> None:
    """The audit must keep its sense."""
    assert client.post(f"{USERS}{person('bob').pk}/delete/", {"post": "yes"}).status_code == 403


def test_tokens_are_masked_and_revoked_there(client: Client, root: User) -> None:
    """An admin ends anyone's token without ever seeing one."""
    token, secret = token_of(person("bob"))
    address = reverse("admin:accounts_apitoken_changelist")
    for page in (address, reverse("admin:accounts_apitoken_change", args=[token.pk])):
        body = client.get(page).content.decode()
        assert token.masked in body
        assert secret not in body
        assert token.digest not in body
    client.post(address, {"action": "revoke", "_selected_action": [token.pk]})
    assert ApiToken.objects.get(pk=token.pk).revoked_at is not None
    assert client.get(reverse("admin:accounts_apitoken_add")).status_code == 403


def test_audit_is_read_only_there(client: Client, root: User) -> None:
    """It can be read and searched, and nothing else."""
    person_made, _ = token_of(root)
    entry = AuditEntry.objects.get()
    assert person_made.lookup in str(entry.changes)
    change = reverse("admin:core_auditentry_change", args=[entry.pk])
    assert client.get(change).status_code == 200
    assert client.post(change, {"actor": "user:bob"}).status_code == 403
    delete = reverse("admin:core_auditentry_delete", args=[entry.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
