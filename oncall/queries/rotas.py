"""Who is on call, from the stored schedules."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from oncall.domain import schedules as arithmetic
from oncall.domain.rotations import Layer
from oncall.domain.schedules import INSTANT, Shift
from oncall.domain.spans import Span
from oncall.models import Override, Schedule

__all__ = ["on_call_at", "shift_at", "shifts", "shifts_of", "whole_shifts_of"]

# How far it is looked back, one after the other, for when a shift began: who is on call alone is for years.
_BACK = (timedelta(days=40), timedelta(days=400), timedelta(days=6000))


def shifts(schedule: Schedule, window: Span) -> list[Shift]:
    """Return who is on call of one schedule within `window`, oldest first; people are user ids."""
    return shifts_of([schedule], window)[schedule.pk]


def shifts_of(schedules: Iterable[Schedule], window: Span) -> dict[int, list[Shift]]:
    """Return who is on call of each schedule within `window`, by the schedule's id.

    Args:
        schedules: Loaded `with_rota`, else each costs queries of its own.
        window: Any length; a year is some thousand turns.
    """
    rows = list(schedules)
    above: dict[int, list[arithmetic.Override]] = {schedule.pk: [] for schedule in rows}
    found = Override.objects.filter(
        schedule__in=rows, starts_at__lt=window.end, ends_at__gt=window.start
    )
    for override in found.order_by("created_at", "pk"):
        above[override.schedule_id].append(override.for_rota)
    return {
        schedule.pk: arithmetic.final(
            _layers(schedule),
            above[schedule.pk],
            window,
        )
        for schedule in rows
    }


def whole_shifts_of(schedules: Collection[Schedule], window: Span) -> dict[int, list[Shift]]:
    """Return the same, with the shifts that had begun before the window as of when they began."""
    found = shifts_of(schedules, window)
    cut = {schedule.pk: schedule for schedule in schedules}
    since = window.start
    for back in _BACK:
        cut = {pk: row for pk, row in cut.items() if found[pk] and found[pk][0].span.start == since}
        if not cut:
            break
        since = window.start - back
        for pk, held in shifts_of(cut.values(), Span(since, window.end)).items():
            found[pk] = [shift for shift in held if shift.span.end > window.start]
    return found


def _layers(schedule: Schedule) -> list[Layer]:
    holidays = schedule.days_off
    return [layer.rota(schedule.zone, holidays=holidays) for layer in schedule.layers.all()]


def shift_at(schedule: Schedule, at: datetime) -> Shift | None:
    """Return the shift of whoever is on call of a schedule at an instant, of no length; None: nobody is."""
    found = shifts(schedule, Span(at, at + INSTANT))
    return found[0] if found else None


def on_call_at(schedules: Iterable[Schedule], at: datetime) -> dict[int, int | None]:
    """Return the id of whoever is on call of each schedule at an instant; None where nobody is."""
    found = shifts_of(schedules, Span(at, at + INSTANT))
    return {pk: held[0].person if held else None for pk, held in found.items()}
