"""Conditions that signals are about: which alert is open for one, and in which order they are done."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q
from msgspec import Struct, field

from catalog.models import Service
from core.bulk import select_rows
from incidents.models import Alert, InboundEvent, Integration, Severity

__all__ = [
    "AlertSignal",
    "Identity",
    "identity_of",
    "is_late",
    "is_over",
    "last_ends",
    "open_alert",
    "open_alerts",
    "waves_of",
]

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
        actor: Who ended it, as the sender names them.
        is_person: Whether `actor` is a person: what they end did not end by itself.
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
    is_person: bool = False
    fired_before: bool = False
    event: InboundEvent | None = None
    note: str = ""


def identity_of(signal: AlertSignal) -> Identity:
    """Return which condition a signal is about."""
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


def open_alerts(signals: Sequence[AlertSignal]) -> dict[Identity, Alert]:
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


def last_ends(signals: Sequence[AlertSignal]) -> dict[Identity, datetime]:
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


def is_over(signal: AlertSignal, ended: Mapping[Identity, datetime]) -> bool:
    """Return whether the condition ended after what the signal tells of."""
    end = ended.get(identity_of(signal))
    return end is not None and signal.at is not None and signal.at < end


def open_alert(signal: AlertSignal) -> Alert | None:
    """Return the firing alert that `signal` is about, locked, if there is one."""
    return open_alerts([signal]).get(identity_of(signal))


def is_late(alert: Alert, signal: AlertSignal) -> bool:
    """Return whether the sender's clock says that something newer was applied already."""
    return bool(signal.at and alert.sender_at and signal.at < alert.sender_at)


def waves_of(signals: Sequence[AlertSignal]) -> list[list[int]]:
    """Return which signals can be done together, all of one kind, in the order of each condition.

    What a condition is said to be again and again is one wave, or two: what opens an alert, and all
    that repeats it. However often a body says the same, it costs no more statements.
    """
    last: dict[Identity, tuple[int, bool, bool]] = {}
    waves: dict[tuple[int, bool], list[int]] = {}
    for number, signal in enumerate(signals):
        identity = identity_of(signal)
        level, is_again = 0, False
        if (before := last.get(identity)) is not None:
            level, was_firing, was_again = before
            is_again = signal.firing == was_firing
            # Ends are told apart in memory; so are repeats that follow a repeat.
            level += not is_again or (signal.firing and not was_again)
        last[identity] = level, signal.firing, is_again
        waves.setdefault((level, not signal.firing), []).append(number)
    return [waves[key] for key in sorted(waves)]
