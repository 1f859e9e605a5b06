"""What the page of an incident shows of its roles and updates."""

from typing import Any

from accounts.models import User
from core.pagination import newest
from incidents.models import Incident
from incidents.queries.incidents import Clock
from incidents.queries.roles import roles_of

__all__ = ["coordination"]

_SHOWN, _AT_ALL = 3, 500


def coordination(
    incident: Incident, user: User, clocks: list[Clock], *, is_whole: bool
) -> dict[str, Any]:
    """Return the roles, the newest updates, and when the next one is due.

    Args:
        incident: Which.
        user: Who looks.
        clocks: Its timers, as the page has them.
        is_whole: Whether all updates are asked for.
    """
    updates = newest(
        incident.status_updates.order_by("-at", "-pk"), _AT_ALL if is_whole else _SHOWN
    )
    return {
        "roles": roles_of(incident, user),
        "updates": updates,
        "update_due": next((each for each in clocks if each.name == "Next update"), None),
    }
