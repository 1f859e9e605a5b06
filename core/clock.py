"""The one place that reads the wall clock; edges call it once and pass `now` on."""

from datetime import UTC, datetime

from django.utils import timezone


def now() -> datetime:
    """Return the current instant as an aware UTC datetime."""
    return timezone.now().astimezone(UTC)


def floor_minute(at: datetime) -> datetime:
    """Return the start of the minute that contains `at`."""
    return at.replace(second=0, microsecond=0)
