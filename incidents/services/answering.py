"""Answers to messages, which may be given long after the message was sent."""

from datetime import datetime

from accounts.models import User
from incidents.models import Incident, TimelineEntry
from incidents.services import timeline
from incidents.services.acts import Acts
from incidents.services.lifecycle import acknowledge_locked
from incidents.services.transitions import changes

__all__ = ["answer", "snoozed"]


@changes
def answer(incident: Incident, acts: Acts, *, now: datetime, actor: User) -> None:
    """Acknowledge an incident for whom a message called, unless somebody has snoozed it since.

    Messages that call people are older than the snooze. The answer is written down; a snooze ends early
    by whoever says so where they see it.

    Raises:
        Conflict: It is over.
    """
    if incident.snoozed_until is None:
        acknowledge_locked(incident, acts, now=now, actor=actor, person=actor)
    else:
        timeline.write(incident, TimelineEntry.Kind.ACTION, "acknowledge", now=now, actor=actor)


def snoozed(incident: Incident) -> str:
    """Return who snoozed an incident and until when, as whoever answers late is told."""
    until = incident.snoozed_until
    return (
        f"{incident.acknowledged_by} snoozed it until {until:%Y-%m-%d %H:%M} UTC." if until else ""
    )
