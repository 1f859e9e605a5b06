"""What a schedule comes to: its calendar, who carries how much, and when nobody is on call."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from accounts.models import User
from core.walltime import local_date
from oncall.domain.calendar_days import Day, Part, days_of, window_of
from oncall.domain.schedules import Load, Shift, fairness, gaps
from oncall.domain.spans import Span
from oncall.models import Schedule
from oncall.queries.overlaps import MOST_SHOWN, Overlap, overlaps_of
from oncall.queries.rotas import shifts

__all__ = ["FourWeeks", "Shown", "four_weeks_of"]

WEEKS = 4
TONES = 6


@dataclass(frozen=True)
class Shown:
    """A part of a day for the page.

    Args:
        part: What holds.
        person: Who it is; None where nobody is, or whoever it was is gone.
        tone: 1 to 6, the same for a person over the whole calendar; 0 where nobody is.
        begins: Local time, e.g. 09:00.
        ends: Local time, 24:00 at the end of the day.
    """

    part: Part
    person: User | None
    tone: int
    begins: str
    ends: str


@dataclass(frozen=True)
class FourWeeks:
    """Four weeks of a schedule, whole weeks from a Monday on.

    Args:
        schedule: Loaded with its rota.
        first: Its Monday.
        today: The present day in the zone of the schedule.
        days: Each with its parts.
        shifts: Of the same four weeks, with who it is.
        gaps: When nobody is on call, from now or the Monday on.
        loads: What each person carries in these weeks.
        holidays: Days and their names.
        inactive: Who is on call in them from now on and is no longer active: nobody is called then.
        overlaps: Who is on call of another schedule at the same time, from now or the Monday on; the
            first `MOST_SHOWN`.
        more_overlaps: How many there are besides.
    """

    schedule: Schedule
    first: date
    today: date
    days: tuple[tuple[Day, tuple[Shown, ...]], ...]
    shifts: tuple[tuple[Shift, User | None], ...]
    gaps: tuple[Span, ...]
    loads: tuple[tuple[User, Load], ...]
    holidays: Mapping[date, str]
    inactive: tuple[User, ...]
    overlaps: tuple[tuple[User, Overlap], ...]
    more_overlaps: int

    @property
    def before(self) -> date:
        """The Monday of the four weeks before."""
        return self.first - timedelta(weeks=WEEKS)

    @property
    def after(self) -> date:
        """The Monday of the four weeks after."""
        return self.first + timedelta(weeks=WEEKS)


def four_weeks_of(schedule: Schedule, *, now: datetime, on: date | None = None) -> FourWeeks:
    """Return four weeks of a schedule.

    Args:
        schedule: Loaded `with_rota`.
        now: The present; gaps before it are of no interest.
        on: A day of the first week; today unless given.
    """
    zone, days_off = schedule.zone, schedule.days_off
    today = local_date(now, zone)
    first = on or today
    first -= timedelta(days=first.weekday())
    count = 7 * WEEKS
    window = window_of(first, count, zone)
    held = shifts(schedule, window)
    people = User.objects.in_bulk({shift.person for shift in held})
    order = list(dict.fromkeys(shift.person for shift in held))
    tones = {person: number % TONES + 1 for number, person in enumerate(order)}
    ahead = window.cut(Span(now, max(window.end, now + timedelta(days=1))))
    due = [shift for shift in held if shift.span.end > now]
    twice = overlaps_of(schedule, due, ahead) if ahead else []
    overlaps = tuple((people[each.person], each) for each in twice if each.person in people)
    return FourWeeks(
        schedule=schedule,
        first=first,
        today=today,
        days=tuple(
            (day, tuple(_shown(part, people, tones, schedule) for part in day.parts))
            for day in days_of(held, first, count, zone)
        ),
        shifts=tuple((shift, people.get(shift.person)) for shift in held),
        gaps=tuple(gaps(held, ahead)) if ahead else (),
        loads=tuple(
            (people[person], load)
            for person, load in fairness(held, zone, days_off).items()
            if person in people
        ),
        holidays=dict(days_off.between(first, first + timedelta(days=count))),
        inactive=tuple(
            people[pk]
            for pk in dict.fromkeys(shift.person for shift in due)
            if pk in people and not people[pk].is_active
        ),
        overlaps=overlaps[:MOST_SHOWN],
        more_overlaps=len(overlaps[MOST_SHOWN:]),
    )


def _shown(
    part: Part, people: Mapping[int, User], tones: Mapping[int, int], schedule: Schedule
) -> Shown:
    begins = part.span.start.astimezone(schedule.zone)
    ends = part.span.end.astimezone(schedule.zone)
    person = people.get(part.person) if part.person is not None else None
    tone = tones[part.person] if part.person is not None else 0
    is_midnight = (ends.hour, ends.minute) == (0, 0)
    return Shown(part, person, tone, f"{begins:%H:%M}", "24:00" if is_midnight else f"{ends:%H:%M}")
