"""The overview and the operations guide's dashboard page."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts.access import requires, signed_in
from accounts.models import User
from accounts.roles import Role
from catalog.models import Service
from core.charts import Axis, Series, line_chart
from core.clock import floor_minute, now
from core.htmx import render_page
from core.models import AuditEntry
from dashboard import health, queries
from incidents.models import Alert, Incident
from incidents.queries.roles import role_offers
from slo.charts import recent_errors
from slo.domain.windows import Window
from slo.models import Slo
from slo.queries import SliceReader
from telemetry import queries as telemetry

RANGES = {
    "1h": (timedelta(hours=1), timedelta(minutes=1)),
    "3h": (timedelta(hours=3), timedelta(minutes=2)),
    "24h": (timedelta(days=1), timedelta(minutes=15)),
}
QUANTILES = {0.5: "p50", 0.95: "p95", 0.99: "p99"}


@dataclass(frozen=True)
class Overview:
    """Everything the overview and the dashboard page share."""

    at: datetime
    fresh: queries.Freshness
    slos: list[Slo]
    alerts: list[Alert]
    incidents: list[Incident]
    status: str

    @classmethod
    def read(cls, user: User) -> "Overview":
        """Read it as `user` may see it."""
        at = now()
        fresh = queries.freshness(now=at)
        slos, alerts = queries.objectives(user), queries.firing_alerts(user)
        incidents = queries.open_incidents(user)
        status = queries.overall(slos, alerts, incidents, fresh)
        return cls(at, fresh, slos, alerts, incidents, status)

    def context(self) -> dict[str, Any]:
        """Return the template context of both pages."""
        end = floor_minute(self.fresh.watermark or self.at)
        window = Window(end - timedelta(hours=3), end)
        recent = recent_errors(self.slos, SliceReader(), window, timedelta(minutes=5))
        return {
            "status": self.status,
            "rows": [{"slo": slo, "recent": recent[slo.pk]} for slo in self.slos],
            "alerts": self.alerts,
            "incidents": self.incidents,
            "watermark": self.fresh.watermark,
            "stale_since": self.fresh.stale_since,
            "generated_at": self.at,
        }


@require_safe
@requires(Role.VIEWER)
def overview(request: HttpRequest) -> HttpResponse:
    """Show what needs somebody now, and how everything else stands."""
    user = signed_in(request)
    seen = Overview.read(user)
    shown = request.GET.get("range", "3h")
    length, step = RANGES.get(shown, RANGES["3h"])
    end = floor_minute(seen.at)
    services = list(Service.objects.visible_to(user).order_by("tier", "slug")[:20])
    troubled = [slo for slo in seen.slos if needs_somebody(slo)]
    context = {
        **seen.context(),
        "greeting": greeting(seen, troubled),
        "summary": summary(seen, troubled),
        "latency": latency_chart(services, Window(end - length, end), step),
        "range": shown,
        "ranges": [(name, name.replace("h", " h")) for name in RANGES],
        "figures": figures(seen, services),
        "activity": AuditEntry.objects.order_by("-seq")[:6],
        "services": services,
        "offers": role_offers(user),
    }
    return render_page(request, "dashboard/overview.html", context, partial="live")


@require_safe
@requires(Role.VIEWER, scope="read")
def dashboard_ui(request: HttpRequest) -> HttpResponse:
    """Show the operations guide's six key metrics on one page."""
    user = signed_in(request)
    seen = Overview.read(user)
    context = {
        **seen.context(),
        "health": health.report(user, now=seen.at),
        "breakers": telemetry.breakers(now=seen.at, user=user),
        "capacity": queries.capacity(user, now=seen.at),
    }
    return render_page(request, "dashboard/sre.html", context, partial="live")


def has_data(slo: Slo) -> bool:
    """Return whether there is anything to judge an SLO by."""
    return queries.state_of(slo) != "no_data"


def needs_somebody(slo: Slo) -> bool:
    """Return whether a budget is at risk or exhausted."""
    return queries.state_of(slo) in {"at_risk", "exhausted"}


def greeting(seen: Overview, troubled: list[Slo]) -> str:
    """Return the headline: how many services need somebody."""
    services = {slo.sli.service_id for slo in troubled}
    services |= {alert.service_id for alert in seen.alerts if alert.service_id}
    services |= {incident.service_id for incident in seen.incidents if incident.service_id}
    if services:
        return f"{len(services)} service{'s need' if len(services) > 1 else ' needs'} you"
    known = not seen.fresh.stale_since and any(has_data(slo) for slo in seen.slos)
    return "Nothing needs you" if known else "Nothing is known yet"


def summary(seen: Overview, troubled: list[Slo]) -> str:
    """Say in a sentence what is wrong, or that nothing is."""
    if seen.fresh.watermark is None:
        return "The first minute is counted about 90 seconds after the start."
    if seen.fresh.stale_since:
        return "Figures stand still; what was missed is counted when worker and beat are back."
    if seen.incidents:
        worst, more = seen.incidents[0], len(seen.incidents) - 1
        also = f", and {more} more {'are' if more > 1 else 'is'} open" if more else ""
        return f"{worst.severity} {worst.title} is {worst.status}{also}."
    if troubled:
        rest = "" if len(troubled) == len(seen.slos) else " Everything else is within objectives."
        return f"{sentence(troubled[0])}{rest}"
    if seen.alerts:
        return f"{seen.alerts[0].title}."
    return quiet(seen)


def quiet(seen: Overview) -> str:
    """Say how much stands behind it when nothing is known to be wrong."""
    silent = [slo for slo in seen.slos if not has_data(slo)]
    if not seen.slos:
        return "There are no objectives to judge anything by."
    if len(silent) == len(seen.slos):
        return "There are objectives, but no data to judge them by."
    if silent:
        more = f" and {len(silent) - 1} more have" if len(silent) > 1 else " has"
        return f"{silent[0].name}{more} no data; everything else is within its objectives."
    return "Everything is within its objectives."


def sentence(slo: Slo) -> str:
    """Say how one SLO is in trouble."""
    status = slo.status
    if status is None:
        return f"{slo.name} was not evaluated yet."
    if status.state == "exhausted":
        return f"{slo.name} has spent its error budget of {slo.window_name}."
    rate = status.burn_1h
    if rate is not None and rate > 1:
        return f"{slo.name} burns its error budget {rate:.1f} times too fast."
    left = (status.budget_remaining or 0) * 100
    return f"{slo.name} has {left:.0f} % of its error budget left."


def figures(seen: Overview, services: list[Service]) -> dict[str, Any]:
    """Return the four figures on top: each names the SLO or service it is from."""
    kinds = {slo.sli.kind: slo for slo in reversed(seen.slos) if queries.status_of(slo)}
    lefts = [(left, slo) for slo in seen.slos if (left := budget_left(slo)) is not None]
    lowest = min(lefts, key=itemgetter(0), default=(None, None))[1]
    by_pk = {service.pk: service for service in services}
    quarter = seen.at - timedelta(minutes=15)
    measured = telemetry.latency_percentiles_by_service(by_pk, quarter, seen.at, [0.95])
    p95s = [(found[0.95], by_pk[pk]) for pk, found in measured.items()]
    slowest = max(p95s, key=itemgetter(0), default=None)
    return {"availability": kinds.get("availability"), "lowest": lowest, "slowest": slowest}


def budget_left(slo: Slo) -> float | None:
    """Return the share of the budget left, None without data."""
    status = queries.status_of(slo)
    return status.budget_remaining if status else None


def latency_chart(services: list[Service], window: Window, step: timedelta) -> Any:
    """Return p50, p95 and p99 of all visible services together, estimated from their buckets."""
    points = telemetry.percentile_series(
        [service.pk for service in services], window.start, window.end, step, list(QUANTILES)
    )
    series = [
        Series(name, [(at, values.get(share) if values else None) for at, values in points])
        for share, name in QUANTILES.items()
    ]
    return line_chart(id="latency", title="Latency, all services", series=series, y=Axis(unit="ms"))
