"""Forgetting what is older than what is kept."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from telemetry.models import (
    BatchReceipt,
    BreakerMinute,
    CoveredMinute,
    DirtyMinute,
    ImportedLog,
    MetricMinute,
    MetricSeries,
    MetricWriter,
    MinuteCount,
    MinuteFreshness,
    ReceiverMinute,
    ServiceTelemetry,
)

CHUNK = 5_000
MINUTES_A_CHUNK = 30
RECEIPTS_KEPT = timedelta(hours=48)
# A cumulative stream that comes back later than this starts anew: what it counted before is known
# to nobody. Processes leave a row each, so that it cannot be kept for as long as minutes are.
WRITERS_KEPT = timedelta(days=7)
_OF_SERVICES = (MinuteCount, MinuteFreshness, MetricMinute, CoveredMinute, DirtyMinute)


def purge(*, now: datetime) -> int:
    """Delete minutes older than `TELEMETRY_RETENTION`, receipts and writers by their own times.

    Returns:
        How many rows went. Each chunk commits by itself, so locks are short and a kill loses
        nothing but time.
    """
    before = now - settings.TELEMETRY_RETENTION
    gone = _delete(BatchReceipt.objects.filter(received_at__lt=now - RECEIPTS_KEPT))
    gone += _delete(MetricWriter.objects.filter(last_seen_at__lt=now - WRITERS_KEPT))
    gone += _delete(ReceiverMinute.objects.filter(minute__lt=before))
    # All lines of a log imported by then are refused as too old by now, so none counts twice.
    gone += _delete(ImportedLog.objects.filter(imported_at__lt=before))
    gone += _delete(BreakerMinute.objects.filter(minute__lt=before))
    services = set(ServiceTelemetry.objects.values_list("pk", flat=True))
    services |= set(MetricSeries.objects.values_list("service_id", flat=True).distinct())
    for service_id in sorted(services):
        # By service, because that is how the minutes are indexed.
        for model in _OF_SERVICES:
            gone += _delete_minutes(model.objects.filter(service_id=service_id, minute__lt=before))
    return gone


def _delete_minutes(rows: QuerySet[Any]) -> int:
    """Delete rows of one service, some of its minutes at a time: not all have a key of one column."""
    gone = 0
    minutes = rows.order_by("minute").values_list("minute", flat=True).distinct()
    while some := list(minutes[:MINUTES_A_CHUNK]):
        gone += rows.filter(minute__in=some).delete()[0]
    return gone


def _delete(rows: QuerySet[Any]) -> int:
    gone = 0
    while pks := list(rows.values_list("pk", flat=True)[:CHUNK]):
        gone += rows.model.objects.filter(pk__in=pks).delete()[0]
    return gone
