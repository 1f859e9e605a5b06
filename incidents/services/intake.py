"""The one function through which every alert arrives, whoever raises it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from catalog.models import Service
from core import audit
from incidents.models import Alert, Severity


@dataclass(frozen=True)
class AlertSignal:
    """A condition that holds (`firing`) or no longer holds.

    Args:
        source: Who says so, e.g. "slo".
        dedup_key: Identity of the condition within its source.
        firing: True while it holds, False once it has ended.
        severity: How bad it is.
        title: One sentence for a phone's lock screen.
        service: What it concerns, if anything.
        detail: The rest, in words.
        url: Page that explains it.
        facts: The figures that decided, JSON.
    """

    source: str
    dedup_key: str
    firing: bool
    severity: Severity = Severity.P2
    title: str = ""
    service: Service | None = None
    detail: str = ""
    url: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


RENEWED = ["severity", "title", "detail", "facts", "url", "last_seen_at", "count"]


@transaction.atomic
def receive(signal: AlertSignal, *, now: datetime) -> Alert | None:
    """Open, refresh or resolve the alert that `signal` is about.

    Returns:
        The alert, or None when a condition ended for which none was open.
    """
    if not signal.firing:
        return _resolve(signal, now=now)
    alert, opened = Alert.objects.get_or_create(
        source=signal.source,
        dedup_key=signal.dedup_key,
        state=Alert.State.FIRING,
        defaults={
            "service": signal.service,
            "severity": signal.severity,
            "title": signal.title[:300],
            "detail": signal.detail,
            "url": signal.url,
            "facts": signal.facts,
            "opened_at": now,
            "last_seen_at": now,
        },
    )
    if opened:
        audit.record(act="alert.opened", subject=alert, actor=signal.source, now=now)
        return alert
    return _refresh(alert, signal, now=now)


@transaction.atomic
def receive_all(signals: Sequence[AlertSignal], *, now: datetime) -> None:
    """Receive many signals; those that only refresh what is open are written together."""
    keys = {(signal.source, signal.dedup_key) for signal in signals if signal.firing}
    rows = Alert.objects.firing().filter(
        source__in={source for source, _ in keys}, dedup_key__in={key for _, key in keys}
    )
    open_ = {
        (alert.source, alert.dedup_key): alert for alert in rows.select_for_update().order_by("pk")
    }
    refreshed = []
    for signal in signals:
        alert = open_.get((signal.source, signal.dedup_key))
        if signal.firing and alert is not None:
            refreshed.append(_renewed(alert, signal, now=now))
        else:
            receive(signal, now=now)
    Alert.objects.bulk_update(refreshed, RENEWED, batch_size=100)


def _refresh(alert: Alert, signal: AlertSignal, *, now: datetime) -> Alert:
    """Keep the worst severity seen and the newest words."""
    alert = _renewed(Alert.objects.select_for_update().get(pk=alert.pk), signal, now=now)
    alert.save(update_fields=RENEWED)
    return alert


def _renewed(alert: Alert, signal: AlertSignal, *, now: datetime) -> Alert:
    alert.severity = min(alert.severity, signal.severity)
    alert.title, alert.detail = signal.title[:300], signal.detail
    alert.facts, alert.url = signal.facts, signal.url
    alert.last_seen_at = max(alert.last_seen_at, now)
    alert.count += 1
    return alert


def _resolve(signal: AlertSignal, *, now: datetime) -> Alert | None:
    alert = (
        Alert.objects.firing()
        .select_for_update()
        .filter(source=signal.source, dedup_key=signal.dedup_key)
        .first()
    )
    if alert is None:
        return None
    alert.state = Alert.State.RESOLVED
    alert.resolved_at = alert.last_seen_at = max(now, alert.opened_at)
    alert.save(update_fields=["state", "resolved_at", "last_seen_at"])
    audit.record(act="alert.resolved", subject=alert, actor=signal.source, now=now)
    return alert
