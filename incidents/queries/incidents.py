"""What the pages and the API of incidents show."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import User
from incidents.domain.lifecycle import TRANSITIONS, Status
from incidents.models import EscalationRun, Incident
from incidents.queries.targets import response_target

__all__ = ["Clock", "NextCall", "clocks", "next_call", "possible", "visible_incidents"]


def visible_incidents(user: User) -> QuerySet[Incident]:
    """Return the incidents that somebody may know of, with what a list shows of each."""
    return Incident.objects.visible_to(user).select_related("service", "assigned_to", "channel")


def possible(incident: Incident) -> set[str]:
    """Return what can be done to an incident as it stands."""
    return {str(able) for was, able in TRANSITIONS if was is Status(incident.status)}


@dataclass(frozen=True)
class Clock:
    """A timer as a page shows it.

    Args:
        name: "Response" or "Resolution".
        standing: on_track, at_risk, breached or met.
        due_at: When it is breached.
    """

    name: str
    standing: str
    due_at: datetime


def clocks(incident: Incident) -> list[Clock]:
    """Return the timers of an incident."""
    target = response_target(incident.severity)
    pairs = (
        ("Response", incident.response, incident.opened_at + target.respond_within),
        ("Resolution", incident.resolution, incident.opened_at + target.resolve_within),
    )
    return [Clock(*pair) for pair in pairs]


@dataclass(frozen=True)
class NextCall:
    """Who is called next, unless somebody answers.

    Args:
        level: 1 to 9; 0 is the fallback contact.
        due_at: When.
        step: Tells this call from those before and after it.
    """

    level: int
    due_at: datetime
    step: str


def next_call(incident: Incident) -> NextCall | None:
    """Return which level an incident calls next; None when nobody is left to be called."""
    running = incident.runs.filter(state=EscalationRun.State.RUNNING)
    run = running.select_related("snapshot").order_by("-pk").first()
    if run is None or not run.ladder.steps:
        return None
    steps = run.ladder.steps
    level = steps[run.position].level if run.position < len(steps) else 0
    return NextCall(level, run.due_at, run.next_step)
