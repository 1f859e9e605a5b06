"""What a sender is answered."""

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from accounts.models import ApiToken, User
from catalog.models import Service
from telemetry import http_body
from telemetry.models import TelemetryDelta
from telemetry.services import delta_log
from telemetry.tests.builders import event, fresh_report, make_service
from telemetry.tests.conftest import client_of

URL = "/api/v1/telemetry/requests"
Post = Callable[..., Any]


@pytest.fixture
def service(db: None) -> Service:
    """The service that is reported for."""
    return make_service()


@pytest.fixture
def post(sender: Client, service: Service) -> Post:
    """Post a body, encoded as JSON unless it is bytes."""

    def send(
        body: Any, *, url: str = URL, content_type: str = "application/json", **headers: str
    ) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return sender.post(
            url, data, content_type=content_type, headers=headers, CONTENT_TYPE=content_type
        )

    return send


def test_a_batch_is_kept_and_counted(post: Post) -> None:
    """Accepted means committed to the log."""
    response = post([event(), event(status=500)])
    assert response.status_code == 200
    assert response.json() == {"accepted": 2, "rejected": [], "rejected_count": 0}
    assert TelemetryDelta.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "content_type", "headers"),
    [
        (gzip.compress(json.dumps([event()]).encode(), mtime=0), "application/json", {"Content-Encoding": "gzip"}),
        (b"\n".join([json.dumps(event()).encode()] * 2) + b"\n\n", "application/x-ndjson", {}),
        (gzip.compress(json.dumps(event()).encode(), mtime=0), "application/jsonl", {"Content-Encoding": "gzip"}),
        (json.dumps(event()).encode(), "application/json; charset=UTF-8", {"Accept": "text/plain"}),
        (json.dumps([event() | {"more": [1]}]).encode(), "application/json", {}),
        (b"[]", "application/json", {}),
    ],
)  # fmt: skip
def test_accepted_forms(
    post: Post, body: bytes, content_type: str, headers: dict[str, str]
) -> None:
    """JSON or NDJSON, gzip or plain; an empty batch and unknown fields are no errors."""
    response = post(body, content_type=content_type, **headers)
    assert response.status_code == 200
    assert response.json()["rejected_count"] == 0


BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"status": "200"}, "status"),
    ({"status": 99}, "status"),
    ({"status": 600}, "status"),
    ({"status": True}, "status"),
    ({"status": None}, "status"),
    ({"status": 10**30}, "status"),
    ({"duration_ms": -0.1}, "duration_ms"),
    ({"duration_ms": float("nan")}, "duration_ms"),
    ({"duration_ms": float("inf")}, "duration_ms"),
    ({"duration_ms": "12"}, "duration_ms"),
    ({"duration_ms": 1e18}, "duration_ms"),
    ({"endpoint": ""}, "endpoint"),
    ({"endpoint": "x" * 201}, "endpoint"),
    ({"endpoint": "/a\nb"}, "endpoint"),
    ({"endpoint": "/a\0b"}, "endpoint"),
    ({"endpoint": "\ud800"}, "endpoint"),
    ({"endpoint": 7}, "endpoint"),
    ({"service": None}, "service"),
    ({"service": "users-api\0"}, "service"),
    ({"service": "x" * 300}, "service"),
    ({"service": "nobody"}, "service"),
    ({"method": 5}, "method"),
    ({"timestamp": "yesterday"}, "timestamp"),
    ({"timestamp": "2026-11-23T10:00:00"}, "timestamp"),
    ({"timestamp": True}, "timestamp"),
    ({"timestamp": 0}, "timestamp"),
    ({"timestamp": -1e300}, "timestamp"),
    ({"timestamp": 4e9}, "timestamp"),
    ({"timestamp": 1e300}, "timestamp"),
    ({"timestamp": "0001-01-01T00:00:00Z"}, "timestamp"),
    ({"timestamp": "9999-12-31T23:59:59-12:00"}, "timestamp"),
    ({"timestamp": {}}, "timestamp"),
]


@pytest.mark.parametrize(("changes", "field"), BAD_FIELDS)
def test_a_bad_element_is_named_and_the_valid_rest_is_kept(
    post: Post, changes: dict[str, Any], field: str
) -> None:
    """One wrong value costs one element."""
    response = post([event(), event(**changes), event()])
    assert response.status_code == 200
    answer = response.json()
    assert (answer["accepted"], answer["rejected_count"]) == (2, 1)
    assert [(item["index"], item["field"]) for item in answer["rejected"]] == [(1, field)]
    assert answer["rejected"][0]["error"]


@pytest.mark.parametrize(("changes", "field"), BAD_FIELDS)
def test_a_batch_of_which_nothing_is_kept_is_refused_by_field(
    post: Post, changes: dict[str, Any], field: str
) -> None:
    """The refusal names the field; an unknown service is not found, the rest is invalid."""
    response = post([event(**changes)])
    is_unknown = changes.get("service") == "nobody"
    assert response.status_code == (404 if is_unknown else 400)
    assert list(response.json()["errors"]) == [f"[0].{field}"]
    assert not TelemetryDelta.objects.exists()


@pytest.mark.parametrize("field", ["service", "endpoint", "status", "duration_ms"])
def test_a_missing_field_is_named(post: Post, field: str) -> None:
    """Required fields are those without which an event means nothing."""
    body = event()
    del body[field]
    response = post([body])
    assert response.status_code == 400
    assert response.json()["errors"] == {f"[0].{field}": ["This field is required."]}


@pytest.mark.parametrize("element", [None, 1, "x", [], True])
def test_an_element_that_is_no_object_is_named_by_its_index(post: Post, element: object) -> None:
    """There is no field to name, so the element is."""
    response = post([event(), element])
    assert response.json()["rejected"][0]["index"] == 1
    assert response.json()["accepted"] == 1


def test_a_line_that_is_not_json_costs_only_itself(post: Post) -> None:
    """NDJSON lines stand alone."""
    good = json.dumps(event()).encode()
    response = post(b"\n".join([good, b"{oops", good]), content_type="application/x-ndjson")
    assert response.status_code == 200
    assert response.json()["accepted"] == 2
    assert response.json()["rejected"][0]["index"] == 1


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"nope", b"[", b'[{"service":', b"1", b'"x"', b"null", b"\xff\xfe[]", b"[" * 100_000,
     b"{" * 100_000, b'{"a":' * 100_000, b"[" + b"9" * 5000 + b"]", b'[{"service":"\xff"}]',
     "\ufeff[]".encode("utf-16")],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused(post: Post, body: bytes) -> None:
    """A problem document names the body, or the element in it; never a 5xx."""
    response = post(body)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["errors"]


@pytest.mark.parametrize(
    ("content_type", "headers", "status", "field"),
    [
        ("text/plain", {}, 415, "Content-Type"),
        ("multipart/form-data; boundary=x", {}, 415, "Content-Type"),
        ("", {}, 415, "Content-Type"),
        ("application/json; charset=latin-1", {}, 415, "Content-Type"),
        ("application/json", {"Content-Encoding": "br"}, 415, "Content-Encoding"),
        ("application/json", {"Content-Encoding": "gzip, gzip"}, 415, "Content-Encoding"),
        ("application/json", {"Content-Encoding": "gzip"}, 400, "body"),
        ("application/json", {"Idempotency-Key": "k" * 201}, 400, "Idempotency-Key"),
    ],
)
def test_types_and_headers_that_are_not_read(
    post: Post, content_type: str, headers: dict[str, str], status: int, field: str
) -> None:
    """The refusal names the header."""
    response = post([event()], content_type=content_type, **headers)
    assert response.status_code == status
    assert list(response.json()["errors"]) == [field]


@pytest.mark.parametrize("cut", [1, 8, 9, 20, -1])
def test_cut_gzip_is_refused(post: Post, cut: int) -> None:
    """Half a batch is no batch, even when half of it could be unpacked."""
    packed = gzip.compress(json.dumps([event()] * 50).encode())
    response = post(packed[:cut], **{"Content-Encoding": "gzip"})
    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["body"]


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
def test_too_large_a_body_is_refused(post: Post, headers: dict[str, str]) -> None:
    """The limit counts what was sent and what it unpacks to."""
    body = b"[" + b" " * http_body.MAX_BYTES + b"]"
    response = post(gzip.compress(body) if headers else body, **headers)
    assert response.status_code == 413


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_only_post_is_answered(alice: User, method: str) -> None:
    """Anything else is 405, as a problem document."""
    response = getattr(client_of(alice, "ingest", "read"), method)(URL)
    assert response.status_code == 405
    assert response.json()["code"] == "method_not_allowed"


def test_the_same_batch_again_is_answered_alike_and_stored_once(post: Post) -> None:
    """A sender that missed the answer may simply send again."""
    body = [event(), event(status=1)]
    first = post(body, **{"Idempotency-Key": "k-1"})
    again = post(body, **{"Idempotency-Key": "k-1"})
    assert first.json() == again.json()
    assert again["Idempotency-Replayed"] == "true"
    assert TelemetryDelta.objects.count() == 1


def test_a_key_used_for_another_batch_conflicts(post: Post) -> None:
    """Otherwise the second batch would be lost without a word."""
    post([event()], **{"Idempotency-Key": "k-1"})
    response = post([event(), event()], **{"Idempotency-Key": "k-1"})
    assert response.status_code == 409
    assert list(response.json()["errors"]) == ["Idempotency-Key"]


def test_a_refused_batch_may_be_corrected_under_its_key(post: Post) -> None:
    """What was not stored does not take its key."""
    assert post([event(status=1)], **{"Idempotency-Key": "k-1"}).status_code == 400
    assert post([event()], **{"Idempotency-Key": "k-1"}).status_code == 200


def test_a_silent_database_is_503_and_never_2xx(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender is told when to try again."""

    def down(*_: Any, **__: Any) -> None:
        raise OperationalError("the disk is full")

    monkeypatch.setattr(delta_log, "append", down)
    response = post([event()])
    assert response.status_code == 503
    assert response["Retry-After"]
    assert "disk" not in response.content.decode()


def test_a_report_is_kept_per_element(post: Post) -> None:
    """Counts and covers are elements alike."""
    response = post(fresh_report())
    assert response.status_code == 200
    assert response.json()["accepted"] == 2


BAD_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"count": 4}, "buckets"),
    ({"count": -1}, "count"),
    ({"count": 1.5}, "count"),
    ({"count": 10**12}, "count"),
    ({"buckets": [3]}, "buckets"),
    ({"buckets": [-1, 4, *[0] * 20]}, "buckets[0]"),
    ({"sum_ms": -1}, "sum_ms"),
    ({"sum_ms": float("nan")}, "sum_ms"),
    ({"minute": "2026-11-23T10:04:01Z"}, "minute"),
    ({"minute": "1999-11-23T10:04:00Z"}, "minute"),
    ({"status": 42}, "status"),
    ({"endpoint": "\n"}, "endpoint"),
]


@pytest.mark.parametrize(("changes", "field"), BAD_ROWS)
def test_a_bad_row_of_a_report_is_named(post: Post, changes: dict[str, Any], field: str) -> None:
    """Rows are checked one by one; the covers of the same report are kept."""
    body = fresh_report()
    body["requests"][0] |= changes
    response = post(body)
    assert response.status_code == 200
    assert response.json()["accepted"] == 1
    assert [item["field"] for item in response.json()["rejected"]] == [f"requests[0].{field}"]


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"service": "nobody"}, 404, "service"),
        ({"service": 5}, 400, "service"),
        ({"service": "a\0"}, 400, "service"),
        ({"bounds_ms": [100, 200]}, 400, "bounds_ms"),
        ({"bounds_ms": None}, 400, "bounds_ms"),
        ({"bounds_ms": "5"}, 400, "bounds_ms"),
        ({"requests": {}}, 400, "requests"),
        ({"covers": 5}, 400, "covers"),
        ({"covers": [5], "requests": []}, 400, "covers[0]"),
    ],
)
def test_a_report_as_a_whole_may_be_wrong(
    post: Post, changes: dict[str, Any], status: int, field: str
) -> None:
    """Wrong bounds would put every count in the wrong place, so nothing of it is kept."""
    response = post(fresh_report() | changes)
    assert response.status_code == status
    assert list(response.json()["errors"]) == [field]
    assert not TelemetryDelta.objects.exists()


def test_freshness_reports_have_their_own_address(post: Post) -> None:
    """Age in seconds, per service and source."""
    url = "/api/v1/telemetry/freshness"
    good = {"service": "users-api", "source": "orders", "age_s": 12}
    response = post([good, good | {"age_s": -1}], url=url)
    assert response.json()["accepted"] == 1
    assert response.json()["rejected"][0]["field"] == "age_s"


def test_without_a_token_nothing_is_taken(client: Client, service: Service) -> None:
    """Who doesn't say who they are is asked to."""
    response = client.post(URL, [event()], content_type="application/json")
    assert response.status_code == 401
    assert response["WWW-Authenticate"]


def test_an_expired_token_is_unknown(sender: Client, service: Service) -> None:
    """Expiry counts from the next request on."""
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    response = sender.post(URL, [event()], content_type="application/json")
    assert response.status_code == 401


def test_a_token_of_another_scope_is_refused(alice: User, service: Service) -> None:
    """Reading is not sending."""
    response = client_of(alice, "read").post(URL, [event()], content_type="application/json")
    assert response.status_code == 403


def test_another_team_s_private_service_is_as_unknown_as_none(
    sender: Client, service: Service
) -> None:
    """A token learns of no service that its owner may not see."""
    Service.objects.update(is_private=True)
    hidden = sender.post(URL, [event()], content_type="application/json")
    missing = sender.post(URL, [event(service="nobody")], content_type="application/json")
    assert hidden.status_code == 404
    assert {**hidden.json(), "id": ""} == {**missing.json(), "id": ""}
