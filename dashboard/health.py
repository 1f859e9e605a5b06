"""`/sre/health`: each component with its state, and the whole."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, connection

from core.models import ProcessHeartbeat
from dashboard import queries

if TYPE_CHECKING:
    from accounts.models import User

SILENT_AFTER = timedelta(seconds=60)
ORDER = ("healthy", "unknown", "degraded", "critical")
# Without its database the portal is down; the others cost a part of it.
OPEN_BREAKERS = frozenset({"open", "forced_open"})
PROCESSES = ("web", "pager", "worker", "beat")


def report(user: "User", *, now: datetime) -> dict[str, Any]:
    """Return the document of `/sre/health`."""
    components = {
        "database": database(),
        "evaluation": evaluation(now=now),
        "slos": objectives(user),
        "alerts": alerts(user),
        "incidents": incidents(user),
        "circuit_breakers": breakers(user, now=now),
    }
    for process in PROCESSES:
        components[process] = heartbeat(process, now=now)
    worst = max((part["status"] for part in components.values()), key=ORDER.index)
    return {"status": worst, "generated_at": queries.iso(now), "components": components}


def component(status: str, detail: str, **more: Any) -> dict[str, Any]:
    """Return one component's entry."""
    return {"status": status, "detail": detail, **more}


def database() -> dict[str, Any]:
    """Return whether the database answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return component("critical", "The database does not answer.")
    return component("healthy", "The database answers.", engine=connection.vendor)


def evaluation(*, now: datetime) -> dict[str, Any]:
    """Return whether SLIs are computed on time."""
    fresh = queries.freshness(now=now)
    if fresh.watermark is None:
        return component("unknown", "No minute was evaluated yet.", watermark=None)
    watermark = queries.iso(fresh.watermark)
    if fresh.stale_since:
        return component(
            "degraded",
            f"Figures are stale since {in_words(fresh.watermark)}: worker or beat do not run.",
            watermark=watermark,
            stale_since=watermark,
        )
    return component("healthy", f"Counted up to {in_words(fresh.watermark)}.", watermark=watermark)


def objectives(user: "User") -> dict[str, Any]:
    """Return the SLOs by state."""
    by_state = Counter(map(queries.state_of, queries.objectives(user)))
    if not by_state or set(by_state) == {"no_data"}:
        return component("unknown", "No SLO has data.", states=by_state)
    number = sum(by_state.values())
    if troubled := by_state.get("exhausted", 0) + by_state.get("at_risk", 0):
        return component("degraded", f"{troubled} of {number} need attention.", states=by_state)
    if silent := by_state.get("no_data", 0):
        detail = f"{silent} of {number} have no data, the others are within their budget."
        return component("unknown", detail, states=by_state)
    return component("healthy", "All are within their budget.", states=by_state)


def alerts(user: "User") -> dict[str, Any]:
    """Return what is firing, by severity."""
    firing = Counter(alert.severity for alert in queries.firing_alerts(user))
    return component(*urgency(firing, "alert is firing", "is firing"), firing=firing)


def incidents(user: "User") -> dict[str, Any]:
    """Return what is open, by severity."""
    still_open = Counter(incident.severity for incident in queries.open_incidents(user))
    return component(*urgency(still_open, "incident is open", "is open"), open=still_open)


def urgency(by_severity: Mapping[str, int], one: str, some: str) -> tuple[str, str]:
    """Return the state that the worst severity makes, and say so."""
    for severity, status in (("P0", "critical"), ("P1", "degraded")):
        if severity in by_severity:
            return status, f"A {severity} {one}."
    return "healthy", f"Nothing urgent {some}."


def breakers(user: "User", *, now: datetime) -> dict[str, Any]:
    """Return whether any circuit breaker is open that `user` may know of."""
    known = queries.breakers(user, now=now)
    open_names = [row["name"] for row in known if row["state"] in OPEN_BREAKERS]
    if open_names:
        return component("degraded", f"Open: {', '.join(open_names)}.", open=open_names)
    return component("healthy", "None is open.", open=[])


def heartbeat(process: str, *, now: datetime) -> dict[str, Any]:
    """Return when a kind of process was last alive."""
    at = ProcessHeartbeat.objects.latest_at(process, until=now + SILENT_AFTER)
    if at is None:
        return component("unknown", "Not seen yet.", last_seen=None)
    if now - at > SILENT_AFTER:
        return component("degraded", f"Silent since {in_words(at)}.", last_seen=queries.iso(at))
    return component("healthy", "Alive.", last_seen=queries.iso(at))


def in_words(at: datetime) -> str:
    """Return an instant as people read it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
