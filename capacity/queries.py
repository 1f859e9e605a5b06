"""How much of what each service has is used, from what the portal itself measured."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from catalog.models import Service
from telemetry import queries as telemetry

if TYPE_CHECKING:
    from accounts.models import User

RECENT = timedelta(minutes=15)
P95_TARGET_MS = 200.0
P95_LIMIT_MS = 2000.0


def utilisation(user: "User", *, now: datetime) -> list[dict[str, Any]]:
    """Return each visible service with its p95 of the last quarter of an hour.

    `cpu`, `memory` and `connections` are fractions of what is provisioned, None where nobody
    measures them.
    """
    services = list(Service.objects.visible_to(user).order_by("slug")[:200])
    measured = telemetry.latency_percentiles_by_service(
        [service.pk for service in services], now - RECENT, now, [0.95]
    )
    rows: list[dict[str, Any]] = []
    for service in services:
        found = measured.get(service.pk)
        p95 = round(found[0.95], 1) if found else None
        rows.append(
            {
                "service": service.slug,
                "cpu": None,
                "memory": None,
                "connections": None,
                "p95_ms": p95,
                "status": verdict(p95),
                "recommendations": [],
            }
        )
    return rows


def verdict(p95_ms: float | None) -> str:
    """Return what a p95 means against the guide's target of 200 ms and limit of 2 s."""
    if p95_ms is None:
        return "unknown"
    if p95_ms > P95_LIMIT_MS:
        return "critical"
    return "degraded" if p95_ms > P95_TARGET_MS else "healthy"
