"""What is forgotten, and when."""

from datetime import timedelta
from typing import Any

import pytest

from telemetry import queries
from telemetry.models import BatchReceipt, MinuteCount, ReceiverMinute
from telemetry.services import compaction, ingest, receiver, retention
from telemetry.tasks import compact, purge
from telemetry.tests.builders import MINUTE, NOW, event, make_service, minute

pytestmark = pytest.mark.django_db


def test_minutes_older_than_the_retention_go_in_chunks(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute stays exactly as long as the setting says."""
    monkeypatch.setattr(retention, "CHUNK", 2)
    monkeypatch.setattr(retention, "MINUTES_A_CHUNK", 2)
    service = make_service()
    for ago in range(7):
        at = (NOW - ago * MINUTE).timestamp()
        ingest.store_batch([event(timestamp=at)], now=NOW)
        receiver.mark_alive(now=minute(ago))
    compaction.compact(now=NOW)
    settings.TELEMETRY_RETENTION = timedelta(minutes=3)
    assert retention.purge(now=minute()) > 0
    left = queries.counts([service.pk], minute(60), NOW)
    assert [row.minute for row in left] == [minute(3), minute(2), minute(1), minute()]
    assert ReceiverMinute.objects.count() == 4


def test_receipts_go_after_two_days() -> None:
    """A key may be used again once nobody can still be repeating its batch."""
    make_service()
    body = b'[{"service":"users-api","endpoint":"/","status":200,"duration_ms":1}]'
    ingest.store_body(body, now=NOW, key="k-1")
    retention.purge(now=NOW + timedelta(hours=47))
    assert BatchReceipt.objects.exists()
    retention.purge(now=NOW + timedelta(hours=49))
    assert not BatchReceipt.objects.exists()


def test_the_ticks_merge_and_forget() -> None:
    """The tasks that the schedule names do the work."""
    make_service()
    ingest.store_batch([event()], now=NOW)
    compact()
    assert MinuteCount.objects.count() == 1
    purge()
