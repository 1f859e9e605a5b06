"""The whole public page at one instant; every page, document and feed is made of it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from statuspage.domain.bars import Bar
from statuspage.domain.statuses import Impact, Overall, Status, component_status, overall
from statuspage.models import Component, ComponentGroup
from statuspage.queries import bars, incidents, maintenance
from statuspage.queries.incidents import Published
from statuspage.queries.maintenance import Planned, Stage

__all__ = ["HISTORY", "Section", "Shown", "Snapshot", "statuses_of", "take"]

# Past incidents stand so long on the page, and so long in its history.
PAST = timedelta(days=15)
HISTORY = timedelta(days=365)
MOST_ON_PAGE = 50
MOST_IN_HISTORY = 300
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Shown:
    """A component as it is now.

    Args:
        component: The component.
        status: How it is.
        changed_at: When it was last changed, or anything began or ended that concerns it.
        bars: Its last ninety days; empty where nothing is measured, or where they were not asked for.
    """

    component: Component
    status: Status
    changed_at: datetime
    bars: Sequence[Bar] = ()


@dataclass(frozen=True)
class Section:
    """Components under one heading; None for those without."""

    group: ComponentGroup | None
    shown: Sequence[Shown]


@dataclass(frozen=True)
class Snapshot:
    """The page.

    Args:
        now: When.
        sections: Components by heading, in their order; those without one come first.
        incidents: Open ones, and those of the time that was asked for; the newest first.
        maintenance: What was, is and will be; the earliest first.
    """

    now: datetime
    sections: Sequence[Section] = ()
    incidents: Sequence[Published] = ()
    maintenance: Sequence[Planned] = field(default=())

    @property
    def shown(self) -> list[Shown]:
        """All components in their order."""
        return [one for section in self.sections for one in section.shown]

    @property
    def has_bars(self) -> bool:
        """Whether the days of any component were measured."""
        return any(one.bars for one in self.shown)

    @property
    def open_incidents(self) -> list[Published]:
        """Those that go on."""
        return [one for one in self.incidents if one.is_open]

    @property
    def past_incidents(self) -> list[Published]:
        """Those that are over."""
        return [one for one in self.incidents if not one.is_open]

    @property
    def running(self) -> list[Planned]:
        """Maintenance that goes on."""
        return self._at(Stage.IN_PROGRESS)

    @property
    def upcoming(self) -> list[Planned]:
        """Maintenance ahead."""
        return self._at(Stage.SCHEDULED)

    @property
    def overall(self) -> Overall:
        """The page in one line.

        What goes on and is told is noticed by some, unless somebody says that nobody does.
        """
        felt = [
            one.impact if one.is_impact_typed else Impact.MINOR
            for one in self.open_incidents
            if one.is_impact_typed or one.impact is Impact.NONE
        ]
        return overall([one.status for one in self.shown], felt)

    @property
    def updated_at(self) -> datetime:
        """When anything that somebody said of it last changed; bars go on by themselves."""
        groups = [s.group.updated_at for s in self.sections if s.group]
        said = [max(one.updated_at, one.changed_at) for one in self.incidents]
        begun = [at for one in self.maintenance for at in _changes_of(one, self.now)]
        own = [one.component.updated_at for one in self.shown]
        return max([*groups, *said, *begun, *own], default=_BEGINNING)

    def of_late(self) -> "Snapshot":
        """Return the same without the incidents that only its history has."""
        since = self.now - PAST
        late = [one for one in self.past_incidents if one.updated_at >= since][:MOST_ON_PAGE]
        kept = {one.pk for one in late}
        return replace(
            self, incidents=[one for one in self.incidents if one.is_open or one.pk in kept]
        )

    def _at(self, stage: Stage) -> list[Planned]:
        return [one for one in self.maintenance if one.stage is stage]


def take(*, now: datetime, with_bars: bool = False, is_history: bool = False) -> Snapshot:
    """Return the page as it is now.

    Args:
        now: The present.
        with_bars: Read how the last ninety days were.
        is_history: Reach a year back, not fifteen days.
    """
    components = list(_components(with_bars=with_bars))
    since, most = (HISTORY, MOST_IN_HISTORY) if is_history else (PAST, MOST_ON_PAGE)
    told = incidents.recent(since=now - since, most=most)
    work = maintenance.planned(components, now=now)
    stand = _statuses(components, told, work)
    slos = {one.slo_id: one.slo for one in components if one.slo} if with_bars else {}
    days = bars.of(list(slos.values()), now=now)
    changed = _changed(components, told, work, now)
    shown = [
        Shown(one, stand[one.pk], changed[one.pk], days.get(one.slo_id or 0, ()))
        for one in components
    ]
    return Snapshot(now, _sections(shown), told, work)


def statuses_of(components: Sequence[Component], *, now: datetime) -> dict[int, Status]:
    """Return how components are now, shown or not, by id."""
    told = incidents.recent(since=now, most=MOST_ON_PAGE)
    return _statuses(components, told, maintenance.planned(components, now=now))


def _components(*, with_bars: bool) -> Sequence[Component]:
    rows = Component.objects.shown()
    return list(rows.select_related("group", "slo__sli") if with_bars else rows)


def _statuses(
    components: Sequence[Component], told: Sequence[Published], work: Sequence[Planned]
) -> dict[int, Status]:
    affected: dict[int, list[Status]] = defaultdict(list)
    for incident in told:
        for one in incident.affected if incident.is_open else ():
            affected[one.component.pk].append(one.status)
    maintained = {
        component.pk
        for one in work
        if one.stage is Stage.IN_PROGRESS
        for component in one.components
    }
    return {
        one.pk: component_status(
            manual=one.override, affected=affected[one.pk], is_maintained=one.pk in maintained
        )
        for one in components
    }


def _changed(
    components: Sequence[Component],
    told: Sequence[Published],
    work: Sequence[Planned],
    now: datetime,
) -> dict[int, datetime]:
    news: dict[int, list[datetime]] = {one.pk: [one.updated_at] for one in components}
    for incident in told:
        for part in incident.affected:
            # One that is shown since the components were read is none of them.
            news.setdefault(part.component.pk, []).append(
                max(incident.updated_at, incident.changed_at)
            )
    for planned in work:
        for component in planned.components:
            news[component.pk] += _changes_of(planned, now)
    return {pk: max(found) for pk, found in news.items()}


def _changes_of(work: Planned, now: datetime) -> list[datetime]:
    """Return when maintenance was changed, began and ended, so far."""
    return [at for at in (work.changed_at, work.starts_at, work.ends_at) if at <= now]


def _sections(shown: Sequence[Shown]) -> list[Section]:
    """Return the components by heading; databases differ in where none comes."""
    found: dict[int | None, list[Shown]] = {None: []}
    for one in shown:
        found.setdefault(one.component.group_id, []).append(one)
    return [Section(own[0].component.group, own) for own in found.values() if own]
