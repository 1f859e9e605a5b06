"""Alerts on circuit breakers that are open: a dependency is away, and calls to it are refused."""

from datetime import datetime

from catalog.models import Service
from incidents.models import Alert, Severity
from incidents.services import intake
from incidents.services.intake import AlertSignal
from telemetry.queries import breakers

__all__ = ["BREAKERS", "check_breakers"]

SOURCE = "breaker"
_OPEN = frozenset({"open", "forced_open"})
# The alert of a breaker and the rule on open breakers are one incident of a service.
BREAKERS = "breakers"


def check_breakers(*, now: datetime) -> int:
    """Open, refresh and resolve the alerts on open breakers.

    A breaker is open while any process says so. One of which nobody reports keeps its alert: that
    a process is gone does not mend what it called.

    Returns:
        Number of breakers that are open.
    """
    is_open: dict[tuple[str, str], bool] = {}
    for row in breakers(now=now):
        key = (row.service, row.name)
        is_open[key] = is_open.get(key, False) or row.state in _OPEN
    firing = set(Alert.objects.firing().filter(source=SOURCE).values_list("dedup_key", flat=True))
    services = Service.objects.in_bulk(
        {service for (service, _), state in is_open.items() if state}, field_name="slug"
    )
    signals = [
        _signal(slug, name, services.get(slug), firing=state)
        for (slug, name), state in is_open.items()
        if state or f"{slug}/{name}" in firing
    ]
    intake.receive_all(signals, now=now)
    return sum(is_open.values())


def _signal(slug: str, name: str, service: Service | None, *, firing: bool) -> AlertSignal:
    return AlertSignal(
        source=SOURCE,
        dedup_key=f"{slug}/{name}"[:512],
        firing=firing,
        severity=Severity.P2,
        title=f"Circuit breaker {name} of {slug} is open",
        service=service,
        detail="Calls behind it are refused until it lets some through to try." if firing else "",
        url="/sre/dashboard-ui",
        group_key=BREAKERS,
        labels={"service": slug, "breaker": name},
    )
