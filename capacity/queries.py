"""How much of what each service has is used: what AWS said, and what the portal itself measured."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from capacity.domain.verdict import verdict
from capacity.models import CapacityReport
from catalog.models import Service
from telemetry import queries as telemetry

if TYPE_CHECKING:
    from accounts.models import User

RECENT = timedelta(minutes=15)
# Three readings missed: what was true then is not what is true now.
STALE_AFTER = timedelta(minutes=15)


def services_on_aws() -> QuerySet[Service]:
    """Return the services of which AWS can be asked something."""
    return Service.objects.filter(
        ~Q(ecs_cluster="") & ~Q(ecs_service="") | ~Q(rds_instance="") | ~Q(load_balancer="")
    )


def newest_reports(services: list[Service]) -> dict[int, CapacityReport]:
    """Return the newest report of each service that has one, by the service's key."""
    newest = CapacityReport.objects.filter(service=OuterRef("service")).order_by("-read_at")
    reports = CapacityReport.objects.filter(
        service__in=services, pk=Subquery(newest.values("pk")[:1])
    )
    return {report.service_id: report for report in reports}


def recent_readings(
    services: Sequence[Service], start: datetime, end: datetime
) -> dict[int, list[CapacityReport]]:
    """Return the readings of [start, end] by service's key, else the newest still quoted then."""
    earliest = min(start, end - STALE_AFTER)
    found: dict[int, list[CapacityReport]] = {}
    for report in CapacityReport.objects.filter(
        service__in=services, read_at__gte=earliest, read_at__lte=end
    ).order_by("read_at"):
        found.setdefault(report.service_id, []).append(report)
    return {
        pk: [report for report in reports if report.read_at >= start] or reports[-1:]
        for pk, reports in found.items()
    }


def utilisation(user: "User", *, now: datetime) -> list[dict[str, Any]]:
    """Return each visible service with its newest figures.

    `cpu`, `memory` and `connections` are fractions of what is provisioned, None where nobody
    measures them or the last reading is older than 15 minutes. `p95_ms` is the portal's own of the
    last 15 minutes, else the load balancer's. `read_at` and `age_s` tell of the last reading.
    """
    services = list(Service.objects.visible_to(user).order_by("slug")[:200])
    measured = telemetry.latency_percentiles_by_service(
        [service.pk for service in services], now - RECENT, now, [0.95]
    )
    reports = newest_reports(services)
    return [
        _row(service, measured.get(service.pk), reports.get(service.pk), now)
        for service in services
    ]


def _row(
    service: Service,
    measured: dict[float, float] | None,
    newest: CapacityReport | None,
    now: datetime,
) -> dict[str, Any]:
    fresh = newest if newest and now - newest.read_at <= STALE_AFTER else None
    own = round(measured[0.95], 1) if measured else None
    figures = {
        "cpu": fresh.cpu if fresh else None,
        "memory": fresh.memory if fresh else None,
        "connections": fresh.connections if fresh else None,
        "p95_ms": own if own is not None or fresh is None else fresh.p95_ms,
    }
    errors = dict(newest.errors) if newest else {}
    missing = {name for name in errors if figures.get(name, 0) is None}
    if newest and not fresh:
        errors = {"reading": "AWS was not read for 15 minutes: see worker and beat."}
        missing = {"reading"}
    return {
        "service": service.slug,
        **figures,
        "status": verdict(figures, unreadable=missing),
        "recommendations": fresh.recommendations if fresh else [],
        "read_at": newest.read_at if newest else None,
        "age_s": int((now - newest.read_at).total_seconds()) if newest else None,
        "errors": errors,
    }
