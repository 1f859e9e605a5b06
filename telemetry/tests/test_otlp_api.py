"""`POST /v1/metrics`: what an exporter is answered, also for what cannot be kept."""

import gzip
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, Sum, Summary, SummaryDataPoint

from accounts.models import User
from catalog.models import Service
from core import clock
from telemetry.domain.batches import MalformedBody
from telemetry.domain.fields import Period
from telemetry.domain.otlp import messages
from telemetry.domain.otlp.lean import ExportRequest
from telemetry.domain.otlp.points import decode
from telemetry.domain.otlp.reading import NotPlain, read
from telemetry.domain.otlp.writers import Writer
from telemetry.models import TelemetryDelta
from telemetry.services import delta_log
from telemetry.services.writers import forget_writers
from telemetry.tests.builders import NOW, make_service
from telemetry.tests.conftest import client_of
from telemetry.tests.otlp import (
    DELTA,
    GET_USERS,
    counter,
    durations,
    exponential,
    exponential_point,
    export,
    gauge,
    http,
    number,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/v1/metrics"
PROTOBUF, JSON = "application/x-protobuf", "application/json"
PATH = "resource_metrics[0].scope_metrics[0].metrics[0]"
Post = Callable[..., Any]


@pytest.fixture
def service(db: None) -> Service:
    """The service that is reported for."""
    forget_writers()
    return make_service()


@pytest.fixture
def post(sender: Client, service: Service) -> Post:
    """Post a body as an exporter would."""

    def send(body: Any, *, content_type: str = PROTOBUF, **headers: str) -> Any:
        data = body if isinstance(body, bytes) else body.SerializeToString()
        return sender.post(
            URL, data, content_type=content_type, headers=headers, CONTENT_TYPE=content_type
        )

    return send


def partial(response: Any) -> tuple[int, str]:
    """Return the rejected points and the message of a 200."""
    assert response.status_code == 200, response.content
    assert response.headers["Content-Type"] == PROTOBUF
    success = ExportMetricsServiceResponse.FromString(response.content).partial_success
    return success.rejected_data_points, success.error_message


def refusal(response: Any) -> tuple[int, str]:
    """Return code and message of a google.rpc.Status, read by hand: two fields."""
    content: bytes = response.content
    assert response.headers["Content-Type"] == PROTOBUF
    assert (content[0], content[2]) == (0x08, 0x12)
    size = content[3] if content[3] < 0x80 else (content[3] & 0x7F) | content[4] << 7
    return content[1], content[-size:].decode()


def now() -> datetime:
    return clock.now()


def fresh(value: float = 1, **changes: Any) -> Any:
    """Return a point of now."""
    at = now()
    return number(value, **{"at": at, "start": at - timedelta(seconds=10), **changes})


def lasting(buckets: list[int], **changes: Any) -> Any:
    """Return durations of now."""
    at = now()
    return durations(buckets, **{"at": at, "start": at - timedelta(seconds=10), **changes})


def test_an_export_is_kept_and_answered_with_an_empty_message(post: Post) -> None:
    """All is well is an ExportMetricsServiceResponse without a partial success: no bytes."""
    response = post(export(counter(fresh())))
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Content-Type"] == PROTOBUF
    assert TelemetryDelta.objects.count() == 1


def test_json_is_answered_with_json(post: Post) -> None:
    """The answer has the encoding of the request; numbers of 64 bits are strings in OTLP."""
    body = json_format.MessageToJson(export(counter(fresh(), fresh(-1)))).encode()
    response = post(body, content_type=JSON)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == JSON
    assert response.json() == {
        "partialSuccess": {
            "rejectedDataPoints": "1",
            "errorMessage": f"{PATH}.sum.data_points[1].value: A counter must not be negative.",
        }
    }
    assert TelemetryDelta.objects.count() == 1


def test_gzip_is_unpacked(post: Post) -> None:
    """Exporters compress when told to."""
    body = gzip.compress(export(counter(fresh())).SerializeToString())
    response = post(body, **{"Content-Encoding": "gzip"})
    assert (response.status_code, response.content) == (200, b"")


def test_fields_of_later_versions_are_passed_over(post: Post) -> None:
    """OTLP grows by fields that older receivers do not know."""
    body = json.loads(json_format.MessageToJson(export(counter(fresh()))))
    body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["novelty"] = {"a": 1}
    assert post(json.dumps(body).encode(), content_type=JSON).json() == {}
    unknown_field = b"\xfa\x01\x03abc"
    assert post(export(counter(fresh())).SerializeToString() + unknown_field).content == b""


def summary() -> Metric:
    return Metric(name="old", summary=Summary(data_points=[SummaryDataPoint(count=1)]))


def falling_delta() -> Metric:
    return Metric(
        name="level",
        sum=Sum(data_points=[fresh()], is_monotonic=False, aggregation_temporality=1),  # type: ignore[arg-type]
    )


def wrong_count() -> Metric:
    point = lasting([1, 2, 3, 4])
    point.count = 11
    return http(point)


def wrong_exponential() -> Metric:
    point = exponential_point(scale=0, offset=0, counts=[1, 2], at=now())
    point.count = 4
    return exponential(point)


@pytest.mark.parametrize(
    ("make", "where", "why"),
    [
        (lambda: counter(fresh(-3)), ".sum.data_points[0].value", "not be negative"),
        (lambda: counter(fresh(float("nan"))), ".sum.data_points[0].as_double", "finite"),
        (lambda: counter(fresh(float("inf"))), ".sum.data_points[0].as_double", "finite"),
        (lambda: counter(fresh(2**62)), ".sum.data_points[0].value", "larger than"),
        (
            lambda: counter(fresh(at=now() + timedelta(minutes=6))),
            ".sum.data_points[0].time_unix_nano",
            "in the future",
        ),
        (
            lambda: counter(fresh(at=now() - timedelta(days=36))),
            ".sum.data_points[0].time_unix_nano",
            "older than the 35 days",
        ),
        (
            lambda: counter(fresh(start=now() + timedelta(minutes=1))),
            ".sum.data_points[0].start_time_unix_nano",
            "after time_unix_nano",
        ),
        (lambda: counter(fresh(), temporality=0), ".sum.aggregation_temporality", "delta (1)"),
        (lambda: counter(fresh(), name=""), ".name", "1 to 200 printable"),
        (
            lambda: counter(fresh(attributes={"a": "\x00"})),
            ".sum.data_points[0].attributes",
            "print",
        ),
        (
            lambda: http(lasting([1, 0, 0, 0], total_s=-1)),
            ".histogram.data_points[0].sum",
            "not negative",
        ),
        (
            lambda: http(lasting([1, 0, 0, 0], bounds=(0.2, 0.1, 0.5))),
            ".histogram.data_points[0].explicit_bounds",
            "ascend",
        ),
        (
            lambda: http(lasting([1, 0], bounds=(0.1, 0.2, 0.5))),
            ".histogram.data_points[0].bucket_counts",
            "Holds 2 counts, but the bounds need 4",
        ),
        (wrong_count, ".histogram.data_points[0].bucket_counts", "not add up"),
        (wrong_exponential, ".exponential_histogram.data_points[0].positive", "not add up"),
        (
            lambda: http(lasting([1, 0, 0, 0], attributes={"http.route": "/a"})),
            ".histogram.data_points[0].attributes.http.response.status_code",
            "required",
        ),
        (
            lambda: http(
                lasting([1, 0, 0, 0], attributes={**GET_USERS, "http.response.status_code": 999})
            ),
            ".histogram.data_points[0].attributes.http.response.status_code",
            "100 to 599",
        ),
        (summary, ".summary", "send a histogram"),
        (falling_delta, ".sum.is_monotonic", "cumulative"),
    ],
)
def test_points_that_cannot_be_kept_are_named_and_the_rest_is_kept(
    post: Post, make: Callable[[], Metric], where: str, why: str
) -> None:
    """A partial success says how many, where the first one stands, and what to do."""
    rejected, message = partial(post(export(make(), counter(fresh(), name="well"))))
    assert rejected == 1
    assert message.startswith(f"{PATH}{where}"), message
    assert why in message
    assert TelemetryDelta.objects.count() == 1


def test_a_point_is_named_where_it_stands_in_the_request(post: Post) -> None:
    """Histograms of several resources and bounds are read together, and told apart again."""
    well, other = lasting([1, 0, 0, 0]), lasting([1, 0], bounds=(0.1,))
    no_value = lasting([0, 0, 0, 0])
    no_value.flags = 1
    late = lasting([1, 0, 0, 0], at=now() + timedelta(minutes=6))
    both = export(http(other, *[well] * 5), http(well, name="rpc.server.duration"))
    both.MergeFrom(export(http(well, other, no_value, late, late)))
    rejected, message = partial(post(both))
    where = "resource_metrics[1].scope_metrics[0].metrics[0].histogram.data_points[3]"
    assert (rejected, message.split(": ")[0]) == (2, f"{where}.time_unix_nano")
    payload = TelemetryDelta.objects.get().payload
    blocks = [
        (block.family, len(block.bounds), len(block.points)) for block in decode(bytes(payload))
    ]
    assert sorted(blocks) == [
        ("histogram", 3, 1),
        ("requests", 1, 1),
        ("requests", 1, 1),
        ("requests", 3, 1),
        ("requests", 3, 5),
    ]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "service.name is missing"),
        ("nobody", "service.name 'nobody' is no service, or none that this token may report for"),
    ],
)
def test_an_unknown_service_keeps_the_known_ones(post: Post, name: str, why: str) -> None:
    """A collector sends for many services at once: one mistake must not lose the others."""
    both = export(counter(fresh(), fresh()), service=name)
    both.MergeFrom(export(counter(fresh())))
    rejected, message = partial(post(both))
    assert rejected == 2
    assert message.startswith("resource_metrics[0].resource: ")
    assert why in message
    assert TelemetryDelta.objects.count() == 1


def test_service_names_are_matched_by_their_slug(post: Post) -> None:
    """An SDK that calls itself "Users API" is users-api."""
    assert partial(post(export(counter(fresh()), service="Users API"))) == (0, "")


SAMPLE = export(
    counter(number(3, attributes={"queue": "mail"}), number(0.5)),
    http(durations([5, 4, 2, 1])),
    exponential(exponential_point(scale=2, offset=-9, counts=[1, 2], zeros=1)),
    gauge(number(2.5)),
).SerializeToString()
CUT = export(counter(number(1))).SerializeToString()[:-3]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "why"),
    [
        (
            b"\x0a\xff\xff\xff\x7fgarbage",
            {},
            400,
            3,
            "Is not a protobuf ExportMetricsServiceRequest",
        ),
        (CUT, {}, 400, 3, "Is not a protobuf ExportMetricsServiceRequest"),
        (gzip.compress(CUT)[:-9], {"Content-Encoding": "gzip"}, 400, 3, "gzip"),
        (b"not gzip", {"Content-Encoding": "gzip"}, 400, 3, "gzip"),
        (b"x" * (10 * 1024 * 1024 + 1), {}, 413, 8, "10485760 bytes"),
        (gzip.compress(bytes(11 * 1024 * 1024)), {"Content-Encoding": "gzip"}, 413, 8, "bytes"),
        (b"", {"Content-Encoding": "zstd"}, 415, 3, "Content-Encoding"),
    ],
    ids=["garbage", "cut", "cut gzip", "no gzip", "too long", "too long unpacked", "zstd"],
)
def test_bodies_that_cannot_be_read_are_refused_in_otlp_s_shape(
    post: Post, body: bytes, headers: dict[str, str], status: int, code: int, why: str
) -> None:
    """A google.rpc.Status says what is wrong; 4xx tells the exporter not to send it again."""
    response = post(body, **headers)
    assert response.status_code == status
    given, message = refusal(response)
    assert given == code
    assert why in message
    assert not TelemetryDelta.objects.exists()


def test_broken_elements_are_named_by_their_path(post: Post) -> None:
    """Valid outside, garbage inside: the sender learns which element it is."""
    request = export(counter(fresh())).SerializeToString()
    broken = request.replace(b"jobs.done", b"jobs\xff\xfe\xfe.x", 1)[: len(request)]
    code, message = refusal(post(broken))
    assert code == 3
    assert f"{PATH}.name" in message


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "Is not an OTLP request"),
        (b"[]", "Is not an OTLP request"),
        (b"\xff\xfe", "unreadable characters"),
        (b'{"resourceMetrics": 3}', "Is not an OTLP request"),
        (b'{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": 5}]}]}]}', "name"),
    ],
)
def test_json_that_cannot_be_read_is_refused(post: Post, body: bytes, why: str) -> None:
    """The status is JSON then."""
    response = post(body, content_type=JSON)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == JSON
    assert response.json()["code"] == 3
    assert why in response.json()["message"]


def test_an_empty_export_is_fine(post: Post) -> None:
    """Exporters send one when nothing happened."""
    assert post(b"").status_code == 200
    assert post(ExportMetricsServiceRequest()).content == b""
    assert not TelemetryDelta.objects.exists()


def test_only_a_token_of_scope_ingest_may_send(service: Service, alice: User) -> None:
    """Strangers get 401, other scopes 403, both as a status."""
    body = export(counter(fresh())).SerializeToString()
    stranger = Client().post(URL, body, content_type=PROTOBUF)
    assert stranger.status_code == 401
    assert refusal(stranger)[0] == 16
    assert "WWW-Authenticate" in stranger.headers
    reader = client_of(alice, "read").post(URL, body, content_type=PROTOBUF)
    assert (reader.status_code, refusal(reader)[0]) == (403, 7)
    assert not TelemetryDelta.objects.exists()


def test_a_database_that_is_away_is_told_so(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with Retry-After: the exporter keeps the points and sends them again."""
    post(export(counter(fresh())))

    def fails(*_: object, **__: object) -> None:
        raise OperationalError("connection refused at 10.0.0.7")

    monkeypatch.setattr(delta_log, "append", fails)
    response = post(export(counter(fresh(2))))
    assert response.status_code == 503
    assert "Retry-After" in response.headers
    code, message = refusal(response)
    assert code == 14
    assert "10.0.0.7" not in message


def test_deltas_keep_their_receipt(post: Post) -> None:
    """A repetition is answered alike, and stored once."""
    body = export(counter(fresh(), temporality=DELTA))
    assert post(body).content == post(body).content == b""
    assert TelemetryDelta.objects.count() == 1


@settings(max_examples=150)
@given(data=st.data())
def test_no_damage_on_the_way_is_an_error_of_ours(data: st.DataObject) -> None:
    """Whatever bytes of an export are changed, cut or doubled, it is read or refused."""
    body = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        end = min(at + data.draw(st.integers(0, 3)), len(body))
        body[at:end] = data.draw(st.binary(max_size=4))
        if not body:
            break
    period = Period.until(NOW, retention=timedelta(days=35))
    writer = Writer(1, "g", 1, (), 0, {})
    for is_canonical in (False, True):
        try:
            plain = messages.canonical(bytes(body)) if is_canonical else bytes(body)
            request = ExportRequest.FromString(plain)
            read(request, lambda *_: writer, period=period, is_canonical=is_canonical)
        except (NotPlain, DecodeError):
            assert not is_canonical
        except MalformedBody:
            assert is_canonical
