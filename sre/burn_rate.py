"""Error budgets and burn rates in exact arithmetic.

Nothing here rounds: counts are integers, objectives and thresholds become
`fractions.Fraction`, and comparisons multiply out instead of dividing. A tie at
a threshold is therefore decided the same way every time. Convert to `float`
only to show a figure to somebody.

    >>> budget = error_budget(good=999_000, total=1_000_000, objective=Decimal("0.999"))
    >>> budget.allowed, budget.remaining
    (Fraction(1000, 1), Fraction(0, 1))
    >>> float(burn_rate(good=9_856, total=10_000, objective=0.999))
    14.4

Source: Google, *The Site Reliability Workbook*, ch. 5 "Alerting on SLOs",
https://sre.google/workbook/alerting-on-slos/
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

__all__ = [
    "REACHABLE_SHARE",
    "SHORT_WINDOW_DIVISOR",
    "ErrorBudget",
    "Number",
    "burn_rate",
    "burns_at_least",
    "detection_time",
    "error_budget",
    "exact",
    "highest_burn_rate",
    "is_reachable",
    "objective_fraction",
    "short_window_for",
    "threshold_for",
]

Number = int | float | Decimal | Fraction

SHORT_WINDOW_DIVISOR = 12
"""The short window of an alert pair is this part of the long one (Workbook, ch. 5)."""

REACHABLE_SHARE = Fraction(9, 10)
"""A threshold above this share of the highest possible burn rate hardly ever fires."""


def exact(number: Number) -> Fraction:
    """Return `number` as the decimal a person would read.

    A float is taken at its shortest decimal spelling: `exact(0.999)` is
    999/1000 and not the binary fraction 0.99899999999999999911….

    Raises:
        TypeError: If `number` is a bool or no number.
        ValueError: If it is not finite.
    """
    if isinstance(number, bool) or not isinstance(number, int | float | Decimal | Fraction):
        raise TypeError(f"expected int, float, Decimal or Fraction, not {type(number).__name__}")
    if isinstance(number, float):
        number = Decimal(str(number))
    if isinstance(number, Decimal) and not number.is_finite():
        raise ValueError(f"expected a finite number, not {number}")
    return Fraction(number)


def objective_fraction(objective: Number) -> Fraction:
    """Return the objective exactly, strictly between 0 and 1.

    Raises:
        ValueError: If it is outside (0, 1). An objective of 100 % leaves no
            budget, so no burn rate exists; write 0.999 for 99.9 %.
    """
    target = exact(objective)
    if not 0 < target < 1:
        raise ValueError(f"objective must lie strictly between 0 and 1, not {objective}")
    return target


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """How many bad events a window allows and how many it has had.

    Budgets of consecutive stretches add up, also when their objectives differ:
    an SLO whose target changed half way has the sum of both stretches' budgets.

    Attributes:
        allowed: Bad events the objective tolerates (exact, may be fractional).
        bad: Bad events that happened (count).
    """

    allowed: Fraction
    bad: int

    @property
    def remaining(self) -> Fraction:
        """Bad events still affordable; negative once overspent, never clamped."""
        return self.allowed - self.bad

    @property
    def remaining_share(self) -> Fraction | None:
        """`remaining` as a fraction of `allowed` (1 = untouched, -4 = spent five times).

        None when nothing is allowed, because nothing was measured.
        """
        if not self.allowed:
            return None
        return self.remaining / self.allowed

    def __add__(self, other: "ErrorBudget") -> "ErrorBudget":
        """Return the budget of both stretches together."""
        return ErrorBudget(self.allowed + other.allowed, self.bad + other.bad)


def error_budget(*, good: int, total: int, objective: Number) -> ErrorBudget:
    """Return the budget of a window with `total` events, `good` of them good.

    Args:
        good: Events that met the indicator (count).
        total: All valid events (count). 0 gives a budget of nothing.
        objective: Target fraction of good events, strictly between 0 and 1.

    Raises:
        ValueError: If the objective or the counts are impossible.
    """
    target = objective_fraction(objective)
    _check_counts(good, total)
    return ErrorBudget(allowed=(1 - target) * total, bad=total - good)


def burn_rate(*, good: int, total: int, objective: Number) -> Fraction | None:
    """Return how many times faster than allowed the error budget is spent.

    A rate of 1 spends exactly the whole budget by the end of the SLO window;
    14.4 spends a 30-day budget in about two days (50 h).

    Args:
        good: Events that met the indicator in the window (count).
        total: All valid events in the same window (count).
        objective: Target fraction of good events, strictly between 0 and 1.

    Returns:
        Observed error ratio / allowed error ratio (exact, dimensionless), or
        None when `total` is 0: no traffic is *no data*, not the same as healthy.

    Raises:
        ValueError: If `objective` is outside (0, 1), or the counts do not
            satisfy 0 <= good <= total.
    """
    target = objective_fraction(objective)
    _check_counts(good, total)
    if total == 0:
        return None
    return Fraction(total - good, total) / (1 - target)


def burns_at_least(threshold: Number, *, good: int, total: int, objective: Number) -> bool | None:
    """Say whether the burn rate reaches `threshold`; a tie counts as reached.

    Returns:
        None when `total` is 0, since an empty window neither fires nor clears.
    """
    rate = burn_rate(good=good, total=total, objective=objective)
    return None if rate is None else rate >= exact(threshold)


def threshold_for(*, budget_share: Number, long_window: timedelta, period: timedelta) -> Fraction:
    """Return the burn rate that spends `budget_share` of the budget in `long_window`.

    2 % in 1 h of a 30-day period is 14.4; 5 % in 6 h is 6; 10 % in 3 d is 1.

    Args:
        budget_share: Fraction of the whole budget, in (0, 1].
        long_window: The long window of the alert pair.
        period: The window of the SLO.

    Raises:
        ValueError: If the share is outside (0, 1] or not 0 < long_window <= period.
    """
    share = exact(budget_share)
    if not 0 < share <= 1:
        raise ValueError(f"budget_share must lie in (0, 1], not {budget_share}")
    if not timedelta(0) < long_window <= period:
        raise ValueError("long_window must be positive and no longer than period")
    return share * _ratio(period, long_window)


def short_window_for(long_window: timedelta) -> timedelta:
    """Return the short window that lets an alert clear soon after the trouble ends."""
    return long_window / SHORT_WINDOW_DIVISOR


def highest_burn_rate(objective: Number) -> Fraction:
    """Return the burn rate of a complete outage, 1 / (1 - objective)."""
    return 1 / (1 - objective_fraction(objective))


def is_reachable(threshold: Number, objective: Number) -> bool:
    """Say whether an alert at `threshold` can fire before nearly everything is down.

    14.4 on a 90 % objective cannot: a complete outage burns at 10.
    """
    return exact(threshold) <= REACHABLE_SHARE * highest_burn_rate(objective)


def detection_time(
    *, error_ratio: Number, threshold: Number, objective: Number, long_window: timedelta
) -> timedelta | None:
    """Return how long a steady error ratio lasts before the long window trips.

    A complete outage of a 99.9 % service trips 14.4 over 1 h after 51.84 s.

    Args:
        error_ratio: Fraction of events that fail from now on, in [0, 1].
        threshold: Burn rate at which the alert fires.
        objective: Target fraction of good events, strictly between 0 and 1.
        long_window: The window over which the burn rate is averaged.

    Returns:
        None when so small an error ratio never reaches the threshold.

    Raises:
        ValueError: If `error_ratio` is outside [0, 1].
    """
    errors = exact(error_ratio)
    if not 0 <= errors <= 1:
        raise ValueError(f"error_ratio must lie in [0, 1], not {error_ratio}")
    needed = exact(threshold) * (1 - objective_fraction(objective))
    if errors < needed or not errors:
        return None
    return timedelta(microseconds=round(needed / errors * _microseconds(long_window)))


def _check_counts(good: int, total: int) -> None:
    if not 0 <= good <= total:
        raise ValueError(f"counts must satisfy 0 <= good <= total, not good={good} total={total}")


def _ratio(numerator: timedelta, denominator: timedelta) -> Fraction:
    return Fraction(_microseconds(numerator), _microseconds(denominator))


def _microseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)
