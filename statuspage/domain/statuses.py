"""What a component's status follows from, and the page's from its components.

The names and the overall wording are those of Atlassian Statuspage, so that programs which read one
read the other.
"""

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import NamedTuple

__all__ = [
    "Impact",
    "Overall",
    "Status",
    "component_status",
    "impact_of",
    "overall",
    "worst",
]


class Status(StrEnum):
    """How a component is, in order of severity."""

    OPERATIONAL = "operational"
    UNDER_MAINTENANCE = "under_maintenance"
    DEGRADED_PERFORMANCE = "degraded_performance"
    PARTIAL_OUTAGE = "partial_outage"
    MAJOR_OUTAGE = "major_outage"

    @property
    def label(self) -> str:
        """The status in words."""
        return self.replace("_", " ").capitalize()


class Impact(StrEnum):
    """How much of it users notice, in order of severity; also the page's indicator."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class Overall(NamedTuple):
    """The page in one line.

    Args:
        indicator: How bad it is.
        description: The same in words.
    """

    indicator: Impact
    description: str


SEVERITY = {status: rank for rank, status in enumerate(Status)}
IMPACT = {
    Status.OPERATIONAL: Impact.NONE,
    Status.UNDER_MAINTENANCE: Impact.NONE,
    Status.DEGRADED_PERFORMANCE: Impact.MINOR,
    Status.PARTIAL_OUTAGE: Impact.MAJOR,
    Status.MAJOR_OUTAGE: Impact.CRITICAL,
}
# What the page says where all components have one status, and where only some have it.
ALL = {
    Status.OPERATIONAL: Overall(Impact.NONE, "All Systems Operational"),
    Status.UNDER_MAINTENANCE: Overall(Impact.NONE, "System Under Maintenance"),
    Status.DEGRADED_PERFORMANCE: Overall(Impact.MINOR, "Degraded System Service"),
    Status.PARTIAL_OUTAGE: Overall(Impact.MAJOR, "Partial System Outage"),
    Status.MAJOR_OUTAGE: Overall(Impact.CRITICAL, "Major System Outage"),
}
SOME = {
    Status.UNDER_MAINTENANCE: Overall(Impact.NONE, "Service Under Maintenance"),
    Status.DEGRADED_PERFORMANCE: Overall(Impact.MINOR, "Partially Degraded Service"),
    Status.PARTIAL_OUTAGE: Overall(Impact.MINOR, "Minor Service Outage"),
    Status.MAJOR_OUTAGE: Overall(Impact.MAJOR, "Partial System Outage"),
}
# Where components say nothing worse than an open incident does.
BY_INCIDENT = {
    Impact.NONE: Overall(Impact.NONE, "All Systems Operational"),
    Impact.MINOR: Overall(Impact.MINOR, "Minor Service Outage"),
    Impact.MAJOR: Overall(Impact.MAJOR, "Partial System Outage"),
    Impact.CRITICAL: Overall(Impact.CRITICAL, "Major System Outage"),
}
# Of nothing nobody knows that it works.
UNLISTED = Overall(Impact.NONE, "Nothing Is Listed Yet")
_RANK = {impact: rank for rank, impact in enumerate(Impact)}


def worst(statuses: Iterable[Status]) -> Status:
    """Return the most severe of `statuses`; operational where there is none."""
    return max(statuses, key=SEVERITY.__getitem__, default=Status.OPERATIONAL)


def component_status(
    *, manual: Status | None, affected: Iterable[Status], is_maintained: bool
) -> Status:
    """Return how a component is.

    What somebody set by hand holds until it is taken back. Otherwise the worst that an open public
    incident says of it, and maintenance where none says anything.

    Args:
        manual: Set by hand; None where it is worked out.
        affected: What each open public incident says.
        is_maintained: Whether maintenance that the page shows is going on.
    """
    if manual is not None:
        return manual
    planned = [Status.UNDER_MAINTENANCE] if is_maintained else []
    return worst([*affected, *planned])


def impact_of(statuses: Iterable[Status]) -> Impact:
    """Return an incident's impact as its components' statuses have it."""
    return IMPACT[worst(statuses)]


def overall(statuses: Collection[Status], incidents: Iterable[Impact] = ()) -> Overall:
    """Return the page in one line.

    Components decide, by the worst of them and by whether it is all of them. Where somebody said of
    an open incident that it is worse than they are, they do not hide that.

    Args:
        statuses: Of every component that is shown.
        incidents: How much of open public incidents users notice, where components do not say it.

    Source:
        Atlassian Statuspage, "Top-level status and incident impact calculations",
        https://support.atlassian.com/statuspage/docs/top-level-status-and-incident-impact-calculations/
    """
    bottom = worst(statuses)
    is_all = all(status is bottom for status in statuses)
    said = (ALL[bottom] if is_all else SOME[bottom]) if statuses else UNLISTED
    felt = max(incidents, key=_RANK.__getitem__, default=Impact.NONE)
    return BY_INCIDENT[felt] if _RANK[felt] > _RANK[said.indicator] else said
