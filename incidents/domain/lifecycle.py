"""The life of an incident as a table: it is the specification, and the documentation draws it.

Merged incidents live on in another one; everything that concerns them happens there.
"""

from enum import StrEnum

__all__ = ["OPEN", "TRANSITIONS", "Action", "Impossible", "Status", "next_status"]


class Status(StrEnum):
    """Where an incident stands."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    CLOSED = "closed"
    MERGED = "merged"


class Action(StrEnum):
    """What can be done to one."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    SNOOZE = "snooze"
    MITIGATE = "mitigate"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    CLOSE = "close"
    MERGE = "merge"
    UNMERGE = "unmerge"


# Somebody must still do something about these.
OPEN = frozenset({Status.TRIGGERED, Status.ACKNOWLEDGED, Status.MITIGATED})

TRANSITIONS: dict[tuple[Status, Action], Status] = {
    (Status.TRIGGERED, Action.ACKNOWLEDGE): Status.ACKNOWLEDGED,
    (Status.TRIGGERED, Action.SNOOZE): Status.ACKNOWLEDGED,
    (Status.TRIGGERED, Action.MITIGATE): Status.MITIGATED,
    (Status.TRIGGERED, Action.RESOLVE): Status.RESOLVED,
    (Status.TRIGGERED, Action.MERGE): Status.MERGED,
    (Status.ACKNOWLEDGED, Action.UNACKNOWLEDGE): Status.TRIGGERED,
    (Status.ACKNOWLEDGED, Action.SNOOZE): Status.ACKNOWLEDGED,
    (Status.ACKNOWLEDGED, Action.MITIGATE): Status.MITIGATED,
    (Status.ACKNOWLEDGED, Action.RESOLVE): Status.RESOLVED,
    (Status.ACKNOWLEDGED, Action.MERGE): Status.MERGED,
    (Status.MITIGATED, Action.UNACKNOWLEDGE): Status.TRIGGERED,
    (Status.MITIGATED, Action.RESOLVE): Status.RESOLVED,
    (Status.MITIGATED, Action.MERGE): Status.MERGED,
    (Status.RESOLVED, Action.REOPEN): Status.TRIGGERED,
    (Status.RESOLVED, Action.CLOSE): Status.CLOSED,
    (Status.CLOSED, Action.REOPEN): Status.TRIGGERED,
    (Status.MERGED, Action.UNMERGE): Status.TRIGGERED,
}


class Impossible(ValueError):
    """The incident stands where this cannot be done."""


def next_status(status: Status, action: Action) -> Status:
    """Return where an incident stands after `action`.

    Raises:
        Impossible: The table has no such transition; the message says what can be done instead.
    """
    try:
        return TRANSITIONS[status, action]
    except KeyError:
        possible = [str(able) for (was, able) in TRANSITIONS if was is status]
        raise Impossible(
            f"An incident that is {status} cannot be {_done(action)}; possible: {', '.join(possible)}."
        ) from None


def _done(action: Action) -> str:
    return f"{action}d" if action.endswith("e") else f"{action}ed"
