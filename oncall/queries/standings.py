"""Who is on call of each schedule now and next, and when somebody is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.models import User
from notifications.domain.readiness import Readiness
from notifications.queries.readiness import readiness_of_people
from oncall.domain.schedules import Shift, gaps, stints
from oncall.domain.spans import Span, merged
from oncall.models import Schedule
from oncall.queries.rotas import shifts_of

__all__ = ["Standing", "Standings", "standings"]

AHEAD = timedelta(days=28)
# So long before a shift its person must be reachable.
RED_BEFORE = timedelta(hours=24)


@dataclass(frozen=True)
class Standing:
    """Who is on call of a schedule now, and who follows.

    Args:
        schedule: Which.
        person: Who is on call now; None where nobody is.
        ready: How surely they are woken.
        until: When their time ends, by whatever layer or override they have it; None where that is
            not within four weeks.
        next: Who follows.
        next_ready: How surely they are woken.
        next_at: From when.
        unready: Who is on call within a day and cannot be reached.
        inactive: Who is on call within a day and no longer active.
        gaps: How often nobody is on call within four weeks.
    """

    schedule: Schedule
    person: User | None
    ready: Readiness | None
    until: datetime | None
    next: User | None
    next_ready: Readiness | None
    next_at: datetime | None
    unready: tuple[User, ...]
    inactive: tuple[User, ...]
    gaps: int


@dataclass(frozen=True)
class Standings:
    """All schedules, and what somebody has of them.

    Args:
        rows: Of all schedules.
        mine: When somebody is on call, and of which schedule, soonest first.
        is_on_call: Whether they are now.
        until: Until when, of whichever schedule; None where that is not within four weeks.
        ends: The end of the four weeks: what lasts so long has no end within them.
    """

    rows: tuple[Standing, ...]
    mine: tuple[tuple[Span, Schedule], ...]
    is_on_call: bool
    until: datetime | None
    ends: datetime


def standings(user: User, *, now: datetime) -> Standings:
    """Return who is on call of each schedule within four weeks, and when a person is."""
    window = Span(now, now + AHEAD)
    schedules = list(Schedule.objects.with_rota().select_related("team"))
    found = {pk: stints(held) for pk, held in shifts_of(schedules, window).items()}
    people = User.objects.in_bulk({shift.person for held in found.values() for shift in held})
    ready = readiness_of_people(people.keys(), now=now)
    mine = [
        (each.span, row) for row in schedules for each in found[row.pk] if each.person == user.pk
    ]
    held = merged(span for span, _ in mine)
    return Standings(
        rows=tuple(_standing(row, found[row.pk], window, people, ready) for row in schedules),
        mine=tuple(sorted(mine, key=lambda pair: (pair[0], pair[1].slug))),
        is_on_call=bool(held) and held[0].start <= now,
        until=held[0].end if held and held[0].end < window.end else None,
        ends=window.end,
    )


def _standing(
    schedule: Schedule,
    held: Sequence[Shift],
    window: Span,
    people: Mapping[int, User],
    ready: Mapping[int, Readiness],
) -> Standing:
    current = held[0] if held and held[0].span.start <= window.start else None
    following = next((stint for stint in held if stint.span.start > window.start), None)
    soon = {stint.person for stint in held if stint.span.start < window.start + RED_BEFORE}
    unready = [people[pk] for pk in sorted(soon) if pk in people and not ready[pk].is_reachable]
    return Standing(
        schedule=schedule,
        person=people.get(current.person) if current else None,
        ready=ready.get(current.person) if current else None,
        until=current.span.end if current and current.span.end < window.end else None,
        next=people.get(following.person) if following else None,
        next_ready=ready.get(following.person) if following else None,
        next_at=following.span.start if following else None,
        unready=tuple(person for person in unready if person.is_active),
        inactive=tuple(person for person in unready if not person.is_active),
        gaps=len(gaps(held, window)),
    )
