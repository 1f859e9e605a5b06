"""What the pages and the API of incidents show."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, QuerySet

from accounts.models import User
from core.errors import NotFound
from core.pagination import Newest
from incidents.domain.lifecycle import TRANSITIONS, Status
from incidents.domain.response_targets import standing_at
from incidents.models import EscalationRun, Incident, TimelineEntry
from incidents.queries.targets import response_target
from incidents.queries.walks import present_walk

__all__ = [
    "Clock",
    "NextCall",
    "clocks",
    "next_call",
    "possible",
    "visible_incident",
    "visible_incidents",
]


def visible_incidents(user: User) -> QuerySet[Incident]:
    """Return the incidents that somebody may know of, with what a list shows of each."""
    return Incident.objects.visible_to(user).select_related("service", "assigned_to", "channel")


def visible_incident(user: User, pk: int) -> Incident:
    """Return an incident that somebody may know of.

    Raises:
        NotFound: There is none of that number, or none that they may know of.
    """
    found = visible_incidents(user).filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such incident.")
    return found


def possible(incident: Incident) -> set[str]:
    """Return what can be done to an incident as it stands."""
    return {str(able) for was, able in TRANSITIONS if was is Status(incident.status)}


@dataclass(frozen=True)
class Clock:
    """A timer as a page shows it.

    Args:
        name: "Response", "Resolution" or "Next update".
        standing: on_track, at_risk, breached or met.
        due_at: When it is breached.
    """

    name: str
    standing: str
    due_at: datetime


def clocks(
    incident: Incident, newest_first: Newest[TimelineEntry], *, now: datetime
) -> list[Clock]:
    """Return the timers of an incident; the last one, while it is open, says when news are due.

    Args:
        incident: Opening it told those who wait something, and each note does.
        newest_first: Its timeline, or the newest of it.
        now: The present.
    """
    target, opened_at = response_target(incident.severity), incident.opened_at
    found = [
        Clock("Response", incident.response, opened_at + target.respond_within),
        Clock("Resolution", incident.resolution, opened_at + target.resolve_within),
    ]
    if incident.is_open:
        told_at = _last_note_at(incident, newest_first) or opened_at
        standing = standing_at(told_at, target.update_every, None, now)
        found.append(Clock("Next update", standing, told_at + target.update_every))
    return found


def _last_note_at(incident: Incident, newest_first: Newest[TimelineEntry]) -> datetime | None:
    """Return when the last note was written; in a storm it may be older than all that a page shows."""
    note = TimelineEntry.Kind.NOTE
    shown = next((entry.at for entry in newest_first.rows if entry.kind == note), None)
    if shown is not None or not newest_first.older:
        return shown
    found: datetime | None = incident.timeline.filter(kind=note).aggregate(at=Max("at"))["at"]
    return found


@dataclass(frozen=True)
class NextCall:
    """Who is called next, unless somebody answers.

    Args:
        level: 1 to 9; 0 is the fallback contact.
        due_at: When.
        step: Tells this call from those before and after it.
        is_set_aside: Whether calling failed there, and goes on only if somebody escalates.
    """

    level: int
    due_at: datetime
    step: str
    is_set_aside: bool = False


def next_call(incident: Incident) -> NextCall | None:
    """Return which level an incident calls next; None when nobody is left to be called."""
    run = present_walk(incident)
    if run is None or not run.ladder.steps:
        return None
    steps = run.ladder.steps
    level = steps[run.position].level if run.position < len(steps) else 0
    is_set_aside = run.state == EscalationRun.State.QUARANTINED
    return NextCall(level, run.due_at, run.next_step, is_set_aside)
