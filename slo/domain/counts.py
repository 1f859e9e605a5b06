"""Counts of good and valid events, and what an objective allows of them."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction


@dataclass(frozen=True)
class Counts:
    """Events of an interval.

    Args:
        good: Events that met the indicator.
        total: All valid events; 0 means *no data* unless minutes were measured.
        measured: Minutes of the interval that were measured, with or without events.
    """

    good: int = 0
    total: int = 0
    measured: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.good + other.good, self.total + other.total, self.measured + other.measured
        )

    @property
    def bad(self) -> int:
        """Events that did not meet the indicator."""
        return self.total - self.good

    @property
    def ratio(self) -> Fraction | None:
        """The SLI: good / total, or None without events."""
        return Fraction(self.good, self.total) if self.total else None


@dataclass(frozen=True)
class Judged:
    """Counts of the part of a window in which one objective was in force."""

    objective: Decimal
    counts: Counts


@dataclass(frozen=True)
class Budget:
    """What the objective allows in a window, and what is left of it.

    Args:
        allowed: Bad events allowed: Σ over versions of (1 − objective) · total.
        bad: Bad events counted.
    """

    allowed: Fraction
    bad: int

    @property
    def remaining(self) -> Fraction | None:
        """1 − bad / allowed: signed, never clamped; None without events."""
        return None if not self.allowed else 1 - self.bad / self.allowed


def allowed_ratio(objective: Decimal) -> Fraction:
    """Return 1 − objective exactly.

    Raises:
        ValueError: If `objective` is not strictly between 0 and 1. 100 % is refused: a budget of
            nothing is spent by the first failure, and every rate of burning it is infinite.
    """
    if not Decimal(0) < objective < Decimal(1):
        raise ValueError(
            "objective must lie strictly between 0 and 1: 100 % leaves no error budget at all"
        )
    return 1 - Fraction(objective)


def error_budget(parts: list[Judged]) -> Budget:
    """Return the budget of a window whose parts were judged by different objectives."""
    allowed = sum(
        (allowed_ratio(part.objective) * part.counts.total for part in parts), Fraction(0)
    )
    return Budget(allowed=allowed, bad=sum(part.counts.bad for part in parts))


def burn_rate(parts: list[Judged]) -> Fraction | None:
    """Return how many times faster than allowed the budget is spent over the window.

    1 spends exactly the whole budget by the end of the SLO's period; 14.4 spends a 30-day budget
    in 50 hours. None when there were no events: no traffic is no data, not health.

    Source:
        Google, *The Site Reliability Workbook*, ch. 5, https://sre.google/workbook/alerting-on-slos/
    """
    budget = error_budget(parts)
    return Fraction(budget.bad) / budget.allowed if budget.allowed else None
