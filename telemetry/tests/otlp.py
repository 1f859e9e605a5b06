"""Builders of OTLP requests, with OpenTelemetry's own messages."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)

from telemetry.tests.builders import NOW

DELTA, CUMULATIVE = 1, 2
SECOND = timedelta(seconds=1)
BEGAN = NOW - timedelta(minutes=5)
Attributes = Mapping[str, str | int | bool | float]
GET_USERS: Attributes = {
    "http.request.method": "GET",
    "http.route": "/users/{id}",
    "http.response.status_code": 200,
}


def ns(at: datetime) -> int:
    """Return an instant as OTLP has it; exact to the microsecond."""
    since = at - datetime(1970, 1, 1, tzinfo=at.tzinfo)
    return (since // timedelta(microseconds=1)) * 1000


def key_values(attributes: Attributes) -> list[KeyValue]:
    """Return attributes as messages."""
    return [KeyValue(key=key, value=_any(value)) for key, value in attributes.items()]


def _any(value: str | int | bool | float) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return (
        AnyValue(double_value=value) if isinstance(value, float) else AnyValue(string_value=value)
    )


def export(
    *metrics: Metric, service: str = "users-api", resource: Attributes | None = None
) -> ExportMetricsServiceRequest:
    """Return a request of one resource."""
    request = ExportMetricsServiceRequest()
    one = request.resource_metrics.add()
    named = {"service.name": service} if service else {}
    one.resource.attributes.extend(key_values({**named, **(resource or {})}))
    one.scope_metrics.add().metrics.extend(metrics)
    return request


def number(
    value: float,
    *,
    at: datetime = NOW,
    start: datetime | None = BEGAN,
    attributes: Attributes | None = None,
) -> NumberDataPoint:
    """Return a point of a counter or gauge: an integer when `value` is one."""
    point = NumberDataPoint(
        time_unix_nano=ns(at),
        start_time_unix_nano=ns(start) if start else 0,
        attributes=key_values(attributes or {}),
    )
    if isinstance(value, int):
        point.as_int = value
    else:
        point.as_double = value
    return point


def counter(
    *points: NumberDataPoint, name: str = "jobs.done", temporality: int = CUMULATIVE
) -> Metric:
    """Return a monotonic sum."""
    data = Sum(data_points=points, is_monotonic=True)
    data.aggregation_temporality = temporality  # type: ignore[assignment]  # also what is wrong
    return Metric(name=name, unit="1", sum=data)


def gauge(*points: NumberDataPoint, name: str = "queue.length") -> Metric:
    """Return a gauge."""
    return Metric(name=name, gauge=Gauge(data_points=points))


def durations(
    buckets: Sequence[int],
    *,
    bounds: Sequence[float] = (0.1, 0.2, 0.5),
    at: datetime = NOW,
    start: datetime | None = BEGAN,
    attributes: Attributes = GET_USERS,
    total_s: float = 0.0,
) -> HistogramDataPoint:
    """Return a point of request durations over bounds in seconds."""
    return HistogramDataPoint(
        time_unix_nano=ns(at),
        start_time_unix_nano=ns(start) if start else 0,
        count=sum(buckets),
        sum=total_s,
        bucket_counts=buckets,
        explicit_bounds=bounds,
        attributes=key_values(attributes),
    )


def http(
    *points: HistogramDataPoint,
    temporality: int = CUMULATIVE,
    name: str = "http.server.request.duration",
    unit: str = "s",
) -> Metric:
    """Return the metric of request durations."""
    data = Histogram(data_points=points)
    data.aggregation_temporality = temporality  # type: ignore[assignment]
    return Metric(name=name, unit=unit, histogram=data)


def exponential(
    *points: ExponentialHistogramDataPoint,
    temporality: int = CUMULATIVE,
    name: str = "http.server.request.duration",
) -> Metric:
    """Return request durations as an exponential histogram."""
    data = ExponentialHistogram(data_points=points)
    data.aggregation_temporality = temporality  # type: ignore[assignment]
    return Metric(name=name, unit="s", exponential_histogram=data)


def exponential_point(
    *,
    scale: int,
    offset: int,
    counts: Sequence[int],
    zeros: int = 0,
    at: datetime = NOW,
    attributes: Attributes = GET_USERS,
) -> ExponentialHistogramDataPoint:
    """Return a point of an exponential histogram of positive values and zeros."""
    point = ExponentialHistogramDataPoint(
        time_unix_nano=ns(at),
        start_time_unix_nano=ns(BEGAN),
        scale=scale,
        zero_count=zeros,
        count=sum(counts) + zeros,
        attributes=key_values(attributes),
    )
    point.positive.offset = offset
    point.positive.bucket_counts.extend(counts)
    return point
