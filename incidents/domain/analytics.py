"""Figures about incidents: how soon they were answered and over, how often they come, who is woken.

One incident after the other is added to a tally, so that a year of them is never in memory at once;
of each it keeps a few numbers. A figure without anything behind it is None, never zero.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

__all__ = [
    "REPEATS_FROM",
    "SHORT",
    "Figures",
    "Happened",
    "OfService",
    "Repeat",
    "Share",
    "Spread",
    "Tally",
    "spread",
    "suggested_fix",
]

# What is over by itself so soon needed nobody.
SHORT = timedelta(minutes=5)
# From so many incidents of one group on, it repeats.
REPEATS_FROM = 3
# Nine of ten, and four of five, are most.
MOST = 0.8
_NEVER = datetime.max.replace(tzinfo=UTC)


class Happened(NamedTuple):
    """One incident, merged ones never.

    Args:
        opened_at: When it began.
        pk: Its number.
        service: Whose it is, by primary key.
        severity: P0 to P3.
        group: What belongs together while it is open.
        answered_at: When somebody first acknowledged or snoozed it, or dealt with it at once.
        mitigated_at: When people last said that users no longer notice it.
        resolved_at: When it was over at last; None while it is open.
        over_at: Where it ended by itself: when the last of its alerts did.
        is_by_itself: Whether nobody but its alerts ended it.
        is_acted_on: Whether a person did anything about it before its end but answer.
    """

    opened_at: datetime
    pk: int
    service: int | None
    severity: str
    group: str
    answered_at: datetime | None = None
    mitigated_at: datetime | None = None
    resolved_at: datetime | None = None
    over_at: datetime | None = None
    is_by_itself: bool = False
    is_acted_on: bool = False

    @property
    def is_ended_by_itself(self) -> bool:
        """Whether it is over, and nobody ended it."""
        return self.resolved_at is not None and self.is_by_itself

    @property
    def is_short(self) -> bool:
        """Whether it was over by itself within `SHORT`."""
        return self.is_ended_by_itself and (self.over_at or _NEVER) - self.opened_at <= SHORT

    @property
    def is_answered_for_nothing(self) -> bool:
        """Whether somebody answered, and it ended by itself without anything else that they did."""
        return self.answered_at is not None and self.is_ended_by_itself and not self.is_acted_on

    def seconds_to(self, at: datetime | None) -> float | None:
        """Return how long after its opening something was; clocks that differ make it no less than 0."""
        return None if at is None else max((at - self.opened_at).total_seconds(), 0.0)


class Spread(NamedTuple):
    """Lengths of time.

    Args:
        n: How many.
        mean: Their arithmetic mean.
        median: Half are no longer; between two of them it is their middle.
        p90: Nine of ten are no longer; between two of them it is interpolated.
    """

    n: int
    mean: timedelta
    median: timedelta
    p90: timedelta


def spread(seconds: Iterable[float]) -> Spread | None:
    """Return mean, median and 90th percentile; None of nothing.

    Percentiles are interpolated between neighbours, as `percentile_cont` of SQL.
    """
    values = sorted(seconds)
    if not values:
        return None
    mean, median, p90 = (
        sum(values) / len(values),
        _percentile(values, 0.5),
        _percentile(values, 0.9),
    )
    return Spread(len(values), *(timedelta(seconds=each) for each in (mean, median, p90)))


def _percentile(values: Sequence[float], part: float) -> float:
    place = (len(values) - 1) * part
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


class Share(NamedTuple):
    """So many of so many."""

    part: int
    of: int

    @property
    def fraction(self) -> float | None:
        """The part, from 0 to 1; None of nothing."""
        return self.part / self.of if self.of else None

    def with_one(self, counts: bool) -> "Share":
        """Return the same with one more, which is of the part or not."""
        return Share(self.part + counts, self.of + 1)


_NONE = Share(0, 0)


@dataclass(frozen=True)
class OfService:
    """The incidents of one service.

    Args:
        count: How many.
        between: How long it was without any, from the end of one to the beginning of the next; None
            where there are fewer than two that do not overlap.
    """

    count: int
    between: Spread | None


@dataclass(frozen=True)
class Figures:
    """What a tally comes to.

    Args:
        count: Incidents.
        still_open: Those of them that are not over.
        unanswered: Those that nobody ever answered, over or not.
        to_acknowledge: From opening to the first answer, of those that were answered.
        to_mitigate: From opening to the last mitigation, of those that people called mitigated.
        to_resolve: From opening to the last resolution, of those that are over.
        between: Without failure, of all services together; each gap is of one service.
        without_action: Of those answered and over: over by themselves, and nobody did anything.
        short: Of those over: over by themselves within `SHORT`.
        by_severity: How many of each.
        by_service: Of each, by primary key; None is without service.
        by_hour: Seven days from Monday of 24 hours, in the tally's zone.
        by_day: How many on each day of that zone; days without any are left out.
    """

    count: int
    still_open: int
    unanswered: int
    to_acknowledge: Spread | None
    to_mitigate: Spread | None
    to_resolve: Spread | None
    between: Spread | None
    without_action: Share
    short: Share
    by_severity: Counter[str]
    by_service: Mapping[int | None, OfService]
    by_hour: Sequence[Sequence[int]]
    by_day: Counter[date]


@dataclass(frozen=True)
class Repeat:
    """What one condition of a service opened again and again.

    Args:
        group: Its digest.
        newest: Number of the last incident.
        count: Incidents.
        median: From opening to the last resolution; None while all are open.
        short: Over by themselves within `SHORT`, of those over.
        by_itself: Over by themselves, of those over.
        acted_on: Those about which a person did anything but answer, of those over.
    """

    group: str
    newest: int
    count: int
    median: timedelta | None
    short: Share
    by_itself: Share
    acted_on: Share


def suggested_fix(found: Repeat) -> str:
    """Return one sentence on what to do about what repeats; "" where its figures do not say."""
    over = found.short.of
    if over < REPEATS_FROM:
        return ""
    if found.short.part >= MOST * over:
        return (
            f"It is over by itself within 5 min, {found.short.part} of {over} times: let its rule wait"
            " longer (“for”), or its integration hold off."
        )
    if found.acted_on.part == 0:
        return f"Nobody did anything about it, {over} of {over} times: make it a P3, or delete it."
    if found.acted_on.part >= MOST * over:
        return (
            f"People dealt with it {found.acted_on.part} of {over} times: write what they do into its"
            " runbook, or have a program do it."
        )
    return ""


def _seconds() -> "array[float]":
    return array("d")


@dataclass
class _Service:
    """What a tally keeps of one service."""

    count: int = 0
    ends_at: datetime | None = None
    gaps: "array[float]" = field(default_factory=_seconds)

    def add(self, one: Happened) -> None:
        self.count += 1
        if self.ends_at is not None and one.opened_at >= self.ends_at:
            self.gaps.append((one.opened_at - self.ends_at).total_seconds())
        self.ends_at = max(self.ends_at or one.opened_at, one.resolved_at or _NEVER)


@dataclass
class _Group:
    """What a tally keeps of what one condition opened."""

    newest: int = 0
    count: int = 0
    lengths: "array[float]" = field(default_factory=_seconds)
    short: Share = _NONE
    by_itself: Share = _NONE
    acted_on: Share = _NONE

    def add(self, one: Happened) -> None:
        self.newest, self.count = one.pk, self.count + 1
        length = one.seconds_to(one.resolved_at)
        if length is None:
            return
        self.lengths.append(length)
        self.short = self.short.with_one(one.is_short)
        self.by_itself = self.by_itself.with_one(one.is_by_itself)
        self.acted_on = self.acted_on.with_one(one.is_acted_on)

    def as_repeat(self, group: str) -> Repeat:
        found = spread(self.lengths)
        median = found.median if found else None
        return Repeat(
            group, self.newest, self.count, median, self.short, self.by_itself, self.acted_on
        )


class Tally:
    """Counts incidents that are added in the order in which they were opened.

    Args:
        zone: In which hours and days are counted.
        groups: Digests of those whose repeats are counted, too.
    """

    def __init__(self, zone: tzinfo, groups: Collection[str] = ()) -> None:
        self._zone = zone
        self._groups = {group: _Group() for group in groups}
        self._services: defaultdict[int | None, _Service] = defaultdict(_Service)
        self._answers, self._mitigations, self._ends = _seconds(), _seconds(), _seconds()
        self._without_action, self._short = _NONE, _NONE
        self._severities: Counter[str] = Counter()
        self._hours = [[0] * 24 for _ in range(7)]
        self._days: Counter[date] = Counter()
        self._count = 0

    def add(self, one: Happened) -> None:
        """Count one more."""
        self._count += 1
        local = one.opened_at.astimezone(self._zone)
        self._hours[local.weekday()][local.hour] += 1
        self._days[local.date()] += 1
        self._severities[one.severity] += 1
        self._services[one.service].add(one)
        if (group := self._groups.get(one.group)) is not None:
            group.add(one)
        self._add_times(one)

    def _add_times(self, one: Happened) -> None:
        times = (
            (self._answers, one.answered_at),
            (self._mitigations, one.mitigated_at),
            (self._ends, one.resolved_at),
        )
        for kept, at in times:
            if (length := one.seconds_to(at)) is not None:
                kept.append(length)
        if one.resolved_at is not None:
            self._short = self._short.with_one(one.is_short)
            if one.answered_at is not None:
                self._without_action = self._without_action.with_one(one.is_answered_for_nothing)

    def figures(self) -> Figures:
        """Return what they come to."""
        known = {pk: found for pk, found in self._services.items() if pk is not None}
        return Figures(
            count=self._count,
            still_open=self._count - len(self._ends),
            unanswered=self._count - len(self._answers),
            to_acknowledge=spread(self._answers),
            to_mitigate=spread(self._mitigations),
            to_resolve=spread(self._ends),
            between=spread(gap for found in known.values() for gap in found.gaps),
            without_action=self._without_action,
            short=self._short,
            by_severity=Counter(self._severities),
            by_service={
                pk: OfService(found.count, spread(found.gaps) if pk is not None else None)
                for pk, found in self._services.items()
            },
            by_hour=tuple(map(tuple, self._hours)),
            by_day=Counter(self._days),
        )

    def repeats(self) -> list[Repeat]:
        """Return what opened `REPEATS_FROM` incidents or more, the most often first."""
        found = [
            one.as_repeat(group) for group, one in self._groups.items() if one.count >= REPEATS_FROM
        ]
        return sorted(found, key=lambda one: (-one.count, -one.newest))
