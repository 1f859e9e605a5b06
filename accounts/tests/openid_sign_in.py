"""Signing in through the issuer of `openid_issuer`, as a browser does."""

import html
import re
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from accounts import oidc
from accounts.models import User
from accounts.tests.openid_issuer import (
    CLIENT_ID,
    CLIENT_SECRET,
    Issuer,
    running_issuer,
)
from core.models import AuditEntry

LOGIN = "/accounts/oidc/oidc/login/"

ALICE = {
    "sub": "issuer-7",
    "email": "alice@example.com",
    "email_verified": True,
    "preferred_username": "alice",
    "given_name": "Alice",
    "family_name": "Liddell",
}


@pytest.fixture(scope="module")
def issuer_server() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture
def issuer(issuer_server: Issuer, settings: Settings) -> Issuer:
    """The configured issuer, at which Alice is signed in and nothing goes wrong."""
    issuer_server.person, issuer_server.faults = dict(ALICE), type(issuer_server.faults)()
    issuer_server.asked.clear()
    settings.SOCIALACCOUNT_PROVIDERS = oidc.providers(
        issuer=issuer_server.address, name="Company", client_id=CLIENT_ID, secret=CLIENT_SECRET
    )
    cache.clear()
    return issuer_server


def leave(client: Client, query: str = "", **form: str) -> str:
    """Press the button and return the address at the issuer that the page leads to."""
    answer = client.post(LOGIN + query, form)
    found = re.search(r"0;URL='([^']+)'", answer.content.decode())
    assert (answer.status_code, bool(found)) == (200, True), answer.content.decode()
    assert found
    return html.unescape(found[1])


def visit_issuer(address: str) -> str:
    """Open an address at the issuer, which sends the browser back, and return where to."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.netloc, timeout=5)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    connection.close()
    assert answer.status == 302
    back = urlsplit(str(answer.getheader("Location")))
    assert back.netloc == "testserver"
    return f"{back.path}?{back.query}"


def sign_in(client: Client) -> HttpResponse:
    """Go to the issuer and come back."""
    back: Any = client.get(visit_issuer(leave(client)))
    return back  # type: ignore[no-any-return]


def who(client: Client) -> User | None:
    """Return who is signed in."""
    key = client.session.get("_auth_user_id")
    return User.objects.get(pk=key) if key else None


def acts() -> list[str]:
    """Return what the audit tells, oldest first."""
    return list(AuditEntry.objects.order_by("seq").values_list("act", flat=True))


def assert_refused(client: Client, answer: Any, words: str) -> None:
    """Nobody is signed in, the page says why, and shows nothing of the exchange."""
    body = answer.content.decode()
    assert answer.status_code == 401
    assert words in body
    assert "Back to sign-in" in body
    assert who(client) is None
    assert CLIENT_SECRET not in body


def changed(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what replaces claims; None removes one."""

    def change(claims: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in {**claims, **values}.items() if v is not None}

    return change
