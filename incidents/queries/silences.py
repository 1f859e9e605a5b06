"""Which silence holds an alert back."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from incidents.domain.silencing import are_met
from incidents.models import Alert, Maintenance, Silence

__all__ = ["labels_of", "next_span", "silence_for", "silences_for"]


def silence_for(alert: Alert, *, now: datetime) -> Silence | None:
    """Return the active silence that ends last among those that match, if any does."""
    (found,) = silences_for([alert], now=now)
    return found


def silences_for(alerts: Sequence[Alert], *, now: datetime) -> list[Silence | None]:
    """Return for each alert the active silence that ends last among those that match."""
    services = {alert.service_id for alert in alerts}
    active = Silence.objects.active(now).filter(Q(service=None) | Q(service__in=services))
    found = list(active.order_by("-ends_at", "pk"))
    return [_first_match(alert, found) for alert in alerts]


def _first_match(alert: Alert, silences: Sequence[Silence]) -> Silence | None:
    of_it = [each for each in silences if each.service_id in (None, alert.service_id)]
    if not of_it:
        return None
    labels = labels_of(alert)
    return next((each for each in of_it if are_met(each.rules, labels)), None)


def next_span(row: Maintenance, *, now: datetime) -> tuple[datetime, datetime] | None:
    """Return the occurrence that goes on or comes next within a year; None when none does."""
    if row.cancelled_at is not None:
        return None
    return next(row.spans(now, now + timedelta(days=366)), None)


def labels_of(alert: Alert) -> dict[str, str]:
    """Return what matchers see: the sender's labels, and the alert's own title, severity, source."""
    own = {"title": alert.title, "severity": alert.severity, "source": alert.source}
    return {**own, **{str(name): str(value) for name, value in alert.labels.items()}}
