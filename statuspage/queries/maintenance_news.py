"""What there is to tell subscribers of maintenance, and what they read of it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from incidents.models import Maintenance
from statuspage.domain.maintenance_news import (
    STALE_AFTER,
    Lead,
    News,
    is_crowded,
    is_sudden,
    news_due,
)
from statuspage.models import Component, MaintenanceAnnouncement, PublicMaintenance
from statuspage.queries.maintenance import Planned, occurrences, public_id_of, touching

__all__ = ["Due", "Work", "due", "published"]

_AHEAD = frozenset({News.SCHEDULED, News.REMINDER})
Told = Mapping[datetime, Mapping[News, datetime]]


@dataclass(frozen=True)
class Due:
    """News that nobody was told yet.

    Args:
        maintenance: Key of the maintenance.
        starts_at: When its occurrence begins.
        ends_at: When it ends, or ended.
        news: What there is to tell.
        components: Keys of the components that it concerns; none of what was called off, which whoever
            heard of it hears.
    """

    maintenance: int
    starts_at: datetime
    ends_at: datetime
    news: News
    components: Sequence[int]


@dataclass(frozen=True)
class Work:
    """What a message says of an occurrence.

    Args:
        public_id: Its name on the page.
        title: Typed for the public, or that there is some.
        text: The same; may be empty.
        starts_at: When it begins.
        ends_at: When it ends, or ended.
        is_repeated: Whether there are others of it.
        news: What is told.
        components: Names of the components that it concerns; none where it is not public any more.
    """

    public_id: str
    title: str
    text: str
    starts_at: datetime
    ends_at: datetime
    is_repeated: bool
    news: News
    components: Sequence[str]


def due(*, lead: Lead, now: datetime) -> Iterator[Due]:
    """Yield what is to be told of maintenance that the page shows, and of what it showed and was called off.

    Args:
        lead: How long before.
        now: The present.
    """
    components = list(Component.objects.shown())
    near = occurrences(components, touching(STALE_AFTER, lead.repeated), now=now)
    found = sorted(near, key=lambda one: (one.starts_at, one.pk))
    told = _told({one.pk for one in found})
    for one in found:
        known = told[one.pk]
        own = known.get(one.starts_at, {})
        if not own and _is_quiet(one, known):
            continue
        news = news_due(
            one.starts_at, one.ends_at, is_repeated=one.is_repeated, told=own, lead=lead, now=now
        )
        if news:
            known[one.starts_at] = {**own, news: now}
            parts = [part.pk for part in one.components]
            yield Due(one.pk, one.starts_at, one.ends_at, news, parts)
    yield from _called_off(now)


def _is_quiet(one: Planned, known: Told) -> bool:
    """Return whether an occurrence of which nothing was told is on the page alone."""
    if one.is_repeated:
        held = [at for at, news in known.items() if News.CANCELLED not in news]
        return is_crowded(one.starts_at, held)
    has_words = bool(one.text) or one.title != PublicMaintenance.UNTITLED
    return is_sudden(one.starts_at, one.created_at, has_words=has_words)


def published(announcement: MaintenanceAnnouncement) -> Work | None:
    """Return what a message about it says; None where the public is told nothing of it, or not this.

    That it does not take place is told all the same, without words of it, where it is not public any more.

    Args:
        announcement: With its maintenance.
    """
    row, news = announcement.maintenance, News(announcement.kind)
    said = PublicMaintenance.objects.filter(maintenance=row).first()
    parts = Component.objects.shown().filter(service=row.service_id, shows_maintenance=True)
    names = [part.name for part in parts]
    if not names or (said is not None and not said.is_shown):
        said, names = None, []
    if _is_overtaken(announcement) or not (names or news is News.CANCELLED):
        return None
    return Work(
        public_id=public_id_of(row.pk, announcement.occurrence_at),
        title=said.title if said else PublicMaintenance.UNTITLED,
        text=said.text if said else "",
        starts_at=announcement.occurrence_at,
        ends_at=announcement.ends_at,
        is_repeated=bool(row.rule),
        news=news,
        components=names,
    )


def _is_overtaken(announcement: MaintenanceAnnouncement) -> bool:
    """Return whether something else is true, or was told, of that occurrence by now."""
    row, at = announcement.maintenance, announcement.occurrence_at
    if announcement.kind in _AHEAD and _never_begins(row, at):
        return True
    return row.announcements.filter(occurrence_at=at, pk__gt=announcement.pk).exists()


def _told(maintenance: set[int]) -> dict[int, dict[datetime, dict[News, datetime]]]:
    """Return what was told of each occurrence of some maintenance, and when."""
    found: dict[int, dict[datetime, dict[News, datetime]]] = defaultdict(dict)
    rows = MaintenanceAnnouncement.objects.filter(maintenance__in=maintenance)
    for pk, occurrence, kind, at in rows.values_list(
        "maintenance_id", "occurrence_at", "kind", "at"
    ):
        found[pk].setdefault(occurrence, {})[News(kind)] = at
    return found


def _called_off(now: datetime) -> Iterator[Due]:
    """Yield occurrences that were to begin and never will, whatever of them is public by now."""
    rows = MaintenanceAnnouncement.objects.filter(occurrence_at__gt=now - STALE_AFTER)
    told = _told(set(rows.values_list("maintenance_id", flat=True)))
    for row in Maintenance.objects.filter(pk__in=told).with_early_ends():
        for starts_at, news in told[row.pk].items():
            is_awaited = starts_at > now - STALE_AFTER and news.keys() <= _AHEAD
            if is_awaited and _never_begins(row, starts_at):
                ends_at = starts_at + (row.ends_at - row.starts_at)
                yield Due(row.pk, starts_at, ends_at, News.CANCELLED, ())


def _never_begins(row: Maintenance, starts_at: datetime) -> bool:
    """Return whether an occurrence was called off, or ended, before it began."""
    if row.cancelled_at is not None and row.cancelled_at <= starts_at:
        return True
    return row.early_ends.get(starts_at, starts_at + (row.ends_at - row.starts_at)) <= starts_at
