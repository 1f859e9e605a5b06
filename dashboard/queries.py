"""What the overview and the operations guide's addresses show: read everything, own nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Max

from capacity.queries import utilisation
from core.models import JobSlot
from incidents.domain.lifecycle import OPEN
from incidents.models import Alert, Incident
from incidents.queries.incidents import visible_incidents
from slo.domain.counts import Counts
from slo.domain.figures import Figures
from slo.domain.state import State
from slo.domain.windows import BURN_WINDOWS
from slo.models import Sli, Slo
from slo.queries import SliceReader, counts_of, figures
from slo.services.evaluation import JOB
from telemetry import queries as telemetry

if TYPE_CHECKING:
    from accounts.models import User

# A minute closes 30 s after its end and is evaluated within 15 s; twice that is not normal.
STALE_AFTER = timedelta(minutes=3)


@dataclass(frozen=True)
class Freshness:
    """How far the figures reach.

    Args:
        watermark: End of the last evaluated minute; None before the first tick.
        stale_since: When they stopped to move on; None while they do.
    """

    watermark: datetime | None
    stale_since: datetime | None


def freshness(*, now: datetime) -> Freshness:
    """Return how far evaluation has come, and since when it stands still."""
    newest = JobSlot.objects.filter(job=JOB).aggregate(slot=Max("slot"))["slot"]
    if newest is None:
        return Freshness(None, None)
    watermark = newest + timedelta(minutes=1)
    return Freshness(watermark, watermark if now - watermark > STALE_AFTER else None)


def objectives(user: "User") -> list[Slo]:
    """Return the SLOs that `user` may see, with what their rows show."""
    return figures.attach(
        list(
            Slo.objects.visible_to(user)
            .enabled()
            .select_related("sli__service__owner")
            .prefetch_related("versions")
        )
    )


def counted_ever(slos: Iterable[Slo]) -> dict[Sli, Counts]:
    """Return what the SLIs of SLOs counted from the beginning to the newest round, if anything."""
    judged = [(slo.sli, slo.status) for slo in slos if slo.status]
    if not judged:
        return {}
    end = max(status.watermark for _, status in judged)
    before = SliceReader().prefixes([end])[end]
    found = {sli: counts_of(before, sli.slot) for sli, _ in judged}
    return {sli: counts for sli, counts in found.items() if counts.measured}


def status_of(slo: Slo) -> Figures | None:
    """Return the newest figures of an SLO, None before its first evaluation."""
    return slo.status


def state_of(slo: Slo) -> str:
    """Return the state of an SLO; before its first evaluation it has no data."""
    status = status_of(slo)
    return status.state if status else State.NO_DATA.value


def objective_json(slo: Slo) -> dict[str, Any]:
    """Return one SLO as `/sre/dashboard` prints it: fractions, and null for no data."""
    status = status_of(slo)
    burn = status.burn if status else {}
    return {
        "slug": slo.slug,
        "name": slo.name,
        "service": slo.sli.service.slug,
        "kind": slo.sli.kind,
        "objective": float(slo.objective),
        "window": slo.window_name,
        "method": slo.method,
        "good": status.good if status else 0,
        "total": status.total if status else 0,
        "sli": status.sli if status else None,
        "budget_remaining": status.budget_remaining if status else None,
        "burn_rate": {name: burn.get(name, {}).get("rate") for name in BURN_WINDOWS},
        "state": status.state if status else State.NO_DATA.value,
        "state_since": iso(status.state_since) if status else None,
        "coverage": status.coverage if status else None,
        "watermark": iso(status.watermark) if status else None,
    }


def firing_alerts(user: "User") -> list[Alert]:
    """Return what is wrong now, the worst and newest first."""
    return list(
        Alert.objects.firing()
        .visible_to(user)
        .select_related("service", "incident")
        .order_by("severity", "-opened_at")[:500]
    )


def open_incidents(user: "User") -> list[Incident]:
    """Return what somebody must still do something about, the worst and oldest first."""
    seen = visible_incidents(user).filter(status__in=OPEN)
    return list(seen.order_by("severity", "opened_at", "pk")[:500])


def incident_json(incident: Incident) -> dict[str, Any]:
    """Return one incident as `/sre/dashboard` prints it."""
    return {
        "id": incident.pk,
        "severity": incident.severity,
        "status": incident.status,
        "service": incident.service.slug if incident.service else None,
        "title": incident.title,
        "assigned_to": incident.assigned_to.username if incident.assigned_to else None,
        "opened_at": iso(incident.opened_at),
        "acknowledged_at": iso(incident.acknowledged_at),
        "url": f"{settings.PORTAL_URL}{incident.get_absolute_url()}",
    }


def alert_json(alert: Alert) -> dict[str, Any]:
    """Return one alert as `/sre/alerts` prints it."""
    return {
        "id": alert.pk,
        "severity": alert.severity,
        "source": alert.source,
        "service": alert.service.slug if alert.service else None,
        "title": alert.title,
        "state": alert.state,
        "opened_at": iso(alert.opened_at),
        "url": _explained_at(alert),
    }


def _explained_at(alert: Alert) -> str | None:
    """Return the page that explains an alert: the sender's or ours, else that of its incident."""
    if alert.url:
        return f"{settings.PORTAL_URL}{alert.url}" if alert.url.startswith("/") else alert.url
    if alert.incident is not None:
        return f"{settings.PORTAL_URL}{alert.incident.get_absolute_url()}"
    return None


def overall(
    slos: Iterable[Slo], alerts: Iterable[Alert], incidents: Iterable[Incident], fresh: Freshness
) -> str:
    """Return the state of everything in one word.

    Critical while a P0 fires or is open; unknown when figures are stale or nothing was measured;
    degraded while a P1 fires or is open, or a budget is at risk or exhausted; unknown, too, when
    nothing is known to be wrong but an objective has no data; healthy when all have and none is.
    """
    severities = {alert.severity for alert in alerts}
    severities |= {incident.severity for incident in incidents}
    states = set(map(state_of, slos))
    if "P0" in severities:
        return "critical"
    if fresh.watermark is None or fresh.stale_since or not states - {State.NO_DATA.value}:
        return "unknown"
    if "P1" in severities or states & {State.AT_RISK.value, State.EXHAUSTED.value}:
        return "degraded"
    return "unknown" if State.NO_DATA.value in states else "healthy"


def iso(at: datetime | None) -> str | None:
    """Return an instant as ISO 8601 with a Z, None for None."""
    return at.isoformat().replace("+00:00", "Z") if at else None


def breakers(user: "User", *, now: datetime) -> list[dict[str, Any]]:
    """Return every circuit breaker that a process reported on within the last minute.

    Those of services that `user` may not know of are left out.
    """
    return [
        {
            "name": row.name,
            "service": row.service,
            "instance": row.instance,
            "state": row.state,
            "failure_rate": row.failure_rate,
            "calls": row.calls,
            "since": iso(row.since),
        }
        for row in telemetry.breakers(now=now, user=user)
    ]


def capacity(user: "User", *, now: datetime) -> list[dict[str, Any]]:
    """Return utilisation, p95 and recommendations per service."""
    return utilisation(user, now=now)
