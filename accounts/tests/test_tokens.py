"""Making, listing and revoking tokens."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import ApiToken, User
from accounts.roles import Role
from accounts.services.tokens import create_token, revoke_token
from accounts.tests.cast import NOON, person, token_of
from accounts.tokens import lookup_of, new_token
from core.audit import verify_chain
from core.errors import Conflict, DomainError, InvalidInput
from core.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def made(user: User, **values: Any) -> tuple[ApiToken, str]:
    """Make a token, all right unless told."""
    facts: dict[str, Any] = {"name": "deploy", "scopes": ["read"], "now": NOON}
    return create_token(user=user, **{**facts, **values})


def test_token_has_its_lookup_in_it() -> None:
    """The row is found without trying every hash."""
    token, secret = made(person())
    assert secret.startswith(f"srp_{token.lookup}_")
    assert lookup_of(secret) == token.lookup


def test_no_two_tokens_are_alike() -> None:
    """Each has 32 random bytes of its own."""
    assert len({new_token()[0] for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["read", "admin"]}, "scopes"),
        ({"expires_at": NOON}, "expires_at"),
        ({"expires_at": NOON - timedelta(days=1)}, "expires_at"),
    ],
)
def test_wrong_values_are_refused_by_field(values: dict[str, Any], field: str) -> None:
    """The refusal names the field, and nothing is made."""
    with pytest.raises(InvalidInput) as caught:
        made(person(), **values)
    assert list(caught.value.fields) == [field]
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("scope", ["write", "ingest", "chaos"])
def test_scope_above_the_owners_role_is_refused(scope: str) -> None:
    """A viewer's token reads; it never does what its owner could not."""
    with pytest.raises(InvalidInput, match="viewer, which is too little"):
        made(person(role=Role.VIEWER), scopes=["read", scope])


def test_deactivated_people_get_no_tokens() -> None:
    """Who may not sign in may not leave a key behind."""
    with pytest.raises(Conflict):
        made(person(is_active=False))


def test_making_and_revoking_are_audited_without_the_secret() -> None:
    """Both are told, by whom, and neither tells what would let a reader in."""
    alice = person()
    token, secret = made(alice)
    revoke_token(token, now=NOON, actor="user:root")
    entries = AuditEntry.objects.order_by("seq")
    assert [(entry.act, entry.actor) for entry in entries] == [
        ("api_token.created", "user:alice"),
        ("api_token.revoked", "user:root"),
    ]
    assert entries[0].changes["lookup"] == token.lookup
    assert not any(secret[-20:] in str(entry.changes) for entry in entries)
    assert verify_chain().holds


def test_revoking_twice_is_once() -> None:
    """The first moment stays, and is told once."""
    token, _ = made(person())
    revoke_token(token, now=NOON)
    again = revoke_token(token, now=NOON + timedelta(days=1))
    assert again.revoked_at == NOON
    assert AuditEntry.objects.filter(act="api_token.revoked").count() == 1


def test_usable_tokens_are_those_neither_revoked_nor_expired() -> None:
    """Lists and checks agree."""
    alice = person()
    lasting, _ = made(alice)
    short, _ = made(alice, expires_at=NOON + timedelta(days=1))
    gone, _ = made(alice)
    revoke_token(gone, now=NOON)
    later = NOON + timedelta(days=1)
    assert set(ApiToken.objects.usable(NOON)) == {lasting, short}
    assert set(ApiToken.objects.usable(later)) == {lasting}
    assert [token.is_usable(later) for token in (lasting, short, gone)] == [True, False, False]


def run(*arguments: str) -> tuple[int, str]:
    """Run `manage.py token` and return its exit code and standard output."""
    out, err = StringIO(), StringIO()
    try:
        call_command("token", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


def test_command_prints_the_token_alone() -> None:
    """A script can take the output as it is."""
    person()
    code, text = run("create", "--user", "alice", "--scopes", "read, write", "--expires", "30")
    assert code == 0
    assert text.count("\n") == 1
    token = ApiToken.objects.get()
    assert lookup_of(text.strip()) == token.lookup
    assert token.scopes == ["read", "write"]
    assert token.expires_at is not None
    assert token.expires_at - token.created_at == timedelta(days=30)


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "--user", "nobody", "--scopes", "read"],
        ["create", "--user", "alice", "--scopes", "everything"],
        ["create", "--user", "alice", "--scopes", ","],
        ["list", "--user", "nobody"],
        ["revoke", "srp_0123456789"],
    ],
)
def test_command_refuses_what_names_nothing(arguments: list[str]) -> None:
    """What cannot be done is told on one line."""
    person()
    code, text = run(*arguments)
    assert code == 2
    assert "\n" not in text
    assert not ApiToken.objects.exists()


def test_command_lists_and_revokes_by_the_shown_beginning() -> None:
    """What the list prints is what revoke takes."""
    token, secret = token_of(person())
    _, listed = run("list", "--user", "alice")
    assert listed.startswith(f"{token.masked}\talice\tread\tusable\ttest")
    assert secret not in listed
    assert run("revoke", token.masked)[0] == 0
    assert "revoked or expired" in run("list")[1]


def test_refusals_are_domain_errors() -> None:
    """Every surface maps them the same way."""
    assert issubclass(InvalidInput, DomainError)
