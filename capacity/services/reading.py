"""The tick: ask AWS how full every service is, and keep what it says.

AWS is asked before the transaction, so that a slow answer holds no lock; the slot is claimed with
the rows, so that of two ticks for one slot one writes nothing.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Protocol

import structlog
from django.conf import settings
from django.db import transaction

from capacity.domain.verdict import verdict
from capacity.models import CapacityReport
from capacity.queries import services_on_aws
from catalog.models import Service
from core import ticks
from core.masking import mask_text
from core.models import JobSlot
from sre.capacity_advice import recommend
from sre.capacity_planning import CapacityPlanner, CapacityTarget

__all__ = ["JOB", "planner_for", "read_capacity"]

log = structlog.get_logger(__name__)

JOB = "capacity.read"
EVERY = timedelta(minutes=5)
# Advice wants an hour of samples; three show a trend and forgive the minutes that come late.
WINDOW_HOURS = 3
LONGEST_REASON = 300
# Which identifier of the catalog a figure needs; without it the figure is not expected.
NEEDS = {
    "cpu": "ecs_service",
    "memory": "ecs_service",
    "tasks": "ecs_service",
    "task_size": "ecs_service",
    "connections": "rds_instance",
    "connection_limit": "rds_instance",
    "p95_ms": "load_balancer",
}


class Planners(Protocol):
    """Makes the planner that reads a region."""

    def __call__(self, region: str, *, now: datetime) -> CapacityPlanner:
        """Return a planner of `region` whose present is `now`."""


def planner_for(region: str, *, now: datetime) -> CapacityPlanner:
    """Return a planner of a region, with credentials as boto3 finds them."""
    return CapacityPlanner(
        clock=lambda: now, region=region, endpoint_url=settings.AWS_ENDPOINT_URL or None
    )


def read_capacity(*, now: datetime, planners: Planners = planner_for) -> int:
    """Read every service with AWS identifiers, one batch of metrics a region.

    Args:
        now: When.
        planners: Makes the planner that reads a region.

    Returns:
        Reports written; 0 when the slot was done already.
    """
    slot = datetime.fromtimestamp(
        now.timestamp() // EVERY.total_seconds() * EVERY.total_seconds(), UTC
    )
    if JobSlot.objects.filter(job=JOB, slot=slot).exists():
        return 0
    services = list(services_on_aws())
    by_region = groupby(sorted(services, key=_region), key=_region)
    reports = [
        report(service, analysis, read_at=slot)
        for region, members in by_region
        for service, analysis in _read_region(list(members), planners(region, now=now)).items()
    ]
    return len(reports) if _keep(reports, slot, now=now) else 0


def report(service: Service, analysis: Mapping[str, Any], *, read_at: datetime) -> CapacityReport:
    """Return the row, not yet saved, of what AWS said about a service."""
    errors = {
        name: _printable(reason)
        for name, reason in analysis["reasons"].items()
        if getattr(service, NEEDS[name])
    }
    figures = {
        "cpu": analysis["cpu"]["average"],
        "memory": analysis["memory"]["average"],
        "connections": analysis["connections"]["used"],
        "p95_ms": analysis["p95_ms"]["median"],
    }
    missing = {
        name for name, value in figures.items() if value is None and getattr(service, NEEDS[name])
    }
    return CapacityReport(
        service=service,
        read_at=read_at,
        window_start=datetime.fromisoformat(analysis["window"]["start"]),
        window_end=datetime.fromisoformat(analysis["window"]["end"]),
        **figures,
        cpu_max=analysis["cpu"]["maximum"],
        cpu_recent=analysis["cpu"]["recent"],
        memory_max=analysis["memory"]["maximum"],
        memory_recent=analysis["memory"]["recent"],
        connections_in_use=analysis["connections"]["maximum"],
        connections_limit=analysis["connections"]["limit"],
        tasks_running=analysis["tasks"]["running"],
        tasks_desired=analysis["tasks"]["desired"],
        status=verdict(figures, unreadable=missing),
        recommendations=_advice(service, analysis),
        errors=errors,
    )


def _region(service: Service) -> str:
    return service.aws_region or str(settings.AWS_REGION)


def _read_region(
    services: list[Service], planner: CapacityPlanner
) -> dict[Service, dict[str, Any]]:
    targets = {
        service: CapacityTarget(
            service.ecs_cluster,
            service.ecs_service,
            service.rds_instance or None,
            service.load_balancer or None,
        )
        for service in services
    }
    return planner.analyze_targets(targets, hours=WINDOW_HOURS)


def _advice(service: Service, analysis: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Leave out what says only that an identifier is missing: it is not expected."""
    expected = [name for name, needed in NEEDS.items() if getattr(service, needed)]
    return [
        {**row, "reason": _printable(row["reason"])}
        for row in recommend(analysis, figures=expected)
    ]


@transaction.atomic
def _keep(reports: list[CapacityReport], slot: datetime, *, now: datetime) -> bool:
    claimed = ticks.claim(JOB, slot, now=now)
    if claimed is None:
        return False
    CapacityReport.objects.bulk_create(reports)
    CapacityReport.objects.filter(read_at__lt=now - settings.TELEMETRY_RETENTION).delete()
    ticks.finish(
        claimed, now=now, reports=len(reports), incomplete=sum(bool(row.errors) for row in reports)
    )
    return True


def _printable(reason: str) -> str:
    """Return a reason for people: AWS's own words may be long, or quote what was sent."""
    return mask_text(reason)[:LONGEST_REASON]
