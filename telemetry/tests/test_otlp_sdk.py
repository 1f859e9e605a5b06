"""The real OpenTelemetry SDK and its OTLP/HTTP exporter, against a running portal."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
)
from opentelemetry.sdk.resources import Resource
from pytest_django.live_server_helper import LiveServer

from accounts.authentication import forget_tokens
from accounts.models import User
from accounts.roles import Role
from accounts.services.tokens import create_token
from catalog.models import Service
from core import clock
from telemetry import metric_queries, queries
from telemetry.domain.selectors import parse
from telemetry.models import TelemetryDelta
from telemetry.services.compaction import compact
from telemetry.services.writers import forget_writers
from telemetry.tests.builders import make_service
from telemetry.tests.otlp import GET_USERS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

NEVER_MS = 3_600_000.0  # flushed by hand


class Lossy(requests.Session):
    """Loses the first answer: what the portal said never arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[int] = []

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send, and raise as if the connection had been lost before the first answer."""
        answer = super().send(request, **kwargs)
        self.answers.append(answer.status_code)
        if len(self.answers) == 1:
            raise requests.exceptions.ConnectionError("The answer was lost.")
        return answer


@pytest.fixture
def service() -> Service:
    """The service that is reported for."""
    forget_writers()
    return make_service()


@contextmanager
def sdk(
    url: str,
    *,
    temporality: AggregationTemporality,
    aggregation: Aggregation,
    session: requests.Session | None = None,
) -> Iterator[tuple[Meter, MeterProvider]]:
    """Yield a meter that exports to the portal when its provider is flushed."""
    user = User.objects.create_user("robot", role=Role.RESPONDER)
    forget_tokens()
    _, token = create_token(user=user, name="sdk", scopes=["ingest"], now=clock.now())
    exporter = OTLPMetricExporter(
        endpoint=f"{url}/v1/metrics",
        headers={"authorization": f"Bearer {token}"},
        compression=Compression.Gzip,
        timeout=10,
        session=session,
        preferred_temporality={Counter: temporality, Histogram: temporality},
        preferred_aggregation={Histogram: aggregation},
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=NEVER_MS)
    resource = Resource.create({"service.name": "users-api", "service.instance.id": "web-1"})
    provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    try:
        yield provider.get_meter("test"), provider
    finally:
        provider.shutdown()


def totals(service: Service) -> tuple[int, int, float]:
    """Return requests, those within 200 ms, and what `jobs.done{queue="mail"}` added."""
    now = clock.now()
    compact(now=now)
    assert not TelemetryDelta.objects.exists()
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=3)
    rows = queries.counts([service.pk], first, now + timedelta(minutes=1))
    minutes = [first + timedelta(minutes=step) for step in range(5)]
    found = metric_queries.counter_minutes(service.pk, [parse('jobs.done{queue="mail"}')], minutes)
    return (
        sum(row.count for row in rows),
        sum(sum(row.buckets[: row.bounds_ms.index(200) + 1]) for row in rows),
        sum(one.thousandths for counts in found.values() for one in counts) / 1000,
    )


@pytest.mark.parametrize(
    "temporality", [AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA]
)
@pytest.mark.parametrize(
    "aggregation",
    [
        ExplicitBucketHistogramAggregation([0.05, 0.1, 0.2, 0.5, 1]),
        ExponentialBucketHistogramAggregation(),
    ],
)
def test_what_the_sdk_measured_is_what_the_portal_counts(
    live_server: LiveServer,
    service: Service,
    temporality: AggregationTemporality,
    aggregation: Aggregation,
) -> None:
    """Three exports of requests and jobs: every one counted once, both temporalities, both kinds."""
    with sdk(live_server.url, temporality=temporality, aggregation=aggregation) as (
        meter,
        provider,
    ):
        durations = meter.create_histogram("http.server.request.duration", unit="s")
        jobs = meter.create_counter("jobs.done")
        for _ in range(3):
            for duration in (0.01, 0.15, 0.7):
                durations.record(duration, GET_USERS)
            jobs.add(4, {"queue": "mail"})
            jobs.add(1, {"queue": "bills"})
            assert provider.force_flush()
    assert totals(service) == (9, 6, 12)


def test_an_export_that_got_no_answer_is_sent_again_and_counted_once(
    live_server: LiveServer, service: Service
) -> None:
    """The answer is lost after the commit; the exporter's own retry brings the same bytes."""
    session = Lossy()
    with sdk(
        live_server.url,
        temporality=AggregationTemporality.DELTA,
        aggregation=ExplicitBucketHistogramAggregation([0.2]),
        session=session,
    ) as (meter, provider):
        meter.create_counter("jobs.done").add(4, {"queue": "mail"})
        assert provider.force_flush()
    assert session.answers[:2] == [200, 200]
    assert totals(service) == (0, 0, 4)
