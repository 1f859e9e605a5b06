"""The one place that reads clocks; edges call it once and pass `now` on."""

from datetime import UTC, datetime

from django.db import connection
from django.utils import timezone


def now() -> datetime:
    """Return the current instant as an aware UTC datetime."""
    return timezone.now().astimezone(UTC)


def database_now() -> datetime:
    """Return what the database's clock shows; SQLite has none of its own.

    Raises:
        django.db.OperationalError, django.db.InterfaceError: It does not answer.
    """
    if connection.vendor != "postgresql":
        return now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        at: datetime = cursor.fetchone()[0]
    return at.astimezone(UTC)


def floor_minute(at: datetime) -> datetime:
    """Return the start of the minute that contains `at`."""
    return at.replace(second=0, microsecond=0)
