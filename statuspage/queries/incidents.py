"""Public incidents with their public updates; nothing else of an incident is read here."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max, Min, OuterRef, Q, QuerySet, Subquery

from incidents.domain.communication import Audience, PublicState
from incidents.models import Incident, StatusUpdate
from incidents.queries.merges import last_of_merges
from statuspage.domain.statuses import Impact, Status, impact_of
from statuspage.models import AffectedComponent, Component, PublicIncident

__all__ = ["Affected", "Published", "Update", "of_incident", "published", "recent"]

_PUBLIC = Q(incident__status_updates__audience=str(Audience.PUBLIC))


@dataclass(frozen=True)
class Update:
    """One public update.

    Args:
        public_id: Stable, and unique on the page.
        state: Where the incident stood then.
        text: As it was published.
        at: When.
    """

    public_id: str
    state: PublicState
    text: str
    at: datetime


@dataclass(frozen=True)
class Affected:
    """A component and how it is while the incident lasts."""

    component: Component
    status: Status


@dataclass(frozen=True)
class Published:
    """An incident as the public sees it.

    Args:
        pk: Key of its row.
        public_id: Its name in addresses.
        title: Typed for the public.
        impact: How much of it users notice.
        is_impact_typed: Whether somebody said so, beside what the components say.
        updates: The newest first; at least one.
        affected: Components that are shown.
        changed_at: When its title or components last changed.
    """

    pk: int
    public_id: str
    title: str
    impact: Impact
    is_impact_typed: bool
    updates: Sequence[Update]
    affected: Sequence[Affected]
    changed_at: datetime

    @property
    def state(self) -> PublicState:
        """Where it stands."""
        return self.updates[0].state

    @property
    def is_open(self) -> bool:
        """Whether the public still waits."""
        return self.state is not PublicState.RESOLVED

    @property
    def started_at(self) -> datetime:
        """When the public first heard of it."""
        return self.updates[-1].at

    @property
    def updated_at(self) -> datetime:
        """When the public last heard of it."""
        return self.updates[0].at

    @property
    def resolved_at(self) -> datetime | None:
        """When the public heard that it is over; None while it is not."""
        return None if self.is_open else self._since(PublicState.RESOLVED)

    @property
    def monitoring_at(self) -> datetime | None:
        """When the public last heard that a fix is being watched."""
        return next((u.at for u in self.updates if u.state is PublicState.MONITORING), None)

    def _since(self, state: PublicState) -> datetime:
        """Return when the run of updates of that state began which holds now."""
        began = self.updates[0].at
        for update in self.updates:
            if update.state is not state:
                break
            began = update.at
        return began


def recent(*, since: datetime, most: int) -> list[Published]:
    """Return what is open, and what the public last heard of since then; the newest first.

    Args:
        since: Older ones are left out, unless they are open.
        most: How many of those that are over at most; what is open is never left out.
    """
    last = StatusUpdate.objects.filter(
        incident=OuterRef("incident"), audience=str(Audience.PUBLIC)
    ).order_by("-at", "-pk")
    rows = _rows().annotate(stands=Subquery(last.values("state")[:1]))
    going_on = rows.exclude(stands=str(PublicState.RESOLVED))
    over = rows.filter(stands=str(PublicState.RESOLVED), heard_at__gte=since)
    found = _read([*going_on, *over.order_by("-began_at", "-pk")[:most]])
    # Those that were merged may be over by now, and long since.
    kept = [one for one in found if one.is_open or one.updated_at >= since]
    return sorted(kept, key=lambda one: (one.started_at, one.pk), reverse=True)


def published(public_id: str) -> Published | None:
    """Return one incident; None where the public was told of none by that name."""
    found = _read(_rows().filter(public_id=public_id))
    return found[0] if found else None


def of_incident(pk: int) -> Published | None:
    """Return what the public sees of an incident; None where it sees nothing of it."""
    found = _read(_rows().filter(incident=pk))
    return found[0] if found else None


def _rows() -> QuerySet[Any]:
    """Return the incidents of which the public was told."""
    return PublicIncident.objects.annotate(
        began_at=Min("incident__status_updates__at", filter=_PUBLIC),
        heard_at=Max("incident__status_updates__at", filter=_PUBLIC),
    ).filter(began_at__isnull=False)


def _read(rows: Iterable[Any]) -> list[Published]:
    found = list(rows)
    updates = _updates({row.incident_id: row.public_id for row in found})
    affected = _affected([row.pk for row in found])
    return [
        Published(
            pk=row.pk,
            public_id=row.public_id,
            title=row.title,
            impact=_impact(row, affected[row.pk]),
            is_impact_typed=bool(row.impact),
            updates=updates[row.incident_id],
            affected=affected[row.pk],
            changed_at=row.updated_at,
        )
        for row in found
    ]


def _impact(row: PublicIncident, affected: Sequence[Affected]) -> Impact:
    return Impact(row.impact) if row.impact else impact_of(one.status for one in affected)


def _updates(names: dict[int, str]) -> dict[int, list[Update]]:
    """Return the public updates by incident, the newest first; they are only ever added, so numbers stay.

    One that was merged before the public heard of its end goes on with what is told of the one in
    which it lives on.
    """
    ends = last_of_merges(Incident.objects.filter(pk__in=names, merged_into__isnull=False))
    told = _told({*names, *ends.values()})
    found = {}
    for incident, name in names.items():
        rows = told[incident]
        if incident in ends and rows[-1].state != PublicState.RESOLVED:
            rows = [*rows, *(row for row in told[ends[incident]] if row.at > rows[-1].at)]
        found[incident] = [
            Update(f"{name}-{number}", PublicState(row.state), row.text, row.at)
            for number, row in enumerate(rows, 1)
        ][::-1]
    return found


def _told(incidents: Collection[int]) -> dict[int, list[StatusUpdate]]:
    rows = StatusUpdate.objects.filter(incident__in=incidents, audience=str(Audience.PUBLIC))
    found: dict[int, list[StatusUpdate]] = defaultdict(list)
    for row in rows.order_by("at", "pk"):
        found[row.incident_id].append(row)
    return found


def _affected(keys: Sequence[int]) -> dict[int, list[Affected]]:
    rows = AffectedComponent.objects.filter(public_incident__in=keys, component__is_shown=True)
    found: dict[int, list[Affected]] = defaultdict(list)
    for row in rows.select_related("component__group"):
        found[row.public_incident_id].append(Affected(row.component, Status(row.status)))
    return found
