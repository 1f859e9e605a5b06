"""The one function through which every alert arrives, whoever raises it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from catalog.models import Service
from incidents.models import Alert, AlertLogEntry, InboundEvent, Integration, Severity
from incidents.services import grouping
from incidents.services.acts import Acts


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
        integration: Through which it came; None for the portal's own.
        runbook_url: What to do about it.
        labels: Names and values it is matched by.
        group_key: What belongs together.
        pages: False when it only informs.
        at: The sender's clock; None where it does not tell which of two events came later.
        actor: Who ended it, where a person did.
        event: The request it came with.
    """

    source: str
    dedup_key: str
    firing: bool
    severity: Severity | str = Severity.P2
    title: str = ""
    service: Service | None = None
    detail: str = ""
    url: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    integration: Integration | None = None
    runbook_url: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    group_key: str = ""
    pages: bool = True
    at: datetime | None = None
    actor: str = ""
    event: InboundEvent | None = None


RENEWED = [
    "severity", "title", "detail", "facts", "url", "runbook_url", "labels", "pages", "last_seen_at",
    "count", "sender_at",
]  # fmt: skip
_TITLE = 1024


@transaction.atomic
def receive(signal: AlertSignal, *, now: datetime) -> Alert | None:
    """Open, refresh or resolve the alert that `signal` is about.

    Returns:
        The alert, or None when a condition ended for which none was open.
    """
    acts = Acts()
    alert = take(signal, acts, now=now)
    acts.record(now=now)
    return alert


@transaction.atomic
def receive_all(signals: Sequence[AlertSignal], *, now: datetime) -> None:
    """Receive many signals; those that only refresh what is open are written together."""
    keys = {(signal.source, signal.dedup_key) for signal in signals if signal.firing}
    rows = Alert.objects.firing().filter(
        integration=None,
        source__in={source for source, _ in keys},
        dedup_key__in={key for _, key in keys},
    )
    open_ = {
        (alert.source, alert.dedup_key): alert for alert in rows.select_for_update().order_by("pk")
    }
    acts = Acts()
    refreshed = []
    for signal in signals:
        alert = open_.get((signal.source, signal.dedup_key))
        if signal.firing and alert is not None:
            refreshed.append(_renewed(alert, signal, now=now))
        else:
            take(signal, acts, now=now)
    Alert.objects.bulk_update(refreshed, RENEWED, batch_size=100)
    grouping.follow(refreshed, acts, now=now)
    acts.record(now=now)


def take(signal: AlertSignal, acts: Acts, *, now: datetime) -> Alert | None:
    """Do what `receive` does within the caller's transaction, who records `acts` at its end."""
    if not signal.firing:
        return _resolve(signal, acts, now=now)
    if signal.at is not None and _ended_since(signal):
        return None
    alert, opened = Alert.objects.get_or_create(
        **_identity(signal),
        state=Alert.State.FIRING,
        defaults={
            "source": signal.source,
            "service": signal.service,
            "severity": signal.severity,
            "title": signal.title[:_TITLE],
            "detail": signal.detail,
            "url": signal.url,
            "runbook_url": signal.runbook_url,
            "labels": dict(signal.labels),
            "group_key": signal.group_key,
            "pages": signal.pages,
            "facts": dict(signal.facts),
            "opened_at": now,
            "last_seen_at": now,
            "sender_at": signal.at,
        },
    )
    if opened:
        _log(alert, AlertLogEntry.Kind.OPENED, signal, now=now)
        acts.add("alert.opened", alert, signal.source)
        grouping.attach(alert, acts, now=now)
        return alert
    return _refresh(alert, signal, acts, now=now)


def open_alert(signal: AlertSignal) -> Alert | None:
    """Return the firing alert that `signal` is about, locked, if there is one."""
    return Alert.objects.firing().select_for_update().filter(**_identity(signal)).first()


def is_late(alert: Alert, signal: AlertSignal) -> bool:
    """Return whether the sender's clock says that something newer was applied already."""
    return bool(signal.at and alert.sender_at and signal.at < alert.sender_at)


def _ended_since(signal: AlertSignal) -> bool:
    """Return whether the newest alert of this condition ended after what the signal tells of."""
    newest = Alert.objects.filter(**_identity(signal)).order_by("-pk").first()
    return newest is not None and newest.state == Alert.State.RESOLVED and is_late(newest, signal)


def _identity(signal: AlertSignal) -> dict[str, Any]:
    if signal.integration is not None:
        return {"integration": signal.integration, "dedup_key": signal.dedup_key}
    return {"source": signal.source, "integration": None, "dedup_key": signal.dedup_key}


def _refresh(alert: Alert, signal: AlertSignal, acts: Acts, *, now: datetime) -> Alert:
    """Keep the worst severity seen and the newest words."""
    alert = Alert.objects.select_for_update().get(pk=alert.pk)
    if signal.integration is not None:
        _log(alert, AlertLogEntry.Kind.REPEATED, signal, now=now)
    alert = _renewed(alert, signal, now=now)
    alert.save(update_fields=RENEWED)
    grouping.follow([alert], acts, now=now)
    return alert


def _renewed(alert: Alert, signal: AlertSignal, *, now: datetime) -> Alert:
    alert.last_seen_at = max(alert.last_seen_at, now)
    alert.count += 1
    if is_late(alert, signal):
        return alert
    alert.severity = min(alert.severity, str(signal.severity))
    alert.title, alert.detail = signal.title[:_TITLE], signal.detail
    alert.facts, alert.url = dict(signal.facts), signal.url
    alert.runbook_url, alert.labels = signal.runbook_url, dict(signal.labels)
    alert.pages = alert.pages or signal.pages
    alert.sender_at = signal.at or alert.sender_at
    return alert


def _resolve(signal: AlertSignal, acts: Acts, *, now: datetime) -> Alert | None:
    alert = open_alert(signal)
    if alert is None or is_late(alert, signal):
        return None
    alert.state = Alert.State.RESOLVED
    alert.resolved_at = alert.last_seen_at = max(now, alert.opened_at)
    alert.sender_at = signal.at or alert.sender_at
    alert.save(update_fields=["state", "resolved_at", "last_seen_at", "sender_at"])
    _log(alert, AlertLogEntry.Kind.RESOLVED, signal, now=now)
    acts.add("alert.resolved", alert, signal.actor or signal.source)
    grouping.detach(alert, acts, now=now)
    return alert


def _log(alert: Alert, kind: AlertLogEntry.Kind, signal: AlertSignal, *, now: datetime) -> None:
    AlertLogEntry.objects.create(
        alert=alert,
        event=signal.event,
        at=now,
        kind=kind,
        actor=signal.actor or signal.source,
        text=signal.detail if kind == AlertLogEntry.Kind.RESOLVED and signal.actor else "",
    )
