"""The shortcut of `telemetry.middleware` answers as the view behind it does."""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client
from django.urls import resolve

from accounts.authentication import forget_tokens
from accounts.models import User
from accounts.permissions import RoleAndScope
from accounts.scopes import Scope
from telemetry import http_body
from telemetry.api import IngestView
from telemetry.domain.batches import FRESHNESS, REQUESTS, Kind
from telemetry.middleware import WAYS
from telemetry.models import BatchReceipt, TelemetryDelta
from telemetry.otlp_api import ExportView
from telemetry.services import delta_log
from telemetry.services.writers import forget_writers
from telemetry.tests.builders import event, fresh_report, make_service
from telemetry.tests.conftest import client_of
from telemetry.tests.otlp import DELTA, counter, export
from telemetry.tests.test_api import BAD_FIELDS, BAD_ROWS, URL
from telemetry.tests.test_otlp_api import fresh

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SHORTCUT = "telemetry.middleware.IngestMiddleware"
FRESHNESS_URL = "/api/v1/telemetry/freshness"
METRICS_URL = "/v1/metrics"
PROTOBUF = "application/x-protobuf"
KINDS: dict[str, Kind[Any]] = {URL: REQUESTS, FRESHNESS_URL: FRESHNESS}
# Which the framework adds on the long way, and which change nothing for who reads a kept batch.
FRAMEWORK_S = {"Allow", "Vary"}
# Pages, such as that of a wrong host, hold another one each time.
CSRF_TOKEN = re.compile(r'"X-CSRFToken": "\w+"')


@dataclass(frozen=True)
class Sent:
    """One request, and the status that it must come to."""

    status: int
    body: Any
    content_type: str = "application/json"
    url: str = URL
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        """The bytes that are sent."""
        if callable(self.body):
            return bytes(self.body())
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def _row(changes: dict[str, Any]) -> dict[str, Any]:
    body = fresh_report()
    body["requests"][0] |= changes
    return body


def _line(*elements: bytes) -> bytes:
    return b"\n".join(elements)


GOOD = json.dumps(event()).encode()
GZIP = {"Content-Encoding": "gzip"}
FRESH = {"service": "users-api", "source": "orders", "age_s": 12}
LONG = b"[" + b" " * http_body.MAX_BYTES + b"]"
UNREADABLE = [b"", b" ", b"nope", b"[", b"1", b"null", b"\xff\xfe[]", b"[" * 100_000,
              b'[{"service":"\xff"}]']  # fmt: skip
CASES = [
    Sent(200, [event(), event(status=500)]),
    Sent(200, []),
    Sent(200, event()),
    Sent(200, fresh_report()),
    Sent(200, [FRESH, FRESH | {"age_s": -1}], url=FRESHNESS_URL),
    Sent(400, [FRESH | {"age_s": -1}], url=FRESHNESS_URL),
    Sent(200, gzip.compress(GOOD, mtime=0), headers=GZIP),
    Sent(200, _line(GOOD, b"{oops", GOOD), "application/x-ndjson"),
    Sent(400, _line(b"{oops"), "application/x-ndjson"),
    Sent(200, [event(), *[None, 1, "x", [], True]]),
    *[Sent(200, [event(), event(**changes)]) for changes, _ in BAD_FIELDS],
    *[
        Sent(404 if "nobody" in changes.values() else 400, [event(**changes)])
        for changes, _ in BAD_FIELDS
    ],
    *[Sent(200, _row(changes)) for changes, _ in BAD_ROWS],
    *[Sent(404, fresh_report() | {"service": "nobody"}), Sent(400, fresh_report() | {"covers": 5})],
    *[Sent(400, body) for body in UNREADABLE],
    Sent(400, gzip.compress(GOOD)[:20], headers=GZIP),
    Sent(400, [event()], headers=GZIP),
    Sent(413, LONG),
    Sent(413, gzip.compress(LONG), headers=GZIP),
    Sent(415, [event()], "text/plain"),
    Sent(415, [event()], "multipart/form-data; boundary=x"),
    Sent(415, [event()], "application/json; charset=latin-1"),
    Sent(415, [event()], headers={"Content-Encoding": "br"}),
    Sent(400, [event()], headers={"Idempotency-Key": "k" * 201}),
    Sent(400, [event()], headers={"Host": "elsewhere.example"}),
    Sent(401, [event()], headers={"Authorization": ""}),
    Sent(401, [event()], headers={"Authorization": "Bearer srp_nothing"}),
    Sent(401, [event()], headers={"Authorization": "Basic YTpi"}),
    Sent(401, b"nope", "text/plain", headers={"Authorization": ""}),
]


def _exported(*values: float, **changes: Any) -> Callable[[], bytes]:
    """Return what makes an export of a counter, whose points must be of the moment."""
    return lambda: export(counter(*map(fresh, values), **changes)).SerializeToString()


METRICS = [
    Sent(200, _exported(1), PROTOBUF, METRICS_URL),
    Sent(200, _exported(1, -1), PROTOBUF, METRICS_URL),
    Sent(200, _exported(1, temporality=DELTA), PROTOBUF, METRICS_URL),
    Sent(200, b"", PROTOBUF, METRICS_URL),
    Sent(200, {"resourceMetrics": []}, url=METRICS_URL),
    Sent(200, gzip.compress(b"", mtime=0), PROTOBUF, METRICS_URL, GZIP),
    Sent(400, b"\xff", PROTOBUF, METRICS_URL),
    Sent(400, b"nope", url=METRICS_URL),
    Sent(400, gzip.compress(GOOD)[:20], PROTOBUF, METRICS_URL, GZIP),
    Sent(413, LONG, PROTOBUF, METRICS_URL),
    Sent(415, b"", "text/plain", METRICS_URL),
    Sent(415, b"", PROTOBUF, METRICS_URL, {"Content-Encoding": "br"}),
    Sent(400, _exported(1), PROTOBUF, METRICS_URL, {"Host": "elsewhere.example"}),
    Sent(401, _exported(1), PROTOBUF, METRICS_URL, {"Authorization": ""}),
    Sent(401, b"nope", "text/plain", METRICS_URL, {"Authorization": "Bearer srp_nothing"}),
]


@dataclass(frozen=True)
class Ways:
    """One client whose requests may take the shortcut, and one whose requests may not."""

    short: Client
    long: Client


@pytest.fixture
def ways(alice: User) -> Iterator[Ways]:
    """Two clients with a token each of the same owner."""
    make_service()
    forget_writers()
    yield _ways(alice, "ingest")
    forget_tokens()


def _ways(owner: User, *scopes: str) -> Ways:
    ways = Ways(client_of(owner, *scopes), client_of(owner, *scopes))
    # The chain is built by hand, as the settings must be others while it is.
    without = [name for name in settings.MIDDLEWARE if name != SHORTCUT]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "MIDDLEWARE", without)
        ways.long.handler.load_middleware()
    return ways


def _post(client: Client, sent: Sent) -> Any:
    return client.post(
        sent.url,
        sent.data,
        content_type=sent.content_type,
        headers=sent.headers,
        CONTENT_TYPE=sent.content_type,
    )


def _said(response: Any) -> tuple[int, Any]:
    if response["Content-Type"] == PROTOBUF:
        return response.status_code, response.content
    text = response.content.decode().replace(response["X-Request-ID"], "")
    text = CSRF_TOKEN.sub("", text)
    return response.status_code, json.loads(text) if "json" in response["Content-Type"] else text


def _headers(response: Any) -> dict[str, str]:
    own = FRAMEWORK_S | {"Content-Length", "Content-Security-Policy", "X-Request-ID"}
    return {name: value for name, value in response.items() if name not in own}


@pytest.mark.parametrize("sent", [*CASES, *METRICS])
def test_both_ways_say_the_same_and_keep_the_same(ways: Ways, sent: Sent) -> None:
    """Status, body, headers and what is stored do not tell which way a batch took."""
    short = _post(ways.short, sent)
    kept = [bytes(row) for row in TelemetryDelta.objects.values_list("payload", flat=True)]
    long = _post(ways.long, sent)
    assert short.status_code == sent.status
    assert _said(short) == _said(long)
    assert _headers(short) == _headers(long)
    assert TelemetryDelta.objects.count() == 2 * len(kept)
    holds_something = callable(sent.body) or (sent.body != [] and sent.url != METRICS_URL)
    assert len(kept) == (1 if sent.status == 200 and holds_something else 0)


def test_only_what_was_kept_takes_the_shortcut(ways: Ways) -> None:
    """Otherwise the comparison above would compare the view with itself."""
    assert not hasattr(_post(ways.short, Sent(200, [event()])), "renderer_context")
    assert hasattr(_post(ways.long, Sent(200, [event()])), "renderer_context")
    assert not hasattr(_post(ways.short, Sent(200, [])), "renderer_context")
    assert hasattr(_post(ways.short, Sent(400, [event(status=1)])), "renderer_context")
    assert "Allow" not in _post(ways.short, METRICS[0])
    assert "Allow" in _post(ways.long, METRICS[0])


def test_a_key_means_the_same_on_both_ways(ways: Ways) -> None:
    """What came one way is replayed on the other, and another body under its key conflicts."""
    ways.long.defaults = ways.short.defaults
    body = Sent(200, [event(), event(status=1)], headers={"Idempotency-Key": "k-1"})
    first, short, long = (_post(client, body) for client in (ways.long, ways.short, ways.long))
    assert _said(first) == _said(short) == _said(long)
    assert "Idempotency-Replayed" not in first
    assert short["Idempotency-Replayed"] == long["Idempotency-Replayed"] == "true"
    assert (TelemetryDelta.objects.count(), BatchReceipt.objects.count()) == (1, 1)
    other = Sent(409, [event()], headers={"Idempotency-Key": "k-1"})
    conflicts = [_post(client, other) for client in (ways.short, ways.long)]
    assert _said(conflicts[0]) == _said(conflicts[1])
    assert conflicts[0].status_code == 409


@pytest.mark.parametrize("scope", ["read", "write", "chaos"])
def test_no_other_scope_lets_anything_in(alice: User, scope: str) -> None:
    """Reading is not sending, on either way."""
    make_service()
    ways = _ways(alice, scope)
    for sent in (Sent(403, [event()]), METRICS[0]):
        short, long = (_post(client, sent) for client in (ways.short, ways.long))
        assert _said(short) == _said(long)
        assert short.status_code == 403
    assert not TelemetryDelta.objects.exists()


@pytest.mark.parametrize("url", sorted(WAYS))
def test_the_shortcut_is_one_of_a_view(url: str) -> None:
    """What it takes, the route of that address takes, with the same events and the same scope."""
    view: Any = getattr(resolve(url).func, "cls", None)
    assert issubclass(view, IngestView | ExportView)
    assert getattr(view, "kind", None) is KINDS.get(url)
    assert view.write_scope == Scope.INGEST
    assert RoleAndScope in view.permission_classes


@pytest.mark.parametrize("url", sorted(WAYS))
def test_a_signed_in_person_sends_nothing(alice: User, url: str) -> None:
    """A browser's session is no token: a page elsewhere cannot make it report."""
    make_service()
    client = Client()
    client.force_login(alice)
    assert client.post(url, [event()], content_type="application/json").status_code == 401
    assert not TelemetryDelta.objects.exists()


@pytest.mark.parametrize("address", ["/API/v1/telemetry/requests", f"/x/..{URL}"])
def test_other_spellings_of_the_address_are_not_taken(ways: Ways, address: str) -> None:
    """The shortcut knows the addresses of the routes and no more."""
    response = _post(ways.short, Sent(404, [event()], url=address))
    assert response.status_code == _post(ways.long, Sent(404, [event()], url=address)).status_code
    assert response.status_code in {302, 404}
    assert not TelemetryDelta.objects.exists()


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "head", "options"])
def test_other_methods_take_the_long_way(ways: Ways, method: str) -> None:
    """Nothing but a POST is a batch."""
    answers = [getattr(client, method)(URL) for client in (ways.short, ways.long)]
    assert answers[0].status_code == answers[1].status_code
    assert answers[0].status_code in ({200, 403} if method == "options" else {405, 403})


def test_a_silent_database_is_503_on_both_ways(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said to be kept that was not committed."""

    def down(*_: Any, **__: Any) -> None:
        raise OperationalError("the disk is full")

    monkeypatch.setattr(delta_log, "append", down)
    short, long = (_post(client, Sent(503, [event()])) for client in (ways.short, ways.long))
    assert _said(short) == _said(long)
    assert short.status_code == 503
    assert short["Retry-After"] == long["Retry-After"]


def test_a_fault_of_ours_is_500_without_a_trace_on_both_ways(
    ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody expected is worded where all faults are."""

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(delta_log, "append", broken)
    short, long = (_post(client, Sent(500, [event()])) for client in (ways.short, ways.long))
    assert _said(short) == _said(long)
    assert short.status_code == 500
    assert b"secret" not in short.content


def test_a_kept_batch_may_load_nothing_and_be_framed_nowhere(ways: Ways) -> None:
    """The policy of the shortcut is at least as strict as that of pages."""
    short, long = (_post(client, Sent(200, [event()])) for client in (ways.short, ways.long))
    policy = short["Content-Security-Policy"]
    for part in ("default-src", "base-uri", "form-action", "frame-ancestors"):
        assert f"{part} 'none'" in policy
        assert part in long["Content-Security-Policy"]


def test_insecure_requests_are_sent_to_https_first(ways: Ways, settings: Any) -> None:
    """The redirect comes before the shortcut, so no token is taken over plain HTTP."""
    settings.SECURE_SSL_REDIRECT = True
    ways.short.handler.load_middleware()
    assert _post(ways.short, Sent(301, [event()])).status_code == 301
    assert not TelemetryDelta.objects.exists()
