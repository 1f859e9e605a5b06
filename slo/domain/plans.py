"""What must be known of an SLO to judge it: its column, its windows, its objectives."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from slo.domain.blocks import UNITS
from slo.domain.state import STANDARD, State, StatePolicy
from slo.domain.windows import (
    BURN_WINDOWS,
    Period,
    Version,
    Window,
    calendar_window,
    ceil_minute,
    rolling,
)

NOMINAL_DAYS = {Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 30, Period.QUARTER: 90}
NOMINAL_DAYS[Period.YEAR] = 365
# The SLO's own window, then the burn windows, shortest first.
OWN = 0
WINDOWS = ("own", *BURN_WINDOWS)


class Method(StrEnum):
    """How events become a share of good ones."""

    OCCURRENCES = "occurrences"
    TIME_SLICES = "time_slices"
    RATIO_OF_SLICES = "ratio_of_slices"


class WindowRule(NamedTuple):
    """Which window an SLO has; SLOs with equal rules share their edges.

    Args:
        days: Length of a rolling window; 0 for a calendar window.
        period: Of a calendar window.
        zone: IANA zone of a calendar window.
        delay: How much before the watermark the windows end, because data comes so late.
    """

    days: int
    period: Period
    zone: str
    delay: timedelta

    @property
    def length(self) -> timedelta:
        """Nominal length, by which burn thresholds are scaled."""
        return timedelta(days=self.days or NOMINAL_DAYS[self.period])

    def own_window(self, *, end: datetime) -> Window:
        """Return the SLO's own window that ends at `end`."""
        if self.days:
            return rolling(timedelta(days=self.days), end=end)
        return calendar_window(self.period, end=end, zone=self.zone)

    def next_period(self, at: datetime) -> datetime:
        """Return when the next calendar window begins, with a whole budget."""
        day = timedelta(days=1)
        present = self.own_window(end=at).start
        later = at + day
        while self.own_window(end=later).start == present:
            later += day
        return self.own_window(end=later).start

    def windows(self, watermark: datetime) -> tuple[Window, ...]:
        """Return the windows of `WINDOWS` for a watermark."""
        end = watermark - self.delay
        burns = (rolling(length, end=end) for length in BURN_WINDOWS.values())
        return (self.own_window(end=end), *burns)


class Member(NamedTuple):
    """One part of a composite SLI."""

    plan: "Plan"
    weight: int


@dataclass(slots=True)
class Plan:
    """One SLO, as far as judging it needs.

    Args:
        pk: Its id.
        slot: Column of its SLI.
        method: How events become a share.
        rule: Its windows.
        versions: Its objectives, oldest first; at least one.
        minimum_events: Fewest events in a long window that may raise a burn alert.
        data_since: First measured minute of its SLI.
        state: After the last evaluation.
        state_since: When that state began; None before the first evaluation.
        is_enabled: Whether it is judged, and not only part of another.
        is_composite: Whether its SLI is the weighted mean of `members`.
        members: Of a composite SLI.
        is_adjusted: Whether corrections change its counts.
        policy: Where its states begin and end.
    """

    pk: int
    slot: int
    method: Method
    rule: WindowRule
    versions: tuple[Version, ...]
    minimum_events: int = 1
    data_since: datetime | None = None
    state: State = State.NO_DATA
    state_since: datetime | None = None
    is_enabled: bool = True
    is_composite: bool = False
    members: tuple[Member, ...] = ()
    is_adjusted: bool = False
    policy: StatePolicy = STANDARD

    def objective_at(self, end: datetime) -> Decimal:
        """Return the objective that judges the last minute before `end`."""
        if len(self.versions) == 1:
            return self.versions[0].objective
        held = [v for v in self.versions if ceil_minute(v.effective_from) < end]
        return (held or self.versions)[-1 if held else 0].objective

    def cuts(self, windows: Iterable[Window]) -> bool:
        """Return whether the objective changes inside one of the windows."""
        if len(self.versions) == 1:
            return False
        borders = [ceil_minute(version.effective_from) for version in self.versions[1:]]
        return any(window.start < at < window.end for window in windows for at in borders)

    def needs_exact(self, windows: tuple[Window, ...]) -> bool:
        """Return whether its sums are not simply those of one column under one objective."""
        return self.is_composite or self.is_adjusted or self.cuts(windows)

    def leaves(self) -> "Iterable[Plan]":
        """Return the SLOs that are counted for it: itself, or its members' members."""
        if not self.is_composite:
            yield self
        for member in self.members:
            yield from member.plan.leaves()


@lru_cache(maxsize=4096)
def allowed_units(objective: Decimal) -> int:
    """Return 1 − objective in 1e-8, which is exact: objectives have eight decimals."""
    return UNITS - int(objective * UNITS)
