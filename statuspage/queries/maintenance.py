"""Maintenance that the public sees: when, what of the page, and no word that was meant for colleagues."""

import hmac
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from itertools import islice

from django.conf import settings
from django.db.models import Q, QuerySet

from incidents.models import Maintenance
from statuspage.models import Component, PublicMaintenance

__all__ = ["Planned", "Stage", "occurrences", "planned", "public_id_of", "touching"]

PAST = timedelta(days=15)
AHEAD = timedelta(days=30)
# Of each repetition, so that an hourly one is not all that is seen.
MOST_AHEAD = 5
MOST_PAST = 5
MOST = 50


Span = tuple[datetime, datetime]
Spans = Callable[[Maintenance, datetime], Iterable[Span]]


class Stage(StrEnum):
    """Where it stands."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


@dataclass(frozen=True)
class Planned:
    """One occurrence of maintenance.

    Args:
        pk: Key of the maintenance.
        is_repeated: Whether there are others of it.
        public_id: Stable, and unique on the page.
        title: Typed for the public, or that there is some.
        text: The same; may be empty.
        starts_at: When it begins.
        ends_at: When it ends, or ended.
        stage: Where it stands.
        components: What of the page it concerns; at least one.
        created_at: When it was planned.
        changed_at: When that last changed.
    """

    pk: int
    is_repeated: bool
    public_id: str
    title: str
    text: str
    starts_at: datetime
    ends_at: datetime
    stage: Stage
    components: Sequence[Component]
    created_at: datetime
    changed_at: datetime

    @property
    def told_at(self) -> dict[Stage, datetime]:
        """When each stage began that it has reached, the last one first."""
        reached = {Stage.SCHEDULED: min(self.created_at, self.starts_at)}
        if self.stage is not Stage.SCHEDULED:
            reached[Stage.IN_PROGRESS] = self.starts_at
        if self.stage is Stage.COMPLETED:
            reached[Stage.COMPLETED] = self.ends_at
        return dict(reversed(reached.items()))

    @property
    def updated_at(self) -> datetime:
        """When there last was news of it."""
        if self.stage is Stage.SCHEDULED:
            return self.changed_at
        return next(iter(self.told_at.values()))


def planned(components: Collection[Component], *, now: datetime) -> list[Planned]:
    """Return what was, is and will be, around the present, in its order.

    Args:
        components: All that are shown.
        now: The present.
    """
    found = list(occurrences(components, _nearest, now=now))
    # What goes on decides how components are: none of it is left out, of the others what is far.
    found.sort(key=lambda one: (one.stage is not Stage.IN_PROGRESS, abs(one.starts_at - now)))
    running = sum(one.stage is Stage.IN_PROGRESS for one in found)
    return sorted(found[: max(MOST, running)], key=lambda one: (one.starts_at, one.public_id))


def occurrences(
    components: Collection[Component], spans: Spans, *, now: datetime
) -> Iterator[Planned]:
    """Yield all that is near, in no order, however much that is.

    Args:
        components: All that are shown.
        spans: Which of what repeats.
        now: The present.
    """
    by_service: dict[int, list[Component]] = defaultdict(list)
    for component in components:
        if component.service_id and component.shows_maintenance:
            by_service[component.service_id].append(component)
    if not by_service:
        return
    rows = list(_rows(by_service, now))
    words = {
        row.maintenance_id: row for row in PublicMaintenance.objects.filter(maintenance__in=rows)
    }
    for row in rows:
        said = words.get(row.pk)
        if said is None or said.is_shown:
            yield from _occurrences(row, said, by_service[row.service_id], spans, now)


def _rows(services: Collection[int], now: datetime) -> QuerySet[Maintenance]:
    near = Q(rule="", ends_at__gt=now - PAST) | ~Q(rule="")
    # What was before it was called off was all the same.
    lately = Q(cancelled_at=None) | Q(cancelled_at__gt=now - PAST)
    rows = Maintenance.objects.filter(near, lately, service__in=services, starts_at__lt=now + AHEAD)
    return rows.order_by("pk").with_early_ends()


def _occurrences(
    row: Maintenance,
    said: PublicMaintenance | None,
    components: Sequence[Component],
    spans: Spans,
    now: datetime,
) -> Iterator[Planned]:
    for starts_at, planned_end in _spans(row, spans, now):
        ends_at = row.early_ends.get(starts_at, planned_end)
        if row.cancelled_at is not None:
            ends_at = min(ends_at, row.cancelled_at)
        # One that was ended before it began never was.
        if ends_at <= starts_at:
            continue
        yield Planned(
            pk=row.pk,
            is_repeated=bool(row.rule),
            public_id=public_id_of(row.pk, starts_at),
            title=said.title if said else PublicMaintenance.UNTITLED,
            text=said.text if said else "",
            starts_at=starts_at,
            ends_at=ends_at,
            stage=_stage(starts_at, ends_at, now),
            components=components,
            created_at=row.created_at,
            changed_at=max(row.updated_at, said.updated_at) if said else row.updated_at,
        )


def _spans(row: Maintenance, spans: Spans, now: datetime) -> list[Span]:
    """Return the occurrences near the present; none of a rule that nothing can be worked out of."""
    try:
        return list(spans(row, now) if row.rule else row.spans(now - PAST, now + AHEAD))
    except ValueError:
        return []


def _nearest(row: Maintenance, now: datetime) -> Iterator[Span]:
    """Yield a few before and after the present."""
    yield from list(row.spans(now - PAST, now))[-MOST_PAST:]
    yield from islice((s for s in row.spans(now, now + AHEAD) if s[0] >= now), MOST_AHEAD)


def touching(before: timedelta, after: timedelta) -> Spans:
    """Return how all are found that touch a time around the present.

    Args:
        before: How long ago they ended at most.
        after: In how long they begin at most.
    """

    def spans(row: Maintenance, now: datetime) -> Iterator[Span]:
        # The last moment counts.
        return row.spans(now - before, now + after + timedelta.resolution)

    return spans


def _stage(starts_at: datetime, ends_at: datetime, now: datetime) -> Stage:
    if ends_at <= now:
        return Stage.COMPLETED
    return Stage.IN_PROGRESS if starts_at <= now else Stage.SCHEDULED


def public_id_of(pk: int, starts_at: datetime) -> str:
    """Return the name of an occurrence, which tells nobody how much maintenance there was."""
    named = f"statuspage:maintenance:{pk}:{starts_at.isoformat()}".encode()
    return hmac.new(settings.TOKEN_PEPPER.encode(), named, sha256).hexdigest()[:12]
