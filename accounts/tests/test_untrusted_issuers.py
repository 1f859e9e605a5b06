"""Issuers that lie, are away, or say what nobody expects: a page, and nobody is signed in."""

import math
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts import oidc
from accounts.models import User
from accounts.oidc import transport
from accounts.tests.openid_issuer import (
    CLIENT_ID,
    CLIENT_SECRET,
    OTHER_KEY,
    Issuer,
    running_issuer,
    signed,
)
from accounts.tests.openid_sign_in import (
    LOGIN,
    acts,
    assert_refused,
    changed,
    issuer,
    issuer_server,
    leave,
    sign_in,
    visit_issuer,
    who,
)

__all__ = ["issuer", "issuer_server"]

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "values",
    [
        {"iss": "https://evil.example"},
        {"nonce": "another sign-in's"},
        {"nonce": None},
        {"nonce": 7},
        {"aud": "another-client"},
        {"aud": [CLIENT_ID, "another-client"]},
        {"azp": "another-client"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": None},
        {"iat": 4_000_000_000},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 192},
        {"sub": "7\0"},
        {"sub": "\ud800"},
        {"nonce": "\ud800"},
        {"exp": math.inf},
        {"iat": math.inf},
        {"nbf": math.inf},
    ],
    ids=str,
)
def test_id_token_for_another_purpose_is_refused(
    client: Client, issuer: Issuer, values: dict[str, Any]
) -> None:
    """Wrong issuer, nonce, audience, party, time or subject: a page, no account, an audit line."""
    issuer.faults.claims = changed(**values)
    assert_refused(client, sign_in(client), "can be trusted")
    assert not User.objects.exists()
    assert acts() == ["user.sign_in_failed"]


def unsigned(claims: dict[str, Any]) -> str:
    """Return an ID token that nobody signed."""
    return jwt.encode(claims, "", "none", headers={"kid": "signs"})


def signed_with_what_is_public(claims: dict[str, Any]) -> str:
    """Return an ID token whose signature is keyed with the client's secret, not the issuer's."""
    return jwt.encode(claims, CLIENT_SECRET.ljust(32), "HS256", headers={"kid": "signs"})


@pytest.mark.parametrize(
    "sign",
    [
        unsigned,
        signed_with_what_is_public,
        lambda claims: signed(claims, OTHER_KEY),
        lambda claims: signed(claims, kid="nobody's"),
        lambda claims: signed(claims, OTHER_KEY, kid="encrypts"),
        lambda claims: "not.a.token",
        lambda claims: "é",
        lambda claims: None,
    ],
)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_id_token_that_the_issuer_did_not_sign_is_refused(
    client: Client, issuer: Issuer, sign: Callable[[dict[str, Any]], str]
) -> None:
    """Signed by nobody, by a secret, by another key or by one that is not for signing."""
    issuer.faults.sign = sign
    assert_refused(client, sign_in(client), "can be trusted")
    assert not User.objects.exists()


def test_userinfo_of_another_subject_is_refused(client: Client, issuer: Issuer) -> None:
    """Else a token could be dressed with somebody else's address."""
    issuer.faults.userinfo = changed(sub="issuer-8")
    assert_refused(client, sign_in(client), "can be trusted")


@pytest.mark.parametrize(
    "description",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "ftp://127.0.0.1/"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": 7},
        {"userinfo_endpoint": "file:///etc/passwd"},
        {"token_endpoint": "https://["},
    ],
    ids=str,
)
def test_description_of_another_issuer_is_refused(
    client: Client, issuer: Issuer, description: dict[str, Any]
) -> None:
    """The page says so before anybody is sent anywhere."""
    issuer.faults.description = description
    assert_refused(client, client.post(LOGIN), "can be trusted")


@pytest.mark.parametrize(
    "path", ["/.well-known/openid-configuration", "/token", "/jwks", "/userinfo"]
)
@pytest.mark.parametrize(
    "answer",
    [
        (500, b"{}"),
        (302, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"\xff"),
        (200, b"x" * 300_000),
        (200, b"[" * 200_000),
        (200, b'{"keys": 7}'),
        (200, b'{"keys": [7, {"kty": "RSA", "n": 7, "e": []}]}'),
    ],
    ids=lambda answer: f"{answer[0]}-{answer[1][:6]!r}",
)
def test_issuer_that_answers_nonsense_is_a_page(
    client: Client, issuer: Issuer, path: str, answer: tuple[int, bytes]
) -> None:
    """Wherever it happens, before leaving or after coming back."""
    back = visit_issuer(leave(client))
    issuer.faults.answers[path] = answer
    assert_refused(client, client.get(back), "can be trusted")
    if "well-known" in path:
        assert_refused(client, client.post(LOGIN), "can be trusted")


def test_issuer_that_is_away_is_a_page(client: Client, settings: Settings) -> None:
    """Nobody listens at its port."""
    with running_issuer() as gone:
        address = gone.address
    settings.SOCIALACCOUNT_PROVIDERS = oidc.providers(
        issuer=address, name="Company", client_id=CLIENT_ID, secret=CLIENT_SECRET
    )
    assert_refused(client, client.post(LOGIN), "can be trusted")


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token"])
def test_issuer_that_trickles_meets_a_total_deadline(
    client: Client, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A byte now and then does not hold a request for ever."""
    back = visit_issuer(leave(client))
    monkeypatch.setattr(transport, "DEADLINE_S", 0.6)
    issuer.faults.trickle = path
    began = time.monotonic()
    assert_refused(client, client.get(back), "can be trusted")
    assert time.monotonic() - began < 3


def test_issuer_may_keep_its_word_without_userinfo_and_with_a_slash(
    client: Client, issuer: Issuer, settings: Settings
) -> None:
    """What the specification leaves open works: claims in the ID token, a name ending in a slash."""
    issuer.faults.description = {"userinfo_endpoint": f"{issuer.address}/none"}
    issuer.faults.answers["/none"] = (200, b'{"sub": "issuer-7"}')
    issuer.faults.claims = changed(email="alice@example.com", email_verified="true")
    providers = settings.SOCIALACCOUNT_PROVIDERS
    providers["openid_connect"]["APPS"][0]["settings"]["server_url"] += "/"
    sign_in(client)
    assert who(client) is not None


def test_claims_of_odd_shape_are_a_page_or_a_person(client: Client, issuer: Issuer) -> None:
    """Numbers for names, NUL, and more than a column holds: what cannot be a name is left out."""
    issuer.person |= {
        "preferred_username": ["x"],
        "name": {"a": 1},
        "given_name": "A\0\ud800" + "l" * 500,
        "family_name": 7,
    }
    sign_in(client)
    alice = User.objects.get()
    assert len(alice.first_name) <= 150
    assert "\0" not in alice.first_name
    wrong = (7, "a" * 300 + "@example.com", "no address", "al\0ice@example.com", "\ud800@x.example")
    for address in wrong:
        issuer.person |= {"sub": "issuer-9", "email": address}
        stranger = Client()
        assert_refused(stranger, sign_in(stranger), "does not confirm")


def test_error_of_the_issuer_is_a_page(client: Client, issuer: Issuer) -> None:
    """Its words are not repeated; somebody who stopped it is told so."""
    issuer.faults.error = "server_error"
    answer = sign_in(client)
    assert_refused(client, answer, "Try again")
    assert "as asked" not in answer.content.decode()
    issuer.faults.error = "access_denied"
    back = sign_in(client)
    assert back["Location"] == "/accounts/3rdparty/login/cancelled/"
    assert "stopped it" in client.get(back["Location"]).content.decode()
    assert who(client) is None
