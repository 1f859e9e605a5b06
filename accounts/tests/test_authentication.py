"""Tokens at the door."""

from datetime import timedelta
from time import monotonic

import pytest
from django.test import Client, RequestFactory
from pytest_django.fixtures import (
    DjangoAssertNumQueries,
    DjangoCaptureOnCommitCallbacks,
    Settings,
)

from accounts import authentication
from accounts.authentication import authenticate
from accounts.models import ApiToken
from accounts.roles import Role
from accounts.scopes import Scope
from accounts.services.tokens import create_token, revoke_token
from accounts.tests.cast import bearer, person, token_of
from core import clock
from core.errors import Forbidden, NotAuthenticated

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
UNKNOWN = "srp_0123456789_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


@pytest.fixture(autouse=True)
def _nothing_checked_yet() -> None:
    authentication.forget_tokens()


def check(secret: str, scope: str = "read", scheme: str = "Bearer") -> ApiToken:
    """Authenticate a request that carries a token."""
    request = RequestFactory().get("/", HTTP_AUTHORIZATION=f"{scheme} {secret}")
    return authenticate(request, scope)


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "bearer"])
def test_good_token_is_let_in_under_either_scheme(scheme: str) -> None:
    """`Token` and `Bearer` mean the same, in any case."""
    token, secret = token_of(person())
    assert check(secret, scheme=scheme) == token


@pytest.mark.parametrize("header", ["", "Basic YWxpY2U6cHc=", "Bearer", "Bearer ", "Token\tx"])
def test_request_without_a_token_is_unauthenticated(header: str) -> None:
    """Another scheme is no token."""
    with pytest.raises(NotAuthenticated):
        authenticate(RequestFactory().get("/", HTTP_AUTHORIZATION=header), "read")


def test_unknown_tokens_are_refused_alike() -> None:
    """Malformed, unknown, or with a right prefix and a wrong secret: one and the same answer."""
    token, secret = token_of(person())
    wrong = [UNKNOWN, "x", f"srp_{token.lookup}_", f"srp_{token.lookup}_{'a' * 43}", secret[:-1]]
    messages = set()
    for given in [*wrong, secret + "é", secret.upper()]:
        with pytest.raises(NotAuthenticated) as caught:
            check(given)
        messages.add(caught.value.message)
    assert len(messages) == 1


def test_revoked_token_is_refused_at_once_in_the_process_that_revoked_it(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    """Revoking does not wait for what was checked a moment ago."""
    token, secret = token_of(person())
    check(secret)
    with django_capture_on_commit_callbacks(execute=True):
        revoke_token(token, now=clock.now())
    with pytest.raises(NotAuthenticated):
        check(secret)


def test_token_revoked_by_another_process_is_refused_within_the_cache_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Five seconds is the longest that a revoked token lives on elsewhere."""
    token, secret = token_of(person())
    start = monotonic()
    monkeypatch.setattr("accounts.authentication.monotonic", lambda: start)
    check(secret)
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=clock.now())
    assert check(secret) == token
    monkeypatch.setattr("accounts.authentication.monotonic", lambda: start + 5)
    with pytest.raises(NotAuthenticated):
        check(secret)


def test_expired_token_is_refused_even_when_checked_a_moment_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The expiry is read at every use."""
    now = clock.now()
    _, secret = token_of(person(), expires_at=now + timedelta(minutes=1))
    check(secret)
    later = now + timedelta(minutes=1)
    monkeypatch.setattr("core.clock.now", lambda: later)
    with pytest.raises(NotAuthenticated):
        check(secret)


def test_token_of_a_deactivated_person_is_refused() -> None:
    """A token ends with its owner."""
    alice = person()
    _, secret = token_of(alice)
    alice.is_active = False
    alice.save()
    with pytest.raises(NotAuthenticated):
        check(secret)


def test_wrong_scope_is_named() -> None:
    """The refusal says which scope is missing."""
    _, secret = token_of(person(), Scope.READ)
    with pytest.raises(Forbidden, match='lacks the scope "ingest"'):
        check(secret, "ingest")


def test_token_never_exceeds_what_its_owner_is_now() -> None:
    """A lower role takes effect on tokens made before."""
    alice = person(role=Role.MANAGER)
    _, secret = token_of(alice, Scope.READ, Scope.WRITE)
    alice.role = Role.VIEWER
    alice.save()
    assert check(secret, "read")
    with pytest.raises(Forbidden, match="owner no longer is"):
        check(secret, "write")


def test_busy_sender_costs_no_query_per_request(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    """After the first request of a token none asks the database for some seconds."""
    _, secret = token_of(person(), Scope.INGEST)
    check(secret, "ingest")
    with django_assert_num_queries(0):
        for _ in range(10):
            check(secret, "ingest")


def test_last_use_is_noted_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The note is exact to a minute and costs one write a minute."""
    start = clock.now()
    token, secret = token_of(person(), now=start)
    seen = []
    for seconds in (0, 30, 59, 60, 90):
        at = start + timedelta(seconds=seconds)
        monkeypatch.setattr("core.clock.now", lambda at=at: at)
        authentication.forget_tokens()
        check(secret)
        token.refresh_from_db()
        seen.append(token.last_used_at)
    minute = start + timedelta(minutes=1)
    assert seen == [start, start, start, minute, minute]


def test_memory_of_checked_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many tokens do not fill the memory; the oldest is looked up again."""
    monkeypatch.setattr(authentication, "_CACHE_SIZE", 2)
    alice = person()
    secrets = [token_of(alice)[1] for _ in range(4)]
    for secret in secrets:
        check(secret)
    assert len(authentication._checked._rows) == 2


def test_token_is_stored_as_a_keyed_hash_only() -> None:
    """Nothing in the row lets anyone use the token."""
    token, secret = token_of(person())
    row = ApiToken.objects.filter(pk=token.pk).values().get()
    assert secret not in str(row)
    assert secret.rpartition("_")[2] not in str(row)
    assert len(secret.split("_", 2)[2]) >= 43
    assert token.masked == f"srp_{token.lookup}_…"


def test_pepper_is_part_of_the_hash(settings: Settings) -> None:
    """Another pepper makes every stored token useless: a stolen table alone is worth nothing."""
    _, secret = token_of(person())
    settings.TOKEN_PEPPER = "another"
    with pytest.raises(NotAuthenticated):
        check(secret)


@pytest.mark.parametrize("secret", [None, UNKNOWN])
def test_api_answers_401_with_a_challenge(client: Client, secret: str | None) -> None:
    """A program learns that it must authenticate, as a problem document."""
    answer = client.get("/api/v1/services/", headers=bearer(secret) if secret else {})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 401


def test_api_answers_403_naming_the_scope(client: Client) -> None:
    """Reading needs "read", changing needs "write", whatever the owner's role is."""
    admin = person(role=Role.ADMIN)
    _, ingest_only = token_of(admin, Scope.INGEST)
    _, read_only = token_of(admin, Scope.READ)
    refused = client.get("/api/v1/services/", headers=bearer(ingest_only))
    assert (refused.status_code, '"read"' in refused.json()["detail"]) == (403, True)
    assert client.get("/api/v1/services/", headers=bearer(read_only)).status_code == 200
    refused = client.post(
        "/api/v1/services/", {}, content_type="application/json", headers=bearer(read_only)
    )
    assert (refused.status_code, '"write"' in refused.json()["detail"]) == (403, True)


def test_api_answers_403_naming_the_role(client: Client) -> None:
    """A token with the scope does not lift its owner above their role."""
    _, secret = create_token(
        user=person(role=Role.RESPONDER), name="n", scopes=["write"], now=clock.now()
    )
    answer = client.post(
        "/api/v1/services/", {}, content_type="application/json", headers=bearer(secret)
    )
    assert answer.status_code == 403
    assert "manager" in answer.json()["detail"]
