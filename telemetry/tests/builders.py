"""Builders of what the telemetry tests need."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from catalog.models import Service
from telemetry.domain.buckets import full_bounds

NOW = datetime(2026, 11, 23, 10, 5, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def minute(ago: int = 0) -> datetime:
    """Return the start of the minute `ago` minutes before NOW."""
    return NOW.replace(second=0) - ago * MINUTE


def make_service(slug: str = "users-api") -> Service:
    """Return a stored service."""
    return Service.objects.create(slug=slug, name=slug)


def event(**changes: Any) -> dict[str, Any]:
    """Return a valid raw event with some fields changed."""
    return {
        "service": "users-api",
        "endpoint": "/users",
        "status": 200,
        "duration_ms": 12.5,
    } | changes


def report(**changes: Any) -> dict[str, Any]:
    """Return a valid pre-aggregated report: three requests in one minute, which is covered."""
    bounds = full_bounds(())
    at = "2026-11-23T10:04:00Z"
    row = {
        "endpoint": "/users", "method": "GET", "status": 200, "minute": at, "count": 3,
        "sum_ms": 31.5, "buckets": [1, 0, 2] + [0] * (len(bounds) - 2),
    }  # fmt: skip
    return {
        "service": "users-api",
        "reporter": "web-1:77:1764000000",
        "bounds_ms": list(bounds),
        "covers": [{"minute": at}],
        "requests": [row],
    } | changes


def fresh_report(**changes: Any) -> dict[str, Any]:
    """Return a report of the minute that runs."""
    at = timezone.now().replace(second=0, microsecond=0).isoformat()
    body = report(**changes)
    for row in [*body["requests"], *body["covers"]]:
        if isinstance(row, dict):
            row.setdefault("minute", at)
            row["minute"] = at if row["minute"].startswith("2026-11-23T10:04:00") else row["minute"]
    return body
