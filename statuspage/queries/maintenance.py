"""Maintenance that the public sees: when, what of the page, and no word that was meant for colleagues."""

import hmac
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from itertools import islice

from django.conf import settings
from django.db.models import Q, QuerySet

from incidents.models import Maintenance
from statuspage.models import Component, PublicMaintenance

__all__ = ["Planned", "Stage", "planned"]

PAST = timedelta(days=15)
AHEAD = timedelta(days=30)
# Of each repetition, so that an hourly one is not all that is seen.
MOST_AHEAD = 5
MOST_PAST = 5
MOST = 50


class Stage(StrEnum):
    """Where it stands."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


@dataclass(frozen=True)
class Planned:
    """One occurrence of maintenance.

    Args:
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

    public_id: str
    title: str
    text: str
    starts_at: datetime
    ends_at: datetime
    stage: Stage
    components: Sequence[Component]
    created_at: datetime
    changed_at: datetime


def planned(components: Collection[Component], *, now: datetime) -> list[Planned]:
    """Return what was, is and will be, around the present, in its order.

    Args:
        components: All that are shown.
        now: The present.
    """
    by_service: dict[int, list[Component]] = defaultdict(list)
    for component in components:
        if component.service_id and component.shows_maintenance:
            by_service[component.service_id].append(component)
    if not by_service:
        return []
    rows = list(_rows(by_service, now))
    words = {
        row.maintenance_id: row for row in PublicMaintenance.objects.filter(maintenance__in=rows)
    }
    found = [
        one
        for row in rows
        if (said := words.get(row.pk)) is None or said.is_shown
        for one in _occurrences(row, said, by_service[row.service_id], now)
    ]
    # What goes on decides how components are: none of it is left out, of the others what is far.
    found.sort(key=lambda one: (one.stage is not Stage.IN_PROGRESS, abs(one.starts_at - now)))
    running = sum(one.stage is Stage.IN_PROGRESS for one in found)
    return sorted(found[: max(MOST, running)], key=lambda one: (one.starts_at, one.public_id))


def _rows(services: Collection[int], now: datetime) -> QuerySet[Maintenance]:
    near = Q(rule="", ends_at__gt=now - PAST) | ~Q(rule="")
    rows = Maintenance.objects.filter(
        near, service__in=services, cancelled_at=None, starts_at__lt=now + AHEAD
    )
    return rows.order_by("pk").with_early_ends()


def _occurrences(
    row: Maintenance, said: PublicMaintenance | None, components: Sequence[Component], now: datetime
) -> Iterator[Planned]:
    for starts_at, planned_end in _spans(row, now):
        ends_at = row.early_ends.get(starts_at, planned_end)
        yield Planned(
            public_id=_public_id(row, starts_at),
            title=said.title if said else PublicMaintenance.UNTITLED,
            text=said.text if said else "",
            starts_at=starts_at,
            ends_at=max(starts_at, ends_at),
            stage=_stage(starts_at, ends_at, now),
            components=components,
            created_at=row.created_at,
            changed_at=max(row.updated_at, said.updated_at) if said else row.updated_at,
        )


def _spans(row: Maintenance, now: datetime) -> list[tuple[datetime, datetime]]:
    """Return the occurrences near the present; none of a rule that nothing can be worked out of."""
    try:
        past = list(row.spans(now - PAST, now))[-MOST_PAST:]
        return [*past, *islice((s for s in row.spans(now, now + AHEAD) if s[0] >= now), MOST_AHEAD)]
    except ValueError:
        return []


def _stage(starts_at: datetime, ends_at: datetime, now: datetime) -> Stage:
    if ends_at <= now:
        return Stage.COMPLETED
    return Stage.IN_PROGRESS if starts_at <= now else Stage.SCHEDULED


def _public_id(row: Maintenance, starts_at: datetime) -> str:
    """Return a name that tells nobody how much maintenance there was."""
    named = f"statuspage:maintenance:{row.pk}:{starts_at.isoformat()}".encode()
    return hmac.new(settings.TOKEN_PEPPER.encode(), named, sha256).hexdigest()[:12]
