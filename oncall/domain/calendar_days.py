"""A schedule as a calendar: for each day of a zone who is on call, and when nobody is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

from core.walltime import instant
from oncall.domain.schedules import Shift, gaps
from oncall.domain.spans import Span

__all__ = ["Day", "Part", "days_of", "window_of"]

_MIDNIGHT = time()


@dataclass(frozen=True)
class Part:
    """What holds in a part of a day.

    Args:
        person: Who is on call; None: nobody is.
        span: From when until when, within the day.
        is_override: Whether somebody took over.
    """

    person: int | None
    span: Span
    is_override: bool = False


@dataclass(frozen=True)
class Day:
    """One day of 23, 24 or 25 hours, or of none.

    Args:
        on: Its date.
        parts: All of it, in order; nothing of a day that a clock change skips (Samoa, 30 December 2011).
    """

    on: date
    parts: tuple[Part, ...]

    @property
    def is_whole(self) -> bool:
        """Whether one part is all of it."""
        return len(self.parts) == 1


def window_of(first: date, count: int, zone: ZoneInfo) -> Span:
    """Return when `count` days begin and end, from `first` on."""
    return Span(
        instant(first, _MIDNIGHT, zone), instant(first + timedelta(days=count), _MIDNIGHT, zone)
    )


def days_of(shifts: Sequence[Shift], first: date, count: int, zone: ZoneInfo) -> list[Day]:
    """Return the days of a calendar.

    Args:
        shifts: Of at least those days, oldest first.
        first: The first day.
        count: How many.
        zone: Whose midnights divide them.
    """
    return [_day(shifts, first + timedelta(days=number), zone) for number in range(count)]


def _day(shifts: Sequence[Shift], on: date, zone: ZoneInfo) -> Day:
    if instant(on, _MIDNIGHT, zone) == instant(on + timedelta(days=1), _MIDNIGHT, zone):
        return Day(on, ())
    window = window_of(on, 1, zone)
    held = [
        Shift(cut, shift.person, shift.layer) for shift in shifts if (cut := shift.span.cut(window))
    ]
    parts = [Part(shift.person, shift.span, shift.layer is None) for shift in held]
    parts += [Part(None, span) for span in gaps(held, window)]
    return Day(on, tuple(sorted(parts, key=lambda part: part.span.start)))
