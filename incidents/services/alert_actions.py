"""What a sender, or somebody through it, does with an alert.

Acknowledgements, snoozes and the like are passed on to the alert's incident: whoever presses a button
in the sender's program means the calling. What cannot be done is written down with its reason.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q

from accounts.models import User
from core.errors import DomainError
from incidents.domain.events import Act, AlertEvent
from incidents.domain.lifecycle import OPEN, Status
from incidents.domain.payloads import instant
from incidents.models import Alert, AlertLogEntry, InboundEvent, Incident, Integration
from incidents.services import grouping, lifecycle
from incidents.services.acts import Acts
from incidents.services.answering import too_few

__all__ = ["act_on", "act_on_closed"]

_KINDS = {
    Act.ACKNOWLEDGE: AlertLogEntry.Kind.ACKNOWLEDGED,
    Act.UNACKNOWLEDGE: AlertLogEntry.Kind.UNACKNOWLEDGED,
    Act.NOTE: AlertLogEntry.Kind.NOTE,
}
# What is kept with a closed alert too, as senders call it.
_NOTES = "notes"


class Passed(NamedTuple):
    """What is passed on to the incident of an alert, and from whom."""

    alert: Alert
    said: AlertEvent
    acts: Acts
    now: datetime
    actor: str


def act_on(
    alert: Alert,
    said: AlertEvent,
    acts: Acts,
    *,
    integration: Integration,
    event: InboundEvent,
    now: datetime,
) -> None:
    """Do what `said` wants done with an alert, within the caller's transaction.

    Args:
        alert: Open, and locked.
        said: Neither opens nor ends it.
        acts: Recorded by the caller at its end.
        integration: Through which it was said.
        event: With which it was said.
        now: The present.
    """
    actor = said.actor or integration.name[:100]
    if said.act is Act.ACKNOWLEDGE:
        alert.acknowledged_at = alert.acknowledged_at or now
        alert.acknowledged_by = alert.acknowledged_by or actor
    elif said.act is Act.UNACKNOWLEDGE:
        alert.acknowledged_at, alert.acknowledged_by = None, ""
    if change := _CHANGES.get(said.change):
        change(alert, said)
    alert.save()
    refusal = _passed_on(Passed(alert, said, acts, now, said.actor or alert.source))
    AlertLogEntry.objects.create(
        **_in_words(said, refusal),
        alert=alert,
        event=event,
        at=now,
        kind=_KINDS[said.act],
        actor=actor,
    )
    if said.act is not Act.NOTE:
        acts.add(f"alert.{said.act}d", alert, said.actor or integration.kind)


def act_on_closed(
    alert: Alert,
    said: AlertEvent,
    *,
    integration: Integration,
    event: InboundEvent,
    now: datetime,
) -> bool:
    """Keep a note with a closed alert; of anything else write down that it is too late.

    Returns:
        Whether it was done.
    """
    is_kept = said.facts.get("action") == _NOTES
    AlertLogEntry.objects.create(
        **_in_words(said, "" if is_kept else "The alert is closed."),
        alert=alert,
        event=event,
        at=now,
        kind=AlertLogEntry.Kind.NOTE,
        actor=said.actor or integration.name[:100],
    )
    return is_kept


def _in_words(said: AlertEvent, refusal: str) -> dict[str, Any]:
    """Return what the log says of an act, and why it was not done, if so."""
    if not refusal:
        return {"text": said.detail, "facts": dict(said.facts)}
    text = f"{said.detail} Not done: {refusal}".strip()
    return {"text": text, "facts": {**said.facts, "refused": refusal}}


def _passed_on(passed: Passed) -> str:
    """Do to the alert's incident what was meant for it; returns why it was not done, if so."""
    pass_on = _OF_INCIDENTS.get(passed.said.change or passed.said.act)
    if pass_on is None:
        return ""
    try:
        pass_on(passed)
    except DomainError as error:
        return error.message
    return ""


def _reworded(alert: Alert, said: AlertEvent) -> None:
    if isinstance(message := said.facts.get("message"), str):
        alert.title = message[:300] or alert.title


def _redescribed(alert: Alert, said: AlertEvent) -> None:
    if isinstance(description := said.facts.get("description"), str):
        alert.detail = description[:15_000]


def _judged(alert: Alert, said: AlertEvent) -> None:
    alert.severity = said.severity


def _tagged(alert: Alert, said: AlertEvent) -> None:
    had, given = alert.facts.get("tags", []), said.facts["tags"]
    kept = [tag for tag in had if tag not in given]
    alert.facts = {**alert.facts, "tags": kept if said.facts["removed"] else [*kept, *given]}


def _detailed(alert: Alert, said: AlertEvent) -> None:
    given = said.facts["details"]
    kept = {name: value for name, value in alert.labels.items() if name not in given}
    alert.labels = kept if said.facts["removed"] else {**kept, **given}


def _incident(passed: Passed) -> int:
    if passed.alert.incident_id is None:
        raise DomainError("The alert has no incident, nobody is called for it.")
    return passed.alert.incident_id


def _locked(passed: Passed) -> Incident | None:
    if passed.alert.incident_id is None:
        return None
    return Incident.objects.select_for_update(of=("self",)).get(pk=passed.alert.incident_id)


def _acknowledge(passed: Passed) -> None:
    incident = _locked(passed)
    if incident is not None and incident.status == Status.TRIGGERED:
        lifecycle.acknowledge_locked(incident, passed.acts, now=passed.now, actor=passed.actor)


def _unacknowledge(passed: Passed) -> None:
    incident = _locked(passed)
    if incident is not None and incident.status == Status.ACKNOWLEDGED:
        lifecycle.unacknowledge_locked(incident, passed.acts, now=passed.now, actor=passed.actor)


def _prioritize(passed: Passed) -> None:
    """Make the incident worse where the alert is; what only informed may call now."""
    alert, incident = passed.alert, _locked(passed)
    if incident is not None:
        if incident.status in OPEN:
            lifecycle.raise_severity(incident, alert.severity, passed.acts, now=passed.now)
    elif passed.said.pages and not alert.pages:
        alert.pages = True
        alert.save(update_fields=["pages"])
        if alert.silenced_by_id is None:
            grouping.attach(alert, passed.acts, now=passed.now)


def _snooze(passed: Passed) -> None:
    until = instant(passed.said.facts["until"]) or passed.now
    found = lifecycle.snooze(_incident(passed), until=until, now=passed.now, actor=passed.actor)
    if answers := too_few(found):
        raise DomainError(f"The answer counts, {answers}")


def _escalate(passed: Passed) -> None:
    lifecycle.escalate(_incident(passed), now=passed.now, actor=passed.actor)


def _assign(passed: Passed) -> None:
    incident, person = _incident(passed), _person(passed.said.facts["to"])
    lifecycle.assign(incident, to=person, now=passed.now, actor=passed.actor)


def _person(known_as: str) -> User:
    """Return whom a sender knows by an address or a name."""
    known = Q(email__iexact=known_as) | Q(username__iexact=known_as)
    found = User.objects.filter(known, is_active=True).order_by("pk").first()
    if found is None:
        raise DomainError(f"Nobody here is known as {known_as[:100]}.")
    return found


# What is done to the alert itself.
_CHANGES: dict[str, Callable[[Alert, AlertEvent], None]] = {
    "message": _reworded,
    "description": _redescribed,
    "priority": _judged,
    "tags": _tagged,
    "details": _detailed,
}
# What is done to the incident that the alert is part of.
_OF_INCIDENTS: dict[str, Callable[[Passed], None]] = {
    Act.ACKNOWLEDGE: _acknowledge,
    Act.UNACKNOWLEDGE: _unacknowledge,
    "priority": _prioritize,
    "snooze": _snooze,
    "escalate": _escalate,
    "assign": _assign,
}
