"""Bodies as a server hands them over: in chunks, cut short, or longer than anything that is read."""

import io
import json
import re
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client, RequestFactory

from accounts.authentication import forget_tokens
from accounts.models import User
from accounts.roles import Role
from accounts.services.tokens import create_token
from catalog.models import Service
from core import clock
from core.wsgi import WholeBodies
from sreportal.wsgi import application
from users_api.models import Person

pytestmark = pytest.mark.django_db

LIMIT = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
PERSON = {"name": "Ann", "email": "ann@example.org"}
EVENT = {"service": "users-api", "endpoint": "x", "status": 200, "duration_ms": 1}
USERS, EVENTS, IMPORT = "/api/users", "/api/v1/telemetry/requests", "/api/v1/services/import/"


@pytest.fixture
def sender() -> Any:
    """The client of somebody who may do anything, as behind the portal's WSGI entry."""
    forget_tokens()
    alice = User.objects.create_user("alice", role=Role.ADMIN)
    scopes = ["read", "write", "ingest"]
    _, token = create_token(user=alice, name="sender", scopes=scopes, now=clock.now())
    client: Any = Client(headers={"Authorization": f"Bearer {token}"})
    handler = client.handler
    whole: Any = WholeBodies(lambda environ, _: handler(environ), limit=LIMIT)
    client.handler = lambda environ: whole(environ, None)
    return client


def ask(sender: Any, method: str, path: str, body: Any, **environ: Any) -> tuple[int, Any]:
    """Return status and JSON of a request as a server hands it over."""
    sent: dict[str, Any] = {
        "CONTENT_TYPE": "application/json",
        "wsgi.input": body if hasattr(body, "read") else io.BytesIO(body),
        **environ,
    }
    response = sender.generic(method, path, **sent)
    return response.status_code, response.json()


def in_chunks(sender: Any, method: str, path: str, body: Any, **more: Any) -> tuple[int, Any]:
    """Send without a length; the server finds the end of the chunks."""
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    return ask(sender, method, path, body, **chunked, **more)


def test_the_portal_is_entered_through_it() -> None:
    """What is shown here holds for the portal."""
    assert isinstance(application, WholeBodies)


def test_chunks_are_a_body_everywhere(sender: Any) -> None:
    """What is sent in chunks is stored, changed and counted like anything else."""
    Service.objects.create(slug="users-api", name="Users API")
    status, made = in_chunks(sender, "POST", USERS, json.dumps(PERSON).encode())
    assert status == 201
    status, changed = in_chunks(sender, "PATCH", f"{USERS}/{made['id']}", b'{"name": "Bea"}')
    assert (status, changed["name"]) == (200, "Bea")
    status, taken = in_chunks(sender, "POST", EVENTS, json.dumps([EVENT] * 3).encode())
    assert (status, taken["accepted"]) == (200, 3)


@pytest.mark.parametrize("path", [USERS, EVENTS, "/api/v1/services/"])
def test_chunks_have_a_limit(sender: Any, path: str) -> None:
    """Reading stops there: a size that nobody announced costs no more memory."""
    endless = io.BytesIO(bytes(2 * LIMIT))
    status, refusal = in_chunks(sender, "POST", path, endless)
    assert (status, *refusal["errors"]) == (413, "body")
    assert endless.tell() == LIMIT + 1


class Broken(io.BytesIO):
    """Chunks of which no more come."""

    def read(self, size: int | None = -1) -> bytes:
        """Return what is there, then fail."""
        part = super().read(size)
        if not part:
            raise ConnectionResetError
        return part


@pytest.mark.parametrize("path", [USERS, EVENTS, IMPORT])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_half_a_body_does_nothing(sender: Any, path: str, is_chunked: bool) -> None:
    """A connection that broke leaves nothing half done, even where half would be valid too."""
    whole = b"kind: Component\nmetadata: {name: checkout}\n" if path == IMPORT else b"[]"
    kind = "application/yaml" if path == IMPORT else "application/json"
    if is_chunked:
        status, refusal = in_chunks(sender, "POST", path, Broken(whole), CONTENT_TYPE=kind)
    else:
        longer = str(len(whole) + 1)
        status, refusal = ask(sender, "POST", path, whole, CONTENT_TYPE=kind, CONTENT_LENGTH=longer)
    assert status == 400
    assert refusal["errors"] == {"body": ["Ended before it was complete."]}
    assert not Person.objects.exists()
    assert not Service.objects.filter(slug="checkout").exists()


POSTS: list[tuple[int, str, bytes, dict[str, Any]]] = [
    (400, "/v2/enqueue", b'{"routing_key": "a"}', {}),
    (404, "/v2/nothing-here", b"{}", {}),
    (400, "/v2/enqueue", b"{}", {"HTTP_HOST": "elsewhere.example.org"}),
    (401, EVENTS, b"{}", {}),
    (404, "/integrations/v1/generic/none/", b"{}", {"HTTP_X_REQUEST_ID": "given-by-them"}),
    (403, "/integrations/", b"{}", {}),
]


@pytest.mark.parametrize(("status", "path", "body", "more"), POSTS)
def test_a_whole_post_is_answered_as_by_wsgi(
    status: int, path: str, body: bytes, more: dict[str, Any]
) -> None:
    """Word by word, but for the request's own number."""
    environ = RequestFactory().post(path, body, content_type="application/json", **more).environ
    told: list[Any] = []
    answer = application({**environ}, lambda *said: told.extend(said))
    assert application.posts is not None
    given, headers, content = application.posts({**environ}, body)
    assert given == told[0]
    assert given.startswith(str(status))
    assert list(map(_same_each_time, headers)) == list(map(_same_each_time, told[1]))
    assert _NUMBER.sub(b"", content) == _NUMBER.sub(b"", b"".join(answer))


_NUMBER = re.compile(rb"[0-9A-Za-z]{32,}|nonce-[^']+|expires=[^;]+")


def _same_each_time(header: tuple[str, str]) -> tuple[str, bytes]:
    return header[0], _NUMBER.sub(b"", header[1].encode())


def test_a_whole_post_that_breaks_a_view_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answered, logged, and no end of the thread."""
    monkeypatch.setattr("incidents.webhooks.pagerduty.raw_request", lambda _: 1 / 0)
    environ = RequestFactory().post("/v2/enqueue", b"{}", content_type="application/json").environ
    assert application.posts is not None
    status, headers, _ = application.posts(environ, b"{}")
    assert status == "500 Internal Server Error"
    assert "X-Content-Type-Options" in dict(headers)


@pytest.mark.django_db(transaction=True)
def test_a_whole_post_after_its_connection_broke_is_answered() -> None:
    """As after a restart of the database: the next request of the thread opens another."""
    body = json.dumps({"routing_key": "0" * 32}).encode()
    environ = RequestFactory().post("/v2/enqueue", body, content_type="application/json").environ
    assert application.posts is not None
    connection.ensure_connection()
    connection.connection.close()
    for _ in range(2):
        status, _, answer = application.posts({**environ}, body)
        assert (status, b"is not known" in answer) == ("400 Bad Request", True)
