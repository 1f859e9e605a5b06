"""Moments at which something about an incident is due: set, moved and cleared with its state."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from core.inserts import Inserts
from incidents.domain.response_targets import Target, at_risk_at, standing_at
from incidents.models import Deadline, Incident
from incidents.queries.targets import response_target

__all__ = [
    "OF_CYCLE",
    "RESPONSE",
    "SLA",
    "add",
    "clear",
    "clocks",
    "first_clocks",
    "follow",
    "put",
    "restate",
    "start_clocks",
]

Kind = Deadline.Kind
RESPONSE = (Kind.RESPONSE_AT_RISK, Kind.RESPONSE_BREACHED)
RESOLUTION = (Kind.RESOLUTION_AT_RISK, Kind.RESOLUTION_BREACHED)
SLA = (*RESPONSE, *RESOLUTION)
# What somebody who took it on is held to, until they give it back or it is over.
OF_CYCLE = (Kind.SNOOZE_ENDS, Kind.ACK_TIMEOUT, Kind.ACK_LAPSE)
# What each warning is about. It is set with the warning, since most incidents are over before that.
_AFTER = {
    Kind.RESPONSE_AT_RISK: Kind.RESPONSE_BREACHED,
    Kind.RESOLUTION_AT_RISK: Kind.RESOLUTION_BREACHED,
}


def start_clocks(incident: Incident) -> None:
    """Set the timers of an incident for its severity, counted from its opening.

    One that is met already stays as it is.
    """
    put(incident, clocks(incident, response_target(incident.severity)))


def restate(incident: Incident, *, now: datetime) -> None:
    """Say anew how the promises of an incident stand: its severity asks for less than before."""
    opened_at, target = incident.opened_at, response_target(incident.severity)
    responded_at, resolved_at = incident.responded_at, incident.resolved_at
    incident.response = standing_at(opened_at, target.respond_within, responded_at, now)
    incident.resolution = standing_at(opened_at, target.resolve_within, resolved_at, now)


def clocks(incident: Incident, target: Target) -> dict[Deadline.Kind, datetime]:
    """Return when the timers of an incident are due, without those that are met."""
    due = {
        Kind.RESOLUTION_AT_RISK: at_risk_at(incident.opened_at, target.resolve_within),
        Kind.RESOLUTION_BREACHED: incident.opened_at + target.resolve_within,
    }
    if incident.responded_at is None:
        due |= {
            Kind.RESPONSE_AT_RISK: at_risk_at(incident.opened_at, target.respond_within),
            Kind.RESPONSE_BREACHED: incident.opened_at + target.respond_within,
        }
    return due


def first_clocks(incident: Incident, target: Target) -> dict[Deadline.Kind, datetime]:
    """Return when the warnings of an incident that is opened are due; `follow` sets what they warn of."""
    due = clocks(incident, target)
    return {kind: due[kind] for kind in _AFTER}


def follow(incident: Incident, kind: Deadline.Kind, *, now: datetime) -> Deadline.Kind | None:
    """Set what a warning is about, where it is neither set nor met already; returns it where it is due."""
    if (after := _AFTER.get(kind)) is None:
        return None
    due_at = clocks(incident, response_target(incident.severity)).get(after)
    if due_at is None:
        return None
    if due_at <= now:
        return after
    row = Deadline(incident=incident, kind=after, due_at=due_at, look_at=due_at)
    Deadline.objects.bulk_create([row], ignore_conflicts=True)
    return None


def put(incident: Incident, due: Mapping[Deadline.Kind, datetime]) -> None:
    """Set deadlines of an incident, each once per kind: an earlier one of that kind is moved."""
    rows = (Deadline(incident=incident, kind=k, due_at=at, look_at=at) for k, at in due.items())
    Deadline.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["incident", "kind"],
        update_fields=["due_at", "look_at", "is_open", "claims"],
    )


def add(inserts: Inserts, incident: Incident, due: Mapping[Deadline.Kind, datetime]) -> None:
    """Add the first deadlines of an incident to what is to be inserted."""
    for kind, at in due.items():
        inserts.add_row(Deadline, incident_id=incident.pk, kind=kind, due_at=at, look_at=at)


def clear(incident: Incident, kinds: Iterable[Deadline.Kind]) -> None:
    """Forget open deadlines of some kinds."""
    Deadline.objects.filter(incident=incident, kind__in=list(kinds), is_open=True).update(
        is_open=False
    )
