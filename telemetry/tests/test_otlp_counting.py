"""What OTLP points come to: the requests and counters of each minute, each counted once."""

from datetime import datetime, timedelta

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from catalog.models import Service
from telemetry import metric_queries, queries
from telemetry.domain.selectors import parse
from telemetry.models import MetricSeries, MetricWriter, TelemetryDelta
from telemetry.services import metric_series, otlp
from telemetry.services.compaction import compact
from telemetry.services.ingest import PORTAL
from telemetry.services.writers import forget_writers
from telemetry.tests.builders import MINUTE, NOW, make_service, minute
from telemetry.tests.otlp import (
    BEGAN,
    DELTA,
    GET_USERS,
    SECOND,
    Attributes,
    counter,
    durations,
    exponential,
    exponential_point,
    export,
    gauge,
    http,
    number,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def service() -> Service:
    """The service that is reported for."""
    forget_writers()
    return make_service()


def send(*metrics: Metric, now: datetime = NOW, resource: Attributes | None = None) -> otlp.Taken:
    """Take in an export."""
    body = export(*metrics, resource=resource).SerializeToString()
    return otlp.store_metrics(body, now=now, sender=PORTAL)


def merge() -> None:
    """Merge what waits; nothing may stay behind."""
    compact(now=NOW)
    assert not TelemetryDelta.objects.exists()


def requests(service: Service) -> dict[tuple[str, int, datetime], tuple[int, int]]:
    """Return (count, answered within 200 ms) by endpoint, status and minute."""
    rows = queries.counts([service.pk], NOW - timedelta(hours=2), NOW + MINUTE * 10)
    return {
        (row.endpoint, row.status, row.minute): (
            row.count,
            sum(row.buckets[: row.bounds_ms.index(200) + 1]),
        )
        for row in rows
    }


def counted(service: Service, selector: str, *minutes: datetime) -> list[float | None]:
    """Return what a selector came to in each minute, in events; None where nobody reported."""
    found = metric_queries.counter_minutes(service.pk, [parse(selector)], minutes)
    return [found[at][0].thousandths / 1000 if at in found else None for at in minutes]


def test_http_durations_become_request_counts(service: Service) -> None:
    """Method, route and status by the conventions; seconds become milliseconds, bounds exact."""
    failed: Attributes = {**GET_USERS, "http.response.status_code": 503}
    taken = send(http(durations([5, 4, 2, 1]), durations([0, 0, 0, 3], attributes=failed)))
    merge()
    assert (taken.accepted, taken.rejected) == (2, 0)
    assert requests(service) == {
        ("/users/{id}", 200, minute()): (12, 9),
        ("/users/{id}", 503, minute()): (3, 0),
    }
    assert queries.minute_state(service.pk, [minute()]) == {minute(): "measured"}


def test_older_conventions_are_understood(service: Service) -> None:
    """Senders from before 1.23 say http.target, http.status_code and milliseconds."""
    old: Attributes = {"http.method": "GET", "http.target": "/pay?id=7", "http.status_code": 200}
    point = durations([0, 2, 1], bounds=[100, 200], attributes=old)
    send(http(point, name="http.server.duration", unit="ms"))
    merge()
    assert requests(service) == {("/pay", 200, minute()): (3, 2)}


def test_an_error_without_an_answer_counts_as_500(service: Service) -> None:
    """A handler that raised sent no status, but it is no good request."""
    raised = {"http.request.method": "GET", "http.route": "/pay", "error.type": "ValueError"}
    send(http(durations([1, 0, 0, 0], attributes=raised)))
    merge()
    assert requests(service) == {("/pay", 500, minute()): (1, 1)}


def test_cumulative_points_count_what_was_added(service: Service) -> None:
    """12, then 20 in all: 8 in the second minute."""
    send(http(durations([10, 2, 0, 0], at=NOW - MINUTE)))
    send(http(durations([15, 5, 0, 0])))
    merge()
    found = requests(service)
    assert found["/users/{id}", 200, minute(1)] == (12, 12)
    assert found["/users/{id}", 200, minute()] == (8, 8)


def test_a_repeated_cumulative_export_counts_once(service: Service) -> None:
    """A collector that heard no answer sends the same again, also after it was merged."""
    for _ in range(2):
        send(http(durations([3, 0, 0, 0])))
        send(http(durations([3, 0, 0, 0])))
        merge()
    assert requests(service) == {("/users/{id}", 200, minute()): (3, 3)}


def test_a_repeated_delta_export_counts_once(service: Service) -> None:
    """The same bytes within 48 hours are the same export."""
    for _ in range(2):
        taken = send(counter(number(3), temporality=DELTA))
        assert taken.accepted == 1
        merge()
    assert counted(service, "jobs.done", minute()) == [3]


def test_a_counter_that_fell_began_again(service: Service) -> None:
    """Without start times a restart shows as a smaller value: all of it is new."""
    for ago, value in ((3, 10), (2, 25), (1, 4), (0, 9)):
        send(counter(number(value, at=NOW - MINUTE * ago, start=None)))
    merge()
    wanted = [minute(ago) for ago in (3, 2, 1, 0)]
    assert counted(service, "jobs.done", *wanted) == [0, 15, 4, 5]


def test_a_new_start_is_a_new_count(service: Service) -> None:
    """After a restart nothing is lost, even when the new value is larger than the old one."""
    send(counter(number(10, at=NOW - MINUTE)))
    send(counter(number(14, start=NOW - 30 * SECOND)))
    merge()
    assert counted(service, "jobs.done", minute(1), minute()) == [10, 14]


def test_a_count_from_long_ago_only_sets_the_mark(service: Service) -> None:
    """Four million requests since last week did not all happen this minute."""
    began = NOW - timedelta(days=7)
    send(counter(number(4_000_000, at=NOW - MINUTE, start=began)))
    send(counter(number(4_000_007, start=began)))
    merge()
    assert counted(service, "jobs.done", minute(1), minute()) == [0, 7]


def test_exports_in_the_wrong_order_add_up(service: Service) -> None:
    """Merged together, points are put in order by their times."""
    send(counter(number(30)))
    send(counter(number(10, at=NOW - 2 * MINUTE)))
    send(counter(number(18, at=NOW - MINUTE)))
    merge()
    assert counted(service, "jobs.done", minute(2), minute(1), minute()) == [10, 8, 12]


def test_two_processes_of_a_service_add_up(service: Service) -> None:
    """Resources that differ count apart, so that one does not look like the other's reset."""
    for instance, value in (("a", 5), ("b", 3), ("a", 9), ("b", 4)):
        at = NOW if value in (9, 4) else NOW - MINUTE
        send(counter(number(value, at=at)), resource={"service.instance.id": instance})
    merge()
    assert counted(service, "jobs.done", minute(1), minute()) == [8, 5]


def test_exponential_buckets_fold_onto_the_bounds(service: Service) -> None:
    """Scale 0 has borders at powers of two: what spans 200 ms counts as slower."""
    # (1/16, 1/8] is below 200 ms, (1/8, 1/4] spans it, (1/4, 1/2] is above; zeros are fastest.
    send(exponential(exponential_point(scale=0, offset=-4, counts=[4, 3, 2], zeros=1)))
    merge()
    assert requests(service) == {("/users/{id}", 200, minute()): (10, 5)}


def test_exponential_histograms_may_change_their_scale(service: Service) -> None:
    """A sender that merges buckets to make room loses no request."""
    fine = exponential_point(scale=1, offset=-8, counts=[4, 4], at=NOW - MINUTE)
    coarse = exponential_point(scale=0, offset=-4, counts=[8, 0, 0, 5])
    send(exponential(fine))
    send(exponential(coarse))
    merge()
    found = requests(service)
    assert found["/users/{id}", 200, minute(1)] == (8, 8)
    assert found["/users/{id}", 200, minute()] == (5, 0)


def test_counters_are_found_by_selectors(service: Service) -> None:
    """Operators work as in Prometheus; a missing attribute is an empty one."""
    points = [
        number(3, attributes={"queue": "mail", "result": "ok"}),
        number(2, attributes={"queue": "mail", "result": "retry"}),
        number(7, attributes={"queue": "bills"}),
    ]
    send(counter(*points))
    merge()
    expected = {
        "jobs.done": 12,
        'jobs.done{queue="mail"}': 5,
        'jobs.done{result!="ok"}': 9,
        'jobs.done{result=""}': 7,
        'jobs.done{queue=~"ma.*|b",result!~"re.*"}': 3,
    }
    assert {text: counted(service, text, minute())[0] for text in expected} == expected


def test_histograms_are_counters_by_bound(service: Service) -> None:
    """Any other histogram can be asked for what lay within a bound, as in Prometheus."""
    send(http(durations([5, 4, 2, 1]), name="job.duration"))
    merge()
    assert counted(service, 'job.duration_bucket{le="0.2"}', minute()) == [9]
    assert counted(service, 'job.duration_bucket{le="+Inf"}', minute()) == [12]
    assert counted(service, 'job.duration_count{http.route=~"/users.*"}', minute()) == [12]


def test_gauges_keep_their_last_value_of_a_minute(service: Service) -> None:
    """Whatever the order of arrival."""
    send(gauge(number(5.5, at=NOW), number(9, at=NOW - 10 * SECOND)))
    merge()
    found = metric_queries.gauge_minutes(service.pk, parse("queue.length"), [minute(), minute(1)])
    assert found == {minute(): [5.5]}


def test_fractions_add_up(service: Service) -> None:
    """Counters keep three digits after the point."""
    send(counter(number(0.25, at=NOW - MINUTE), number(1.75)))
    merge()
    assert counted(service, "jobs.done", minute(1), minute()) == [0.25, 1.5]


def test_a_quiet_minute_was_watched(service: Service) -> None:
    """Nothing added is 0, not a gap, as long as the sender was heard."""
    send(counter(number(4, at=NOW - 3 * MINUTE)))
    send(counter(number(4)))
    merge()
    wanted = [minute(ago) for ago in (3, 2, 1, 0)]
    assert counted(service, "jobs.done", *wanted) == [4, 0, 0, 0]


def test_beyond_the_cap_series_are_counted_together(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attribute that holds user ids fills no table, and loses no event."""
    monkeypatch.setattr(metric_series, "MAX_SERIES", 3)
    send(counter(*(number(1, attributes={"user": f"u{index}"}) for index in range(8))))
    merge()
    assert MetricSeries.objects.count() == 4
    assert counted(service, "jobs.done", minute()) == [3]
    assert counted(service, '"(other)"', minute()) == [5]


def test_merging_twice_with_a_crash_between_counts_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State, minutes and log change together or not at all."""

    def killed(*_: object, **__: object) -> None:
        raise ValueError("killed")

    send(counter(number(4)))
    with monkeypatch.context() as broken:
        broken.setattr("telemetry.services.compaction.insert_together", killed)
        compact(now=NOW)
    assert TelemetryDelta.objects.count() == 1
    merge()
    assert counted(service, "jobs.done", minute()) == [4]


def test_streams_keep_their_numbers_in_another_process(service: Service) -> None:
    """A process that knows nothing of a writer goes on where the other one was."""
    send(counter(number(4, at=NOW - MINUTE, attributes={"queue": "mail"})))
    forget_writers()
    send(counter(number(7, attributes={"queue": "mail"}), number(2, attributes={"queue": "x"})))
    merge()
    assert counted(service, 'jobs.done{queue="mail"}', minute(1), minute()) == [4, 3]
    assert MetricWriter.objects.get().stream_count == 2


def test_the_begin_of_the_accepted_time_is_kept(service: Service) -> None:
    """Data of the oldest minute kept, delivered late, is counted in that minute."""
    late = NOW - timedelta(days=34)
    send(counter(number(3, at=late, start=late - SECOND), temporality=DELTA))
    merge()
    assert counted(service, "jobs.done", late.replace(second=0)) == [3]
    assert late < BEGAN
