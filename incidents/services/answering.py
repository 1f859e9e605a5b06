"""Answers to messages, which may be given long after the message was sent."""

from datetime import datetime

from accounts.models import User
from core.audit import Who
from core.errors import Conflict
from incidents.models import Incident, TimelineEntry
from incidents.queries.quorum import answers_of
from incidents.services import lifecycle, timeline
from incidents.services.acts import Acts
from incidents.services.lifecycle import acknowledge_locked
from incidents.services.transitions import changes

__all__ = ["answer", "snooze", "snoozed", "too_few"]


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


def snooze(
    incident_id: int, *, until: datetime, now: datetime, actor: Who, person: User
) -> Incident:
    """Snooze an incident for a person who asks for it.

    Raises:
        Conflict: Others must answer first; their own answer is kept all the same. Or it is over.
        InvalidInput: It would end before now, or in more than a week.
    """
    found = lifecycle.snooze(incident_id, until=until, now=now, actor=actor, person=person)
    if answers := too_few(found):
        raise Conflict(f"Your answer counts, {answers}")
    return found


def too_few(incident: Incident) -> str:
    """Return how many of those have answered who must before a snooze holds; "" where it does."""
    answers = answers_of(incident)
    return f"{answers.quorum}: calling goes on, and nothing is snoozed." if answers else ""


def snoozed(incident: Incident) -> str:
    """Return who snoozed an incident and until when, as whoever answers late is told."""
    until = incident.snoozed_until
    return (
        f"{incident.acknowledged_by} snoozed it until {until:%Y-%m-%d %H:%M} UTC." if until else ""
    )
