"""The one function through which every alert arrives, whoever raises it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from core.again import again_if_crossed
from core.bulk import reserve_ids, update_rows
from core.inserts import Inserts, made
from incidents.models import Alert, AlertLogEntry
from incidents.queries.configuration import Configuration, current
from incidents.queries.outlook import UNKNOWN, Outlook
from incidents.services import grouping
from incidents.services.acts import Acts
from incidents.services.conditions import (
    AlertSignal,
    Identity,
    identity_of,
    is_late,
    is_over,
    last_ends,
    open_alert,
    open_alerts,
    waves_of,
)

__all__ = [
    "AlertSignal",
    "open_alert",
    "receive",
    "receive_all",
    "take",
    "take_all",
    "take_many",
]

Kind = AlertLogEntry.Kind
# Columns that a report of the same condition changes, and those that its end does.
_RENEWED = (
    "id", "severity", "title", "detail", "facts", "url", "runbook_url", "labels", "pages",
    "last_seen_at", "count", "sender_at", "incident_id", "silenced_by_id",
)  # fmt: skip
_ENDED = ("id", "state", "resolved_at", "last_seen_at", "sender_at")
_TITLE = 1024
_TRIES = 3
# So often is it logged that an alert is reported again in the same moment; it is counted always.
MOST_LOGGED = 100


def receive(signal: AlertSignal, *, now: datetime) -> Alert | None:
    """Open, refresh or resolve the alert that `signal` is about.

    Returns:
        The alert, or None when a condition ended for which none was open.
    """
    (alert,) = receive_all([signal], now=now)
    return alert


@again_if_crossed
@transaction.atomic
def receive_all(signals: Sequence[AlertSignal], *, now: datetime) -> list[Alert | None]:
    """Receive many signals; see `take_all`."""
    acts = Acts()
    alerts = take_many(signals, acts, now=now)
    acts.record(now=now)
    return alerts


def take(signal: AlertSignal, acts: Acts, *, now: datetime) -> Alert | None:
    """Do what `receive` does within the caller's transaction, who records `acts` at its end."""
    (alert,) = take_many([signal], acts, now=now)
    return alert


def take_many(signals: Sequence[AlertSignal], acts: Acts, *, now: datetime) -> list[Alert | None]:
    """Do what `take_all` does, again where somebody else opened the same in the same moment."""
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
    for wave, numbers in enumerate(waves_of(signals)):
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
    known = open_alerts(signals) if outlook.has_open else {}
    identities = [identity_of(signal) for signal in signals]
    unknown = [
        signal
        for identity, signal in zip(identities, signals, strict=True)
        if identity not in known
    ]
    ended = last_ends(unknown) if outlook.has_ended else {}
    fresh: dict[Identity, AlertSignal] = {}
    again: list[AlertSignal] = []
    late: set[int] = set()
    for number, (identity, signal) in enumerate(zip(identities, signals, strict=True)):
        if identity in known or identity in fresh:
            again.append(signal)
        elif is_over(signal, ended):
            late.add(number)
        else:
            fresh[identity] = signal
    opened = [
        _new(pk, signal, now=now)
        for pk, signal in zip(outlook.reserve(Alert, len(fresh)), fresh.values(), strict=True)
    ]
    for alert, signal in zip(opened, fresh.values(), strict=True):
        acts.add("alert.opened", alert, signal.source)
        _log(inserts, alert, Kind.OPENED, signal, now=now)
    stored = set(known)
    known |= zip(fresh, opened, strict=True)
    _repeat(again, known, inserts, now=now)
    repeated = [
        known[identity] for identity in dict.fromkeys(map(identity_of, again)) if identity in stored
    ]
    alerts = [None if n in late else known[identity] for n, identity in enumerate(identities)]
    found = {alert.pk: alert for alert in alerts if alert is not None}
    grouping.place(found.values(), acts, inserts, configuration, now=now, outlook=outlook)
    inserts.add(*opened)
    if repeated:
        inserts.write()
        update_rows(Alert, [_columns(alert, _RENEWED) for alert in repeated])
        grouping.worsen(repeated, acts, now=now)
    return alerts


def _repeat(
    signals: Iterable[AlertSignal],
    known: Mapping[Identity, Alert],
    inserts: Inserts,
    *,
    now: datetime,
) -> None:
    """Renew alerts by all that repeats them; of very many repeats of one the log has the first."""
    times: Counter[Identity] = Counter()
    unlogged: dict[Identity, AlertSignal] = {}
    for signal in signals:
        identity = identity_of(signal)
        _renew(known[identity], signal, now=now)
        times[identity] += 1
        if signal.integration is None:
            continue
        if times[identity] <= MOST_LOGGED:
            _log(inserts, known[identity], Kind.REPEATED, signal, now=now)
        else:
            unlogged[identity] = signal
    for identity, signal in unlogged.items():
        text = f"Reported {times[identity] - MOST_LOGGED} times more in the same moment."
        _log(inserts, known[identity], Kind.REPEATED, signal, now=now, text=text)


def _resolve_all(
    signals: Sequence[AlertSignal], acts: Acts, inserts: Inserts, *, now: datetime
) -> list[Alert | None]:
    known = open_alerts(signals)
    closed: dict[Identity, Alert] = {}
    people: dict[int, str] = {}
    alerts: list[Alert | None] = []
    unmet: dict[int, AlertSignal] = {}
    for number, signal in enumerate(signals):
        identity = identity_of(signal)
        alert = None if identity in closed else known.get(identity)
        if alert is None:
            unmet[number] = signal
        elif is_late(alert, signal):
            alert = None
        else:
            closed[identity] = alert
            if signal.is_person:
                people[alert.pk] = signal.actor
            _close(alert, signal, acts, inserts, now=now)
        alerts.append(alert)
    for number, alert in _unheard(unmet, closed, inserts, now=now).items():
        alerts[number] = alert
    inserts.write()
    found = list(closed.values())
    update_rows(Alert, [_columns(alert, _ENDED) for alert in found])
    grouping.detach(found, acts, now=now, people=people)
    return alerts


def _close(
    alert: Alert, signal: AlertSignal, acts: Acts, inserts: Inserts, *, now: datetime
) -> None:
    alert.state = Alert.State.RESOLVED
    alert.resolved_at = alert.last_seen_at = max(now, alert.opened_at)
    alert.sender_at = signal.at or alert.sender_at
    _log(inserts, alert, Kind.RESOLVED, signal, now=now)
    acts.add("alert.resolved", alert, signal.actor or signal.source)


def _unheard(
    signals: Mapping[int, AlertSignal],
    closed: Mapping[Identity, Alert],
    inserts: Inserts,
    *,
    now: datetime,
) -> dict[int, Alert]:
    """Keep the ends of alerts whose beginning is still on its way: it then comes too late.

    Args:
        signals: Ends of what is not open, by their numbers.
        closed: What was open until an end that came with them.
        inserts: Gets the rows.
        now: The present.
    """
    dated = {number: s for number, s in signals.items() if s.fired_before and s.at is not None}
    if not dated:
        return {}
    ended = last_ends(list(dated.values()))
    ended |= {identity: alert.sender_at for identity, alert in closed.items() if alert.sender_at}
    news: dict[int, AlertSignal] = {}
    for number, signal in dated.items():
        identity = identity_of(signal)
        if signal.at is not None and (identity not in ended or signal.at > ended[identity]):
            news[number], ended[identity] = signal, signal.at
    found: dict[int, Alert] = {}
    for pk, (number, signal) in zip(reserve_ids(Alert, len(news)), news.items(), strict=True):
        alert = found[number] = _new(pk, signal, now=now)
        alert.state, alert.resolved_at = Alert.State.RESOLVED, now
        # No report of it has come, and flapping does not count what was never open.
        alert.count = 0
        inserts.add(alert)
        early = "It ended before its beginning was heard."
        _log(inserts, alert, Kind.RESOLVED, signal, now=now, text=early)
    return found


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
        facts={
            **({"note": signal.note} if signal.note else {}),
            **({"is_person": True} if signal.is_person else {}),
        },
    )
