"""When an event of a calendar takes place: its recurrence set, by RFC 5545."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from heapq import merge
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import vRecur

from core.recurrence import starts
from core.walltime import instant

__all__ = ["Clock", "Event", "Occurrence", "occurrences"]

# What a value of an event can be is wider in the library's types than in any calendar.
Event = Any
_DAY = timedelta(days=1)
_LONGEST = 366 * _DAY


@dataclass(frozen=True)
class Occurrence:
    """One time at which an event takes place.

    Args:
        at: Which of them it is: when it begins by the rule of its event.
        starts_at: When.
        ends_at: Until when.
    """

    at: datetime
    starts_at: datetime
    ends_at: datetime


class Clock:
    """The wall clock that an event goes by: of its own zone, without one of the schedule's.

    Rules, and lengths in days, count on it. Whole days last from midnight to midnight of the
    schedule's clock.

    Args:
        event: Whose DTSTART it is taken from.
        zone: Of the schedule.
    """

    def __init__(self, event: Event, zone: ZoneInfo) -> None:
        first = event["dtstart"].dt
        self.has_days = not isinstance(first, datetime)
        self._days = zone
        self._zone: tzinfo = zone if self.has_days else first.tzinfo or zone
        self.first = self.wall(first)

    def wall(self, value: date | datetime) -> datetime:
        """Return what the clock shows at a value; a mere day is the event's time on that day."""
        if not isinstance(value, datetime):
            return datetime.combine(value, time() if self.has_days else self.first.time())
        if self.has_days:
            return datetime.combine(value.date(), time())
        if value.tzinfo is not None:
            value = value.astimezone(self._zone)
        return value.replace(tzinfo=None)

    def instant(self, wall: datetime) -> datetime:
        """Return when the clock shows that."""
        if self.has_days:
            return instant(wall.date(), time(), self._days)
        return wall.replace(tzinfo=self._zone).astimezone(UTC)

    def at(self, value: date | datetime) -> datetime:
        """Return a value as an instant."""
        return self.instant(self.wall(value))


def occurrences(
    event: Event,
    zone: ZoneInfo,
    after: datetime,
    before: datetime,
    *,
    go_on: Callable[[], None] | None = None,
) -> Iterator[Occurrence]:
    """Yield when an event takes place, oldest first, each time once.

    Args:
        event: With DTSTART; RRULE, RDATE and EXDATE count, RECURRENCE-ID does not.
        zone: Of the schedule.
        after: What ends before is left out.
        before: What begins later is left out.
        go_on: Called for each time that a rule comes to; what it raises ends the search.

    Raises:
        ValueError: A rule is none, or the event does not end after it begins.
    """
    clock = Clock(event, zone)
    days, rest = _length(event, clock)

    def by_rule(rule: str) -> Iterator[Occurrence]:
        # Days of slack, as the rule is followed on the wall: an offset is no longer than a day.
        since = after - days * _DAY - rest - 2 * _DAY
        first, until = clock.first.replace(tzinfo=UTC), before + 2 * _DAY
        for at in starts(rule, first, "UTC", since, until, go_on=go_on):
            yield on(at.replace(tzinfo=None))

    def on(wall: datetime) -> Occurrence:
        at = clock.instant(wall)
        return Occurrence(at, at, clock.instant(wall + days * _DAY) + rest)

    rules = [_on_the_wall(rule, clock) for rule in _values(event, "rrule")] or [""]
    added = [
        _period(value, clock) if isinstance(value, tuple) else on(clock.wall(value))
        for value in _dates(event, "rdate")
    ]
    added.sort(key=lambda occurrence: occurrence.starts_at)
    seen = {clock.at(value) for value in _dates(event, "exdate")}
    every = merge(added, *map(by_rule, rules), key=lambda occurrence: occurrence.starts_at)
    for occurrence in every:
        if occurrence.at in seen:
            continue
        seen.add(occurrence.at)
        # A day that a clock change skips is none.
        begins, ends = occurrence.starts_at, occurrence.ends_at
        if max(begins, after) < ends and begins < before:
            yield occurrence


def _length(event: Event, clock: Clock) -> tuple[int, timedelta]:
    """Return how many days of the clock an event lasts, and how long after them."""
    end, duration = event.get("dtend"), event.get("duration")
    days, rest = int(clock.has_days), timedelta()
    if end is not None and clock.has_days:
        # Where it ends on the day on which it begins, as some programs write, it lasts that day.
        days = (clock.wall(end.dt) - clock.first).days or 1
    elif end is not None:
        rest = clock.at(end.dt) - clock.instant(clock.first)
    elif duration is not None:
        # The library does not tell 24 hours from a day.
        days, rest = duration.dt.days, timedelta(seconds=duration.dt.seconds)
    _check(days * _DAY + rest)
    return days, rest


def _period(value: tuple[Any, Any], clock: Clock) -> Occurrence:
    at = clock.at(value[0])
    ends = at + value[1] if isinstance(value[1], timedelta) else clock.at(value[1])
    _check(ends - at)
    return Occurrence(at, at, ends)


def _check(length: timedelta) -> None:
    if not timedelta() < length <= _LONGEST:
        raise ValueError("it does not end after it begins, within a year")


def _on_the_wall(rule: Event, clock: Clock) -> str:
    """Return a rule with its last time as the event's clock shows it."""
    until = rule.get("UNTIL")
    if until:
        last = clock.wall(until[0] if isinstance(until, list) else until)
        rule = vRecur({**rule, "UNTIL": [last]})
    text: str = rule.to_ical().decode()
    return text


def _dates(event: Event, name: str) -> list[Any]:
    return [value.dt for dates in _values(event, name) for value in dates.dts]


def _values(event: Event, name: str) -> list[Any]:
    given = event.get(name) or []
    return given if isinstance(given, list) else [given]
