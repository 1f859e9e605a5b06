"""Objectives judged the slow way: every minute looked at by itself, in plain whole numbers.

Nothing of the engine is used but its names, so that agreeing with it means something.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from math import exp, log, log1p

from slo.domain.blocks import Slice
from slo.domain.plans import Method
from slo.domain.state import State

MINUTE = timedelta(minutes=1)
# Budget share, long and short window in minutes, whether it pages.
TIERS = (
    (Fraction(2, 100), 60, 5, True),
    (Fraction(5, 100), 360, 30, True),
    (Fraction(10, 100), 1440, 120, False),
    (Fraction(10, 100), 4320, 360, False),
)


@dataclass(frozen=True)
class Seen:
    """What lies in one window.

    Args:
        good: In the unit of the method.
        total: In the same unit.
        measured: Minutes.
        expected: Minutes.
        allowed: In the same unit.
        events: Valid events.
        trials: What may be bad by chance.
    """

    good: int
    total: int
    measured: int
    expected: int
    allowed: Fraction
    events: int
    trials: int

    @property
    def burn(self) -> Fraction | None:
        """Bad by allowed."""
        return (self.total - self.good) / self.allowed if self.allowed else None

    @property
    def is_covered(self) -> bool:
        """At least nine of ten expected minutes were measured."""
        return self.expected > 0 and 10 * min(self.measured, self.expected) >= 9 * self.expected


def objective_for(minute: datetime, versions: Sequence[tuple[Fraction, datetime]]) -> Fraction:
    """Return the objective in force when `minute` began; the first holds before it was made, too."""
    held = [objective for objective, since in versions if since <= minute]
    return held[-1] if held else versions[0][0]


def counted(value: Slice, method: Method, target: Fraction) -> tuple[int, int, int]:
    """Return one minute's good and total in the method's unit, and how many trials it is."""
    if method is Method.OCCURRENCES:
        return value.good, value.total, value.total
    if not value.total:
        return 0, 0, 0
    if method is Method.TIME_SLICES:
        return int(Fraction(value.good, value.total) >= target), 1, 1
    return value.good * 10**6 // value.total, 10**6, 1


def look(
    history: Mapping[datetime, Slice],
    start: datetime,
    end: datetime,
    *,
    versions: Sequence[tuple[Fraction, datetime]],
    method: Method,
    target: Fraction,
    since: datetime | None,
) -> Seen:
    """Return what lies in [start, end), minute by minute."""
    good = total = measured = events = trials = 0
    allowed = Fraction(0)
    for minute, value in history.items():
        if not start <= minute < end:
            continue
        more_good, more, tried = counted(value, method, target)
        good, total, trials = good + more_good, total + more, trials + tried
        measured, events = measured + value.measured, events + value.total
        allowed += (1 - objective_for(minute, versions)) * more
    expected = max(0, (end - max(start, since)) // MINUTE) if since else 0
    return Seen(good, total, measured, expected, allowed, events, trials)


@lru_cache
def thresholds(objective: Fraction, days: int) -> tuple[Fraction | None, ...]:
    """Return the burn rate of each tier, at least 1; None where no outage burns so fast."""
    plain = [share * days * 1440 / minutes for share, minutes, _, _ in TIERS]
    ceiling = Fraction(9, 10) / (1 - objective)
    return tuple(None if rate > ceiling else max(rate, Fraction(1)) for rate in plain)


def is_chance(bad: int, trials: int, ratio: Fraction) -> bool:
    """Return whether `bad` or more of `trials` has a chance of 5 % or more at this true ratio."""
    if ratio >= 1 or bad <= ratio * trials:
        return True
    odds = float(ratio) / (1 - float(ratio))
    probability = trials * log1p(-float(ratio))
    below = 0.0
    for count in range(bad):
        below += exp(probability)
        probability += log((trials - count) / (count + 1) * odds)
    return 1 - below >= 0.05


def tier_of(
    windows: Mapping[int, Seen], *, objective: Fraction, days: int, minimum: int, unit: int = 1
) -> tuple[int, bool]:
    """Return the number of the fastest tier that holds, 0 for none, and whether that is frozen.

    Args:
        windows: By length in minutes.
        objective: In force at the end.
        days: Of the SLO's own window.
        minimum: Fewest events in the long window.
        unit: How much of a total is one trial.
    """
    frozen = False
    rates = thresholds(objective, days)
    for number, (threshold, tier) in enumerate(zip(rates, TIERS, strict=True), 1):
        long, short = windows[tier[1]], windows[tier[2]]
        if not all(w.total and w.is_covered for w in (long, short)):
            frozen = True
            continue
        if threshold is None or long.events < minimum:
            continue
        # Where nothing is bad, nothing burns; most minutes of a month are so.
        if long.good == long.total or short.good == short.total:
            continue
        if any(w.total - w.good < threshold * w.allowed for w in (short, long)):
            continue
        ratio = threshold * long.allowed / (long.trials * unit)
        if not is_chance((long.total - long.good) // unit, long.trials, ratio):
            return number, False
    return 0, frozen


def state_after(before: State, own: Seen, tier: int) -> State:
    """Return the state by the standard policy."""
    burn = own.burn
    if burn is None or not own.is_covered:
        return State.NO_DATA
    left = 1 - burn
    if left <= 0:
        return State.EXHAUSTED
    if (tier and TIERS[tier - 1][3]) or left < Fraction(1, 4):
        return State.AT_RISK
    if before in {State.AT_RISK, State.EXHAUSTED} and left < Fraction(3, 10):
        return State.AT_RISK
    return State.HEALTHY
