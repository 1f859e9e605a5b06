"""What follows from one incident, for its page: what is to be done, and its postmortem."""

from dataclasses import dataclass
from datetime import datetime

from accounts.models import User
from accounts.roles import Role
from incidents.models import ActionItem, Incident, Postmortem
from incidents.queries.merges import lives_on_in
from incidents.queries.postmortems import demands, due_at, is_owed, of_incident, readable, standing

__all__ = ["After", "after"]


@dataclass(frozen=True)
class After:
    """What follows from an incident.

    Args:
        items: What is to be done or was, each with whether it is late.
        postmortem: Where the reader may open it.
        is_begun: Whether there is one.
        standing: Of the postmortem; "" where none is asked for, and none was begun.
        due_at: Until when it is to be published; None where nobody waits for it.
        is_owed: Whether the incident is closed by publishing it.
        can_begin: Whether one may be begun.
        is_too_old: Whether its severity asks for one, but it was resolved before that was so.
        lives_on: The incident whose postmortem counts instead of one that was begun; None: this one's does.
    """

    items: list[tuple[ActionItem, bool]]
    postmortem: Postmortem | None
    is_begun: bool
    standing: str
    due_at: datetime | None
    is_owed: bool
    can_begin: bool
    is_too_old: bool
    lives_on: Incident | None


def after(incident: Incident, user: User, *, now: datetime) -> After:
    """Return what follows from an incident, as far as `user` may know of it."""
    asked, found = demands(), of_incident(incident)
    items = incident.action_items.select_related("owner").soonest_first()
    owed = is_owed(incident, asked)
    is_responder = user.has_role(Role.RESPONDER)
    is_over, demand = incident.resolved_at is not None, asked[incident.severity]
    return After(
        items=[(item, item.is_overdue(now)) for item in items],
        postmortem=readable(incident, user),
        is_begun=found is not None,
        standing=standing(incident, asked, now=now) if owed or found else "",
        due_at=due_at(incident, asked) if owed else None,
        is_owed=owed,
        can_begin=is_responder and found is None and is_over,
        is_too_old=is_over and demand.is_required and not demand.is_asked_for(incident.resolved_at),
        lives_on=lives_on_in(incident) if found else None,
    )
