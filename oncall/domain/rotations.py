"""Layers: who takes turns, when they hand over, and at which hours the layer holds at all."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from core.walltime import instant, local_date
from oncall.domain.spans import Span, intersect, merged, subtract

__all__ = ["HolidayRule", "Layer", "Restriction", "Turn", "Unit", "days", "turns"]

DAY = timedelta(days=1)
EVERY_DAY = frozenset(range(7))


class Unit(StrEnum):
    """What a turn's length counts."""

    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"


class HolidayRule(StrEnum):
    """What a layer does on holidays."""

    AS_USUAL = "as_usual"
    NEVER = "never"
    ONLY = "only"


@dataclass(frozen=True)
class Restriction:
    """Hours at which a layer holds, by the wall clock of its zone.

    Args:
        begins: From this time on.
        ends: Until this time; on the next day when it is not after `begins`. The same time twice
            is therefore a whole day, never nothing.
        weekdays: Days on which it begins, Monday is 0.
    """

    begins: time
    ends: time
    weekdays: frozenset[int] = EVERY_DAY

    def spans(self, window: Span, zone: ZoneInfo) -> Iterator[Span]:
        """Yield when it holds within `window`."""
        day = local_date(window.start, zone) - DAY
        # A clock that goes back over midnight shows the day before once more.
        last = local_date(window.end, zone) + DAY
        while day <= last:
            if day.weekday() in self.weekdays:
                until = day if self.ends > self.begins else day + DAY
                start, end = instant(day, self.begins, zone), instant(until, self.ends, zone)
                # A clock change may skip all of it.
                if start < end and (shared := Span(start, end).cut(window)):
                    yield shared
            day += DAY


@dataclass(frozen=True)
class Layer:
    """A rotation.

    Args:
        people: Who takes turns, in order; one person may come more than once.
        zone: In which times are read.
        first: Day of the first handover; before it nobody of this layer is on call.
        handover: When turns change, by the wall clock.
        unit: What `every` counts.
        every: How long a turn is.
        restrictions: When it holds; always when there is none.
        until: After this instant nobody of this layer is on call.
        holidays: Days that are holidays, from midnight to midnight of the zone.
        on_holidays: Whether it holds on those days too, not at all, or on no others.

    Raises:
        ValueError: If `every` is not positive or a year at most, or hours do not divide a day.
    """

    people: tuple[int, ...]
    zone: ZoneInfo
    first: date
    handover: time = time(9)
    unit: Unit = Unit.WEEKS
    every: int = 1
    restrictions: tuple[Restriction, ...] = ()
    until: datetime | None = None
    holidays: Container[date] = frozenset()
    on_holidays: HolidayRule = HolidayRule.AS_USUAL

    def __post_init__(self) -> None:
        most = {Unit.HOURS: 24, Unit.DAYS: 366, Unit.WEEKS: 52}[self.unit]
        if not 1 <= self.every <= most:
            raise ValueError(f"a turn lasts 1 to {most} {self.unit}, got {self.every}")
        if self.unit is Unit.HOURS and 24 % self.every:
            raise ValueError(f"turns of hours divide a day, got {self.every}")

    def boundary(self, number: int) -> datetime:
        """Return when turn `number` begins; the first one is 0.

        Turns of hours change at wall times too: the one in which the clocks go back is an hour
        longer, and one that a clock change skips is empty.
        """
        if self.unit is Unit.HOURS:
            wall = datetime.combine(self.first, self.handover) + number * self.every * DAY / 24
            return instant(wall.date(), wall.time(), self.zone)
        days = number * self.every * (7 if self.unit is Unit.WEEKS else 1)
        return instant(self.first + DAY * days, self.handover, self.zone)

    def number_at(self, at: datetime) -> int:
        """Return the number of the turn that an instant lies in; negative before the first."""
        length = {Unit.HOURS: DAY / 24, Unit.DAYS: DAY, Unit.WEEKS: DAY * 7}[self.unit]
        number = (at - self.boundary(0)) // (length * self.every)
        # Clock changes move a boundary by hours, and so this guess by a few turns of hours.
        while self.boundary(number) > at:
            number -= 1
        while self.boundary(number + 1) <= at:
            number += 1
        return int(number)


def days(wanted: Container[date], window: Span, zone: ZoneInfo) -> Iterator[Span]:
    """Yield the days within `window` that are among the wanted ones, by the clock of a zone."""
    day = local_date(window.start, zone)
    while (start := instant(day, time(0), zone)) < window.end:
        end = instant(day + DAY, time(0), zone)
        if day in wanted and start < end and (shared := Span(start, end).cut(window)):
            yield shared
        day += DAY


@dataclass(frozen=True, order=True)
class Turn:
    """A person of a layer, on call over `span` as far as this layer says."""

    span: Span
    person: int


def turns(layer: Layer, window: Span) -> list[Turn]:
    """Return who of a layer is on call within `window`, oldest first, restrictions applied.

    Of somebody who takes turns alone, those that follow each other are one.
    """
    end = min(window.end, layer.until) if layer.until else window.end
    start = max(window.start, layer.boundary(0))
    if not layer.people or start >= end:
        return []
    asked = Span(start, end)
    holds = [asked]
    if layer.restrictions:
        holds = [span for rule in layer.restrictions for span in rule.spans(asked, layer.zone)]
    if layer.on_holidays is not HolidayRule.AS_USUAL:
        off = list(days(layer.holidays, asked, layer.zone))
        if layer.on_holidays is HolidayRule.ONLY:
            holds = intersect(holds, off)
        else:
            holds = [left for span in holds for left in subtract(span, off)]
    if len(set(layer.people)) == 1:
        # Handovers to oneself are none; there may be many thousands.
        return [Turn(span, layer.people[0]) for span in merged(holds)]
    found = []
    number = layer.number_at(start)
    while (begins := layer.boundary(number)) < end:
        ends = layer.boundary(number + 1)
        if begins < ends:
            person = layer.people[number % len(layer.people)]
            found += [Turn(span, person) for span in intersect([Span(begins, ends)], holds)]
        number += 1
    return found
