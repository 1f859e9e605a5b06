"""Who is on call of two schedules at once: called by both, or needed in two places."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from oncall.domain.schedules import Shift, overlaps
from oncall.domain.spans import Span
from oncall.models import Schedule
from oncall.queries.rotas import shifts_of

__all__ = ["MOST_SHOWN", "Overlap", "overlaps_of"]

# A list that nobody reads to its end says how many more there are.
MOST_SHOWN = 50


@dataclass(frozen=True)
class Overlap:
    """Time in which a person of one schedule is on call of another one too.

    Args:
        person: Id of the user.
        span: When.
        schedule: The other one.
    """

    person: int
    span: Span
    schedule: Schedule


def overlaps_of(schedule: Schedule, held: Sequence[Shift], window: Span) -> list[Overlap]:
    """Return when people of one schedule are on call of others too, soonest first.

    Args:
        schedule: Whose people.
        held: Its shifts within the window.
        window: When.
    """
    people = {shift.person for shift in held}
    taken_over = Q(
        overrides__person__in=people,
        overrides__starts_at__lt=window.end,
        overrides__ends_at__gt=window.start,
    )
    concerned = Schedule.objects.filter(Q(layers__members__person__in=people) | taken_over)
    others = Schedule.objects.with_rota().filter(pk__in=concerned.values("pk"))
    rows = list(others.exclude(pk=schedule.pk))
    found = shifts_of(rows, window)
    twice = [
        Overlap(person, span, other)
        for other in rows
        for person, span in overlaps([*held, *found[other.pk]])
    ]
    return sorted(twice, key=lambda each: (each.span, each.schedule.slug, each.person))
