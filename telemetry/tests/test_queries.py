"""What others read of telemetry."""

from typing import Any

import pytest

from catalog.models import Service
from telemetry import queries
from telemetry.domain.batches import FRESHNESS
from telemetry.services import compaction, ingest, receiver
from telemetry.tests.builders import MINUTE, NOW, event, make_service, minute, report

pytestmark = pytest.mark.django_db


@pytest.fixture
def service() -> Service:
    """The service all rules here are about."""
    return make_service()


def _event_in(ago: int) -> None:
    ingest.store_batch([event(timestamp=minute(ago).timestamp())], now=NOW)
    compaction.compact(now=NOW)


def test_a_minute_with_events_is_measured(service: Service) -> None:
    """What came in needs no further proof."""
    _event_in(3)
    assert queries.minute_state(service.pk, [minute(3)]) == {minute(3): "measured"}


def test_silence_is_measured_for_ten_minutes_while_the_portal_receives(service: Service) -> None:
    """A quiet minute is 0 of 0; silence that lasts is no data."""
    _event_in(15)
    for ago in range(15):
        receiver.mark_alive(now=minute(ago))
    states = queries.minute_state(service.pk, [minute(5), minute(4)])
    assert states == {minute(5): "measured", minute(4): "gap"}


def test_silence_while_the_portal_is_down_is_a_gap(service: Service) -> None:
    """Our own outage must not heal an SLO."""
    _event_in(5)
    receiver.mark_alive(now=minute(4))
    states = queries.minute_state(service.pk, [minute(4), minute(3)])
    assert states == {minute(4): "measured", minute(3): "gap"}


def test_a_minute_of_an_unknown_service_is_a_gap() -> None:
    """No service, no data."""
    assert queries.minute_state(4711, [minute()]) == {minute(): "gap"}


def test_a_reporter_s_covers_decide_from_the_first_one_on(service: Service) -> None:
    """A covered minute without requests is measured; one that no reporter saw is a gap."""
    _event_in(9)
    receiver.mark_alive(now=minute(8))
    receiver.mark_alive(now=minute(3))
    covers = [{"minute": minute(ago).isoformat()} for ago in (5, 4)]
    ingest.store_report(report(covers=covers, requests=[]), now=NOW)
    compaction.compact(now=NOW)
    states = queries.minute_state(service.pk, [minute(ago) for ago in (8, 5, 4, 3)])
    assert list(states.values()) == ["measured", "measured", "measured", "gap"]


def test_percentiles_without_requests_are_none(service: Service) -> None:
    """No data is not 0 ms."""
    assert queries.latency_percentiles(service.pk, minute(5), NOW, [0.5]) is None


def test_percentiles_are_interpolated_in_their_bucket(service: Service) -> None:
    """Half of a hundred requests took up to 100 ms, the others up to 200 ms."""
    ingest.store_batch([event(duration_ms=90), event(duration_ms=190)] * 50, now=NOW)
    compaction.compact(now=NOW)
    found = queries.latency_percentiles(service.pk, minute(), NOW, [0.5, 0.95])
    assert found == {0.5: 100.0, 0.95: 195.0}


def test_percentiles_of_many_services_are_one_query(
    service: Service, django_assert_num_queries: Any
) -> None:
    """Each service has its own estimates; one that was not asked lacks, it is not 0 ms."""
    slow, idle = make_service("billing"), make_service("idle")
    ingest.store_batch(
        [event(duration_ms=90), event(service="billing", duration_ms=190)] * 50, now=NOW
    )
    compaction.compact(now=NOW)
    pks = [service.pk, slow.pk, idle.pk]
    with django_assert_num_queries(1):
        found = queries.latency_percentiles_by_service(pks, minute(), NOW, [0.5])
    alone = {pk: queries.latency_percentiles(pk, minute(), NOW, [0.5]) for pk in pks}
    assert found == {pk: estimates for pk, estimates in alone.items() if estimates}
    assert found.keys() == {service.pk, slow.pk}


def test_counts_end_before_their_end(service: Service) -> None:
    """Intervals are half open: a minute is never in two of them."""
    _event_in(2)
    assert queries.counts([service.pk], minute(2), minute(1))
    assert not queries.counts([service.pk], minute(3), minute(2))


def test_freshness_reports_are_counted_by_age(service: Service) -> None:
    """Reports have their own counts, and a source that is a minute old is within 60 s."""
    given = [{"service": "users-api", "source": "orders", "age_s": age} for age in (1, 60, 90_000)]
    assert ingest.store_batch(given, kind=FRESHNESS, now=NOW).accepted == 3
    compaction.compact(now=NOW)
    (row,) = queries.freshness([service.pk], minute(), minute() + MINUTE)
    assert (row.source, row.count) == ("orders", 3)
    assert (row.buckets[0], row.buckets[row.bounds_s.index(60)], row.buckets[-1]) == (1, 1, 1)
