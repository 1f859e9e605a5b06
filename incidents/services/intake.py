"""The one function through which every alert arrives, whoever raises it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from msgspec import Struct, field

from catalog.models import Service
from core.bulk import reserve_ids, select_rows, update_rows
from core.inserts import Inserts, made
from incidents.models import Alert, AlertLogEntry, InboundEvent, Integration, Severity
from incidents.queries.configuration import Configuration, current
from incidents.queries.outlook import UNKNOWN, Outlook
from incidents.services import grouping
from incidents.services.acts import Acts

Kind = AlertLogEntry.Kind
# Columns that a report of the same condition changes, and those that its end does.
_RENEWED = (
    "id", "severity", "title", "detail", "facts", "url", "runbook_url", "labels", "pages",
    "last_seen_at", "count", "sender_at", "incident_id", "silenced_by_id",
)  # fmt: skip
_ENDED = ("id", "state", "resolved_at", "last_seen_at", "sender_at")
_TITLE = 1024
_TRIES = 3
Identity = tuple[int | None, str, str]


class AlertSignal(Struct, frozen=True):
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
        note: What somebody wrote with it.
        fired_before: Of an end: whether the sender says that it had fired until then. Where that was
            never heard, it is on its way and late, and must not open an alert that nothing ends.
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
    fired_before: bool = False
    event: InboundEvent | None = None
    note: str = ""


def receive(signal: AlertSignal, *, now: datetime) -> Alert | None:
    """Open, refresh or resolve the alert that `signal` is about.

    Returns:
        The alert, or None when a condition ended for which none was open.
    """
    (alert,) = receive_all([signal], now=now)
    return alert


@transaction.atomic
def receive_all(signals: Sequence[AlertSignal], *, now: datetime) -> list[Alert | None]:
    """Receive many signals; see `take_all`."""
    acts = Acts()
    alerts = _retried(signals, acts, now=now)
    acts.record(now=now)
    return alerts


def take(signal: AlertSignal, acts: Acts, *, now: datetime) -> Alert | None:
    """Do what `receive` does within the caller's transaction, who records `acts` at its end."""
    (alert,) = _retried([signal], acts, now=now)
    return alert


def _retried(signals: Sequence[AlertSignal], acts: Acts, *, now: datetime) -> list[Alert | None]:
    for again in range(_TRIES - 1, -1, -1):
        own = Acts()
        try:
            with transaction.atomic():
                alerts = take_all(signals, own, now=now)
        except IntegrityError:
            # Somebody else opened the same alert or incident in the same moment.
            if not again:
                raise
            continue
        acts.extend(own)
        break
    return alerts


def take_all(
    signals: Sequence[AlertSignal],
    acts: Acts,
    *,
    now: datetime,
    inserts: Inserts | None = None,
    configuration: Configuration | None = None,
    outlook: Outlook = UNKNOWN,
) -> list[Alert | None]:
    """Do what many signals say, within the caller's transaction, who records `acts` at its end.

    A statement does the same to all of them. The order is kept for each condition; what fires comes
    before what ends, so that an incident of both stays open.

    Args:
        signals: What is said.
        acts: Gets what is to be audited.
        now: The present.
        inserts: Rows of the caller that go to the database with or before any of this, who writes
            what is left in it.
        configuration: What holds now, where the caller knows.
        outlook: What is known of those that fire.

    Returns:
        For each signal its alert, or None when it concerns none that is open, or came too late.

    Raises:
        django.db.IntegrityError: One of them cannot be stored, or somebody else opened the same
            alert or incident in the same moment. The transaction is to be undone.
        django.db.DataError, TypeError, ValueError: One of them cannot be stored.
    """
    alerts: list[Alert | None] = [None] * len(signals)
    rows = Inserts() if inserts is None else inserts
    for wave, numbers in enumerate(_waves(signals)):
        if wave:
            # It may be about what was just opened.
            rows.write()
            outlook = UNKNOWN
        chosen = [signals[number] for number in numbers]
        if chosen[0].firing:
            known = configuration or current()
            done = _fire_all(chosen, acts, rows, known, now=now, outlook=outlook)
        else:
            done = _resolve_all(chosen, acts, rows, now=now)
        for number, alert in zip(numbers, done, strict=True):
            alerts[number] = alert
    if inserts is None:
        rows.write()
    return alerts


def _waves(signals: Sequence[AlertSignal]) -> list[list[int]]:
    """Return which signals can be done together: of a condition one at a time, all of one kind."""
    seen: Counter[Identity] = Counter()
    waves: dict[tuple[int, bool], list[int]] = {}
    for number, signal in enumerate(signals):
        identity = _identity(signal)
        waves.setdefault((seen[identity], not signal.firing), []).append(number)
        seen[identity] += 1
    return [waves[key] for key in sorted(waves)]


def open_alert(signal: AlertSignal) -> Alert | None:
    """Return the firing alert that `signal` is about, locked, if there is one."""
    return _open_alerts([signal]).get(_identity(signal))


def is_late(alert: Alert, signal: AlertSignal) -> bool:
    """Return whether the sender's clock says that something newer was applied already."""
    return bool(signal.at and alert.sender_at and signal.at < alert.sender_at)


def _fire_all(
    signals: Sequence[AlertSignal],
    acts: Acts,
    inserts: Inserts,
    configuration: Configuration,
    *,
    now: datetime,
    outlook: Outlook,
) -> list[Alert | None]:
    """Open alerts, or keep the worst severity seen and the newest words of those that are open."""
    known = _open_alerts(signals) if outlook.has_open else {}
    identities = [_identity(signal) for signal in signals]
    unknown = [
        signal
        for identity, signal in zip(identities, signals, strict=True)
        if identity not in known
    ]
    ended = _last_ends(unknown) if outlook.has_ended else {}
    fresh = [signal for signal in unknown if not _is_over(signal, ended)]
    opened = [
        _new(pk, signal, now=now)
        for pk, signal in zip(outlook.reserve(Alert, len(fresh)), fresh, strict=True)
    ]
    for alert, signal in zip(opened, fresh, strict=True):
        acts.add("alert.opened", alert, signal.source)
        _log(inserts, alert, Kind.OPENED, signal, now=now)
    repeated = []
    for identity, signal in zip(identities, signals, strict=True):
        if (stored := known.get(identity)) is not None:
            _renew(stored, signal, now=now)
            if signal.integration is not None:
                _log(inserts, stored, Kind.REPEATED, signal, now=now)
            repeated.append(stored)
    known |= zip(map(_identity, fresh), opened, strict=True)
    alerts = [known.get(identity) for identity in identities]
    found = [alert for alert in alerts if alert is not None]
    grouping.place(found, acts, inserts, configuration, now=now, outlook=outlook)
    inserts.add(*opened)
    if repeated:
        inserts.write()
        update_rows(Alert, [_columns(alert, _RENEWED) for alert in repeated])
        grouping.worsen(repeated, acts, now=now)
    return alerts


def _resolve_all(
    signals: Sequence[AlertSignal], acts: Acts, inserts: Inserts, *, now: datetime
) -> list[Alert | None]:
    known = _open_alerts(signals)
    unheard = _unheard([s for s in signals if _identity(s) not in known], inserts, now=now)
    alerts: list[Alert | None] = []
    for signal in signals:
        alert = known.get(_identity(signal))
        if alert is None or is_late(alert, signal):
            alerts.append(None)
            continue
        alert.state = Alert.State.RESOLVED
        alert.resolved_at = alert.last_seen_at = max(now, alert.opened_at)
        alert.sender_at = signal.at or alert.sender_at
        _log(inserts, alert, Kind.RESOLVED, signal, now=now)
        acts.add("alert.resolved", alert, signal.actor or signal.source)
        alerts.append(alert)
    found = [alert for alert in alerts if alert is not None]
    inserts.write()
    update_rows(Alert, [_columns(alert, _ENDED) for alert in found])
    grouping.detach(found, acts, now=now)
    return [
        alert or unheard.get(_identity(signal))
        for alert, signal in zip(alerts, signals, strict=True)
    ]


def _unheard(
    signals: Sequence[AlertSignal], inserts: Inserts, *, now: datetime
) -> dict[Identity, Alert]:
    """Keep the ends of alerts whose beginning is still on its way: it then comes too late."""
    dated = [signal for signal in signals if signal.fired_before and signal.at is not None]
    if not dated:
        return {}
    ended = _last_ends(dated)
    news = [s for s in dated if (end := ended.get(_identity(s))) is None or s.at > end]  # type: ignore[operator]
    found: dict[Identity, Alert] = {}
    for pk, signal in zip(reserve_ids(Alert, len(news)), news, strict=True):
        alert = found[_identity(signal)] = _new(pk, signal, now=now)
        alert.state, alert.resolved_at = Alert.State.RESOLVED, now
        inserts.add(alert)
        early = "It ended before its beginning was heard."
        _log(inserts, alert, Kind.RESOLVED, signal, now=now, text=early)
    return found


def _identity(signal: AlertSignal) -> Identity:
    # An integration's sender is one source, the silence of its heartbeats is another.
    integration = signal.integration
    return None if integration is None else integration.id, signal.source, signal.dedup_key


def _perhaps(signals: Iterable[AlertSignal]) -> Q:
    """Return a condition that alerts of these signals meet, and few others."""
    wanted = Q()
    own = {signal.source for signal in signals if signal.integration is None}
    integrations = {signal.integration.pk for signal in signals if signal.integration is not None}
    if integrations:
        wanted |= Q(integration__in=integrations)
    if own:
        wanted |= Q(integration=None, source__in=own)
    return wanted & Q(dedup_key__in={signal.dedup_key for signal in signals})


def _open_alerts(signals: Sequence[AlertSignal]) -> dict[Identity, Alert]:
    """Return the firing alerts that signals are about, locked."""
    keys = {signal.dedup_key for signal in signals}
    own = {signal.source for signal in signals if signal.integration is None}
    rows: list[Alert] = []
    if integrations := {s.integration.pk: s.integration for s in signals if s.integration}:
        firing = {"state": [Alert.State.FIRING], "integration_id": integrations, "dedup_key": keys}
        rows += select_rows(Alert, firing, lock=True)
    if own:
        firing = {"state": [Alert.State.FIRING], "source": own, "dedup_key": keys}
        found_own = select_rows(Alert, firing, lock=True)
        rows += [alert for alert in found_own if alert.integration_id is None]
    found = {alert.condition: alert for alert in rows}
    for alert in found.values():
        if alert.integration_id is not None:
            # Loaded already; everything below would ask for it one by one.
            alert.integration = integrations[alert.integration_id]
    return found


def _last_ends(signals: Sequence[AlertSignal]) -> dict[Identity, datetime]:
    """Return the sender's time at the end of the newest alert of each condition, where it counts."""
    dated = [signal for signal in signals if signal.at is not None]
    if not dated:
        return {}
    rows = Alert.objects.filter(_perhaps(dated), state=Alert.State.RESOLVED)
    ends = rows.filter(sender_at__isnull=False).order_by("pk")
    return {
        alert.condition: alert.sender_at
        for alert in ends.only("integration", "source", "dedup_key", "sender_at")
        if alert.sender_at is not None
    }


def _is_over(signal: AlertSignal, ended: Mapping[Identity, datetime]) -> bool:
    """Return whether the condition ended after what the signal tells of."""
    end = ended.get(_identity(signal))
    return end is not None and signal.at is not None and signal.at < end


def _new(pk: int, signal: AlertSignal, *, now: datetime) -> Alert:
    return made(
        Alert,
        related={"integration": signal.integration, "service": signal.service},
        id=pk,
        source=signal.source,
        dedup_key=signal.dedup_key,
        severity=str(signal.severity),
        title=signal.title[:_TITLE],
        detail=signal.detail,
        url=signal.url,
        runbook_url=signal.runbook_url,
        labels=dict(signal.labels),
        group_key=signal.group_key,
        pages=signal.pages,
        facts=dict(signal.facts),
        opened_at=now,
        last_seen_at=now,
        sender_at=signal.at,
    )


def _renew(alert: Alert, signal: AlertSignal, *, now: datetime) -> None:
    alert.last_seen_at = max(alert.last_seen_at, now)
    alert.count += 1
    if is_late(alert, signal):
        return
    alert.severity = min(alert.severity, str(signal.severity))
    alert.title, alert.detail = signal.title[:_TITLE], signal.detail
    alert.facts, alert.url = dict(signal.facts), signal.url
    alert.runbook_url, alert.labels = signal.runbook_url, dict(signal.labels)
    alert.pages = alert.pages or signal.pages
    alert.sender_at = signal.at or alert.sender_at


def _columns(alert: Alert, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(alert, name) for name in names}


def _log(
    inserts: Inserts,
    alert: Alert,
    kind: AlertLogEntry.Kind,
    signal: AlertSignal,
    *,
    now: datetime,
    text: str = "",
) -> None:
    inserts.add_row(
        AlertLogEntry,
        alert_id=alert.pk,
        event_id=signal.event.pk if signal.event is not None else None,
        at=now,
        kind=kind,
        actor=signal.actor or signal.source,
        text=text
        or signal.note
        or (signal.detail if kind == Kind.RESOLVED and signal.actor else ""),
        facts={"note": signal.note} if signal.note else {},
    )
