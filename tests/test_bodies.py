"""Bodies that nobody should send, at every address that takes one: refused in words, never a 5xx."""

import io
from typing import Any

import pytest
from django.test import Client

from accounts.authentication import forget_tokens
from accounts.models import User
from accounts.roles import Role
from accounts.services.tokens import create_token
from catalog.models import Service
from core import clock
from incidents.tests.senders import integration_of
from sreportal.api_urls import router

pytestmark = pytest.mark.django_db

TOO_MUCH = 11 * 1024 * 1024
API = [
    "/api/users",
    *(f"/api/v1/{prefix}/" for prefix, view, _ in router.registry if hasattr(view, "create")),
]
PAGES = ["/oncall/policies/new/", "/contact/", "/admin/catalog/service/add/"]
SENDERS = ["/v1/metrics", "/v2/enqueue", "/generic/2010-04-15/create_event.json", "/v2/alerts"]


class Endless(io.RawIOBase):
    """A body that goes on for as long as it is read."""

    announced = TOO_MUCH

    def read(self, size: int = -1) -> bytes:
        """Return as much as is asked for."""
        return bytes(size if size >= 0 else TOO_MUCH)


class Stalled(io.RawIOBase):
    """A body of which nothing comes."""

    announced = 5_000

    def read(self, _size: int = -1) -> bytes:
        """Fail as a socket does when it has waited for too long."""
        raise BlockingIOError(11, "Resource temporarily unavailable")


def answer(client: Client, path: str, body: Endless | Stalled, **headers: str) -> Any:
    """Send a body, as JSON to programs and as a form to pages."""
    form = "application/x-www-form-urlencoded"
    sent: dict[str, Any] = {
        "wsgi.input": body,
        "CONTENT_LENGTH": str(body.announced),
        "CONTENT_TYPE": form if path in PAGES else "application/json",
    }
    return client.generic("POST", path, headers=headers, **sent)


@pytest.fixture
def signed_in(client: Client) -> Client:
    """Return the client of somebody who may do anything."""
    client.force_login(User.objects.create_user("alice", role=Role.ADMIN, is_superuser=True))
    return client


@pytest.mark.parametrize("path", API)
def test_too_much_is_413_and_a_stall_400(signed_in: Client, path: str) -> None:
    """The API says which of the two it was, with or without an idempotency key."""
    for headers in ({}, {"Idempotency-Key": "one"}):
        much = answer(signed_in, path, Endless(), **headers)
        assert (much.status_code, *much.json()["errors"]) == (413, "body")
        stalled = answer(signed_in, path, Stalled(), **headers)
        assert stalled.status_code == 400
        assert stalled.json()["errors"] == {"body": ["Ended before it was complete."]}


@pytest.mark.parametrize("path", [*PAGES, *SENDERS])
@pytest.mark.parametrize("body", [Endless(), Stalled()], ids=["endless", "stalled"])
def test_elsewhere_it_is_refused_too(signed_in: Client, path: str, body: Endless | Stalled) -> None:
    """Pages and addresses with formats of others refuse as they refuse anything.

    The client has the tokens of forms, so that forms are read.
    """
    assert 400 <= answer(signed_in, path, body).status_code < 500


DEEP = b"[" * 100_000 + b"]" * 100_000
EVENT = b'{"service": "a", "endpoint": "b", "status": 200, "duration_ms": 1, "x": %b}'


@pytest.mark.parametrize(
    "body", [DEEP, b'{"x": %b}' % DEEP, EVENT % DEEP, b"[%b]" % (EVENT % DEEP)]
)
@pytest.mark.parametrize(
    "path",
    [*SENDERS, "/api/users", "/api/v1/services/", "/api/v1/telemetry/requests",
     "/api/v1/telemetry/freshness", "/integrations/v1/generic/{key}/",
     "/integrations/v1/alertmanager/{key}/", "/integrations/v1/sentry/{key}/"],
)  # fmt: skip
def test_depth_is_no_error_of_ours(path: str, body: bytes) -> None:
    """JSON nested deeper than any decoder goes is refused, also where nobody asked for it."""
    forget_tokens()
    alice = User.objects.create_user("alice", role=Role.ADMIN)
    scopes = ["read", "write", "ingest"]
    _, token = create_token(user=alice, name="sender", scopes=scopes, now=clock.now())
    Service.objects.create(slug="a", name="A")
    _, key = integration_of(path.split("/")[3] if "{key}" in path else "generic")
    client = Client(headers={"Authorization": f"Bearer {token}"})
    answer = client.generic("POST", path.format(key=key), body, content_type="application/json")
    assert 400 <= answer.status_code < 500
