"""Putting incidents away: what their severity asks for is done first."""

from datetime import datetime

from core.audit import Who
from core.errors import Conflict
from incidents.domain.lifecycle import Action
from incidents.models import Incident, TimelineEntry
from incidents.queries.postmortems import demands, is_owed
from incidents.services import timeline
from incidents.services.acts import Acts
from incidents.services.transitions import changes, moved

__all__ = ["close", "close_locked"]


def close_locked(incident: Incident, acts: Acts, *, now: datetime, actor: Who) -> None:
    """Put it away: everything that follows from it has been done.

    Raises:
        Conflict: It is not resolved, or its severity asks for a postmortem, which is not published.
    """
    owes_postmortem = is_owed(incident, demands())
    incident.status = moved(incident, Action.CLOSE)
    if owes_postmortem:
        raise Conflict(
            f"It is {incident.severity}, which is closed by publishing its postmortem: write that first."
        )
    incident.closed_at = now
    incident.save()
    timeline.write(incident, TimelineEntry.Kind.ACTION, "close", now=now, actor=actor)
    acts.add("incident.closed", incident, actor)


close = changes(close_locked)
