"""Merging the log into minute counts."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.models import Service
from telemetry import queries
from telemetry.domain.buckets import DEFAULT_BOUNDS_MS, count_by_bound
from telemetry.models import DirtyMinute, MinuteCount, Series, ServiceTelemetry, TelemetryDelta
from telemetry.services import compaction, ingest
from telemetry.tests.builders import MINUTE, NOW, event, make_service, minute, report

pytestmark = pytest.mark.django_db

EVENTS = st.builds(
    event,
    service=st.sampled_from(["users-api", "orders"]),
    endpoint=st.sampled_from(["/users", "/users/:id", "/ä 漢"]),
    method=st.sampled_from(["", "GET", "get", "PURGE"]),
    status=st.sampled_from([200, 404, 500, 503]),
    duration_ms=st.one_of(st.floats(0, 90_000), st.sampled_from([5, 200, 2000, 60000])),
    timestamp=st.integers(0, 300).map(lambda ago: (NOW - timedelta(seconds=ago)).timestamp()),
)


def _expected(batches: list[list[dict[str, Any]]], ids: dict[str, int]) -> dict[Any, list[float]]:
    found: dict[Any, list[float]] = {}
    for row in (row for batch in batches for row in batch):
        method = row["method"].upper()
        method = "OTHER" if method == "PURGE" else method
        key = (ids[row["service"]], row["endpoint"], method, row["status"], row["timestamp"] // 60)
        found.setdefault(key, []).append(row["duration_ms"])
    return found


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(EVENTS, max_size=20), max_size=6), st.integers(1, 3))
def test_minute_counts_equal_what_the_raw_events_say(
    batches: list[list[dict[str, Any]]], limit: int
) -> None:
    """Whatever the batches and however they are taken, the counts are those of the events."""
    MinuteCount.objects.all().delete()
    ids = {
        slug: Service.objects.get_or_create(slug=slug, defaults={"name": slug})[0].pk
        for slug in ("users-api", "orders")
    }
    for batch in batches:
        assert ingest.store_batch(batch, now=NOW).accepted == len(batch)
        compaction.compact(now=NOW, limit=limit)
    while compaction.compact(now=NOW, limit=limit):
        pass
    rows = queries.counts(ids.values(), NOW - 10 * MINUTE, NOW + MINUTE)
    got = {
        (row.service_id, row.endpoint, row.method, row.status, row.minute.timestamp() // 60): row
        for row in rows
    }
    expected = _expected(batches, ids)
    assert got.keys() == expected.keys()
    for key, durations in expected.items():
        assert got[key].count == len(durations)
        assert got[key].sum_ms == pytest.approx(sum(durations))
        assert list(got[key].buckets) == count_by_bound(durations, DEFAULT_BOUNDS_MS)


def test_a_merged_batch_leaves_the_log() -> None:
    """Each batch counts once: merging again adds nothing."""
    service = make_service()
    ingest.store_batch([event()], now=NOW)
    assert compaction.compact(now=NOW) == 1
    assert compaction.compact(now=NOW) == 0
    assert [row.count for row in queries.counts([service.pk], minute(), NOW)] == [1]


def test_merging_all_goes_on_until_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or until its time is over: what is left is for the next tick."""
    make_service()
    monkeypatch.setattr(compaction, "LIMIT", 2)
    for _ in range(5):
        ingest.store_batch([event()], now=NOW)
    assert compaction.compact_all(now=lambda: NOW, seconds=0) == 2
    assert TelemetryDelta.objects.count() == 3
    assert compaction.compact_all(now=lambda: NOW) == 3
    assert compaction.compact_all(now=lambda: NOW) == 0
    assert not TelemetryDelta.objects.exists()


def test_a_failed_merge_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts and log change together or not at all."""
    make_service()
    ingest.store_batch([event()], now=NOW)
    monkeypatch.setattr(compaction, "insert_together", _power_cut)
    with pytest.raises(KeyboardInterrupt):
        compaction.compact(now=NOW)
    assert TelemetryDelta.objects.count() == 1
    assert MinuteCount.objects.count() == 0


def _power_cut(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_a_batch_that_cannot_be_merged_is_set_aside_and_the_rest_goes_on() -> None:
    """One poisoned row neither stops the others nor is dropped."""
    service = make_service()
    poison = TelemetryDelta.objects.create(received_at=NOW, payload=b"\xc1", size=1)
    ingest.store_batch([event()], now=NOW)
    assert compaction.compact(now=NOW) == 1
    for _ in range(compaction.MAX_ATTEMPTS):
        compaction.compact(now=NOW)
    poison.refresh_from_db()
    assert poison.quarantined_at == NOW
    assert poison.attempts == compaction.MAX_ATTEMPTS
    assert poison.error
    assert [row.count for row in queries.counts([service.pk], minute(), NOW)] == [1]


def test_endpoints_beyond_the_cap_are_counted_as_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names made of user input cannot fill the table, and no request goes uncounted."""
    monkeypatch.setattr(compaction, "MAX_SERIES", 2)
    service = make_service()
    ingest.store_batch([event(endpoint=f"/{n}") for n in range(5)], now=NOW)
    compaction.compact(now=NOW)
    ingest.store_batch([event(endpoint=f"/{n}") for n in range(6)], now=NOW)
    compaction.compact(now=NOW)
    found: Counter[str] = Counter()
    for row in queries.counts([service.pk], minute(), NOW):
        found[row.endpoint] += row.count
    assert found == {"/0": 2, "/1": 2, "(other)": 7}
    assert queries.endpoints(service.pk) == ["(other)", "/0", "/1"]


def test_counts_of_a_deleted_service_are_dropped_without_stopping_others() -> None:
    """A service that is gone when its batch is merged has nothing to be kept for."""
    gone, kept = make_service("gone"), make_service("kept")
    ingest.store_batch([event(service="gone"), event(service="kept")], now=NOW)
    gone.delete()
    assert compaction.compact(now=NOW) == 1
    assert [row.count for row in queries.counts([kept.pk], minute(), NOW)] == [1]


def test_first_and_last_event_of_a_service_are_noted() -> None:
    """Late data moves the first event back, and never the last one."""
    service = make_service()
    for ago in (3, 1, 7):
        at = minute(ago).isoformat()
        ingest.store_batch([event(timestamp=at)], now=NOW)
        compaction.compact(now=NOW)
    known = ServiceTelemetry.objects.get(pk=service.pk)
    assert (known.first_event_at, known.last_event_at) == (minute(7), minute(1))
    assert queries.last_event_at(service.pk) == minute(1)


def test_a_change_after_reading_keeps_the_minute_dirty() -> None:
    """Clearing what was read never clears a change that came in between."""
    make_service()
    ingest.store_batch([event()], now=NOW)
    compaction.compact(now=NOW)
    read = queries.dirty_minutes(limit=10)
    assert [changed.minute for changed in read] == [minute()]
    ingest.store_batch([event()], now=NOW)
    compaction.compact(now=NOW)
    assert queries.clear_dirty(read) == 0
    assert queries.clear_dirty(queries.dirty_minutes(limit=10)) == 1
    assert not DirtyMinute.objects.exists()


def test_a_report_adds_to_raw_counts_and_covers_its_minute() -> None:
    """Both forms end in the same counts."""
    service = make_service()
    ingest.store_report(report(), now=NOW)
    ingest.store_batch([event(method="GET", timestamp=minute(1).timestamp())], now=NOW)
    compaction.compact(now=NOW)
    (row,) = queries.counts([service.pk], minute(1), minute())
    assert (row.count, row.sum_ms, row.buckets[:4]) == (4, 44.0, (1, 0, 3, 0))
    assert Series.objects.count() == 1


def test_a_service_s_own_bounds_are_counted_exactly() -> None:
    """A bound a service adds splits a bucket from then on; earlier minutes keep theirs."""
    service = make_service()
    ingest.store_batch([event(duration_ms=210)], now=NOW)
    compaction.compact(now=NOW)
    ServiceTelemetry.objects.filter(pk=service.pk).update(own_bounds_ms=[220])
    ingest.store_batch([event(duration_ms=210), event(duration_ms=230)], now=NOW)
    compaction.compact(now=NOW)
    before, after = sorted(
        queries.counts([service.pk], minute(), NOW), key=lambda row: len(row.bounds_ms)
    )
    assert before.buckets[before.bounds_ms.index(250)] == 1
    assert after.buckets[after.bounds_ms.index(220)] == 1
    assert after.buckets[after.bounds_ms.index(250)] == 1
