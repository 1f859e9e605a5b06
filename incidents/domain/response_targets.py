"""How soon each severity wants an answer and an end, and when somebody is told that it is late."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

__all__ = ["DEFAULTS", "LONGEST", "SHORTEST", "Standing", "Target", "at_risk_at", "standing_at"]

# At this part of the time allowed, what is on track becomes at risk.
AT_RISK = 0.8
# What may be promised.
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=90)


class Standing(StrEnum):
    """How a timer stands; time alone leads from one only to those below it."""

    ON_TRACK = "on_track"
    AT_RISK = "at_risk"
    BREACHED = "breached"
    MET = "met"

    def precedes(self, other: "Standing") -> bool:
        """Return whether time may lead from this one to the other: it makes nothing better."""
        order = list(Standing)
        return order.index(self) < order.index(other)


@dataclass(frozen=True)
class Target:
    """What is promised for one severity.

    Args:
        respond_within: From opening to the first acknowledgement.
        resolve_within: From opening to the resolution.
        update_every: How often those who wait hear something.
    """

    respond_within: timedelta
    resolve_within: timedelta
    update_every: timedelta


# Response and update: the operations guide. Resolution: four responses, at least a working day
# for what need not be done at night.
DEFAULTS: Mapping[str, Target] = {
    "P0": Target(timedelta(minutes=15), timedelta(hours=4), timedelta(minutes=30)),
    "P1": Target(timedelta(hours=1), timedelta(hours=8), timedelta(hours=1)),
    "P2": Target(timedelta(hours=4), timedelta(days=3), timedelta(hours=8)),
    "P3": Target(timedelta(hours=24), timedelta(days=14), timedelta(hours=72)),
}


def at_risk_at(opened_at: datetime, within: timedelta) -> datetime:
    """Return from when a timer is at risk."""
    return opened_at + within * AT_RISK


def standing_at(
    opened_at: datetime, within: timedelta, met_at: datetime | None, now: datetime
) -> Standing:
    """Return how a timer stands now; what was met late stays breached."""
    due_at = opened_at + within
    if met_at is not None:
        return Standing.MET if met_at <= due_at else Standing.BREACHED
    if now >= due_at:
        return Standing.BREACHED
    return Standing.AT_RISK if now >= at_risk_at(opened_at, within) else Standing.ON_TRACK
