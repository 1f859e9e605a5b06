"""Who is on call: layers on top of each other, overrides above them, and what is left open."""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from oncall.domain.rotations import Layer, Restriction, days, turns
from oncall.domain.spans import Span, intersect, merged, subtract

__all__ = [
    "Load",
    "Override",
    "Shift",
    "fairness",
    "final",
    "gaps",
    "on_call",
    "overlaps",
    "stints",
]

INSTANT = timedelta(microseconds=1)
NIGHT = Restriction(time(22), time(7))
WEEKEND = Restriction(time(0), time(0), frozenset({5, 6}))


@dataclass(frozen=True)
class Override:
    """Somebody takes over, whoever it would have been; the later one in a list wins.

    Args:
        span: When.
        person: Who; None is nobody, which leaves a gap.
    """

    span: Span
    person: int | None


@dataclass(frozen=True, order=True)
class Shift:
    """A person who is on call over `span`.

    Args:
        layer: Number of the layer it comes from; None for an override.
    """

    span: Span
    person: int
    layer: int | None = None


@dataclass(frozen=True)
class Load:
    """What one person carries: time on call, and how much of it at night and on weekends.

    A night is 22:00 to 07:00, a weekend Saturday, Sunday and holidays, all in the schedule's zone.
    """

    total: timedelta
    nights: timedelta
    weekends: timedelta

    @property
    def weighted(self) -> timedelta:
        """Time on call in which nights and weekends count twice, and nights of weekends thrice."""
        return self.total + self.nights + self.weekends


def final(layers: Sequence[Layer], overrides: Sequence[Override], window: Span) -> list[Shift]:
    """Return who is on call within `window`, oldest first, no two at once.

    A later layer stands above an earlier one where it holds; overrides stand above all layers, the
    last one on top. Each is applied once: an override of A by B does not follow B's own overrides.
    """
    free = [window]
    found: list[Shift] = []
    for override in reversed(overrides):
        taken = intersect(free, [override.span])
        if override.person is not None:
            found += [Shift(span, override.person) for span in taken]
        free = _without(free, taken)
    for number in range(len(layers) - 1, -1, -1):
        held = []
        for turn in turns(layers[number], window):
            taken = intersect(free, [turn.span])
            found += [Shift(span, turn.person, number) for span in taken]
            held += taken
        free = _without(free, held)
    return _joined(found)


def _without(free: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    gone = merged(taken)
    return [left for span in free for left in subtract(span, gone)]


def _joined(shifts: Iterable[Shift]) -> list[Shift]:
    """Return the shifts in order; one that goes on where the same person's ended is one with it."""
    found: list[Shift] = []
    for shift in sorted(shifts, key=lambda shift: shift.span):
        last = found[-1] if found else None
        if last and last.span.end == shift.span.start and _is_same(last, shift):
            found[-1] = Shift(Span(last.span.start, shift.span.end), last.person, last.layer)
        else:
            found.append(shift)
    return found


def stints(shifts: Iterable[Shift]) -> list[Shift]:
    """Return the shifts with those of one person that follow each other as one, whatever they come from.

    Args:
        shifts: No two at once, oldest first.
    """
    found: list[Shift] = []
    for shift in shifts:
        last = found[-1] if found else None
        if last and last.span.end == shift.span.start and last.person == shift.person:
            found[-1] = Shift(Span(last.span.start, shift.span.end), last.person, last.layer)
        else:
            found.append(shift)
    return found


def _is_same(one: Shift, other: Shift) -> bool:
    return (one.person, one.layer) == (other.person, other.layer)


def on_call(layers: Sequence[Layer], overrides: Sequence[Override], at: datetime) -> Shift | None:
    """Return who is on call at an instant, None when nobody is."""
    found = final(layers, overrides, Span(at, at + INSTANT))
    return found[0] if found else None


def gaps(shifts: Iterable[Shift], window: Span) -> list[Span]:
    """Return when nobody is on call within `window`."""
    return list(subtract(window, [shift.span for shift in shifts]))


def overlaps(shifts: Iterable[Shift]) -> list[tuple[int, Span]]:
    """Return when a person is on call twice at once: the shifts may be of several schedules."""
    by_person: dict[int, list[Span]] = defaultdict(list)
    for shift in shifts:
        by_person[shift.person].append(shift.span)
    found = []
    for person, spans in by_person.items():
        twice, until = [], None
        for span in sorted(spans):
            if until is not None and span.start < until:
                twice.append(Span(span.start, min(span.end, until)))
            until = span.end if until is None else max(until, span.end)
        found += [(person, span) for span in merged(twice)]
    return sorted(found, key=lambda pair: (pair[1], pair[0]))


def fairness(
    shifts: Iterable[Shift], zone: ZoneInfo, holidays: Container[date] = frozenset()
) -> dict[int, Load]:
    """Return what each person carries; a holiday is as a day of a weekend."""
    by_person: dict[int, list[Span]] = defaultdict(list)
    for shift in shifts:
        by_person[shift.person].append(shift.span)
    return {
        person: Load(
            _length(spans),
            _length(intersect(spans, NIGHT.spans(_reach(spans), zone))),
            _length(intersect(spans, _days_off(_reach(spans), zone, holidays))),
        )
        for person, spans in by_person.items()
    }


def _days_off(window: Span, zone: ZoneInfo, holidays: Container[date]) -> list[Span]:
    return merged([*WEEKEND.spans(window, zone), *days(holidays, window, zone)])


def _reach(spans: list[Span]) -> Span:
    return Span(min(span.start for span in spans), max(span.end for span in spans))


def _length(spans: Iterable[Span]) -> timedelta:
    return sum((span.length for span in spans), timedelta())
