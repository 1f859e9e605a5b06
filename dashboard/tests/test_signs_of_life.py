"""Signs of life of the portal's processes, as /sre/health tells them."""

from datetime import UTC, datetime, timedelta

import pytest

from core.models import ProcessHeartbeat
from dashboard.health import SILENT_AFTER, heartbeat

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("after", "status"),
    [
        (-SILENT_AFTER, "healthy"),
        (-SILENT_AFTER - timedelta(seconds=1), "degraded"),
        (timedelta(milliseconds=5), "healthy"),
        (SILENT_AFTER + timedelta(seconds=1), "unknown"),
    ],
)
def test_a_sign_that_comes_while_the_page_is_made_counts(after: timedelta, status: str) -> None:
    """One that lies further ahead was written by a fast clock, and says nothing."""
    ProcessHeartbeat.objects.create(
        process="worker", instance="w", started_at=NOW, at=NOW + after, monotonic=0
    )
    assert heartbeat("worker", now=NOW)["status"] == status
