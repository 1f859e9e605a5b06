"""Burn-rate alerts: generated from objective, period and shares; decided with exact arithmetic.

Source: Google, *The Site Reliability Workbook*, ch. 5, multiwindow, multi-burn-rate alerts.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from math import exp, lgamma, log, log1p

from slo.domain.counts import Judged, allowed_ratio, error_budget

REACHABLE = Fraction(9, 10)
SIGNIFICANCE = 0.05


class Urgency(StrEnum):
    """What an alert asks for."""

    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True)
class Share:
    """A part of the budget that must not be spent within `long`."""

    budget_share: Fraction
    long: timedelta
    urgency: Urgency


DEFAULT_SHARES: tuple[Share, ...] = (
    Share(Fraction(2, 100), timedelta(hours=1), Urgency.PAGE),
    Share(Fraction(5, 100), timedelta(hours=6), Urgency.PAGE),
    Share(Fraction(10, 100), timedelta(days=1), Urgency.TICKET),
    Share(Fraction(10, 100), timedelta(days=3), Urgency.TICKET),
)


@dataclass(frozen=True)
class Tier:
    """One long and short window and the burn rate at which both must be.

    Args:
        share: What it guards.
        short: Length of the short window: long / 12.
        threshold: Burn rate, share · period / long.
        note: Why the threshold differs from the formula, or why the tier is off; else empty.
        enabled: False when the threshold can never be reached.
    """

    share: Share
    short: timedelta
    threshold: Fraction
    note: str = ""
    enabled: bool = True


@lru_cache(maxsize=4096)
def tiers_for(
    objective: Decimal, period: timedelta, shares: tuple[Share, ...] = DEFAULT_SHARES
) -> tuple[Tier, ...]:
    """Return the tiers of an objective over `period`, fastest first.

    A threshold above 0.9 / (1 − objective) is switched off: no outage can reach it. One below 1
    is lifted to 1: it would alert while the objective is met.
    """
    ceiling = REACHABLE / allowed_ratio(objective)
    tiers = []
    for share in shares:
        threshold = share.budget_share * Fraction(period / share.long).limit_denominator(10**6)
        short = share.long / 12
        if threshold > ceiling:
            note = f"off: no outage burns {float(threshold):g} times too fast at this objective"
            tiers.append(Tier(share, short, threshold, note, enabled=False))
        elif threshold < 1:
            note = f"lifted from {float(threshold):.3g}: below 1 the objective is still met"
            tiers.append(Tier(share, short, Fraction(1), note))
        else:
            tiers.append(Tier(share, short, threshold))
    return tuple(tiers)


def is_significant(*, bad: int, total: int, bad_ratio: Fraction) -> bool:
    """Return whether `bad` of `total` is too many to be chance if the true share were `bad_ratio`.

    P(at least `bad` of `total`) < 5 % under the binomial distribution. One failure of ten at
    14.4 × 0.1 % has 13.5 % and holds; two have 0.9 % and page.
    """
    if bad <= 0 or bad_ratio >= 1 or bad <= bad_ratio * total:
        return False
    share = float(bad_ratio)
    odds = share / (1 - share)
    term = exp(_log_probability(bad, total, share))
    tail = 0.0
    for count in range(bad, total + 1):
        tail += term
        if tail >= SIGNIFICANCE:
            return False
        fall = (total - count) / (count + 1) * odds
        # Each further term is smaller by at least this factor: together they are a geometric rest.
        if fall < 1 and tail + term * fall / (1 - fall) < SIGNIFICANCE:
            return True
        term *= fall
    return tail < SIGNIFICANCE


def _log_probability(count: int, total: int, share: float) -> float:
    """Return ln P(exactly `count` of `total`) of the binomial distribution."""
    ways = lgamma(total + 1) - lgamma(count + 1) - lgamma(total - count + 1)
    return ways + count * log(share) + (total - count) * log1p(-share)


@dataclass(frozen=True)
class Spending:
    """What a window spent of what it was allowed, and how much evidence there is.

    Args:
        bad: Bad events.
        allowed: Bad events allowed, in the same unit; 0 is no data.
        events: Valid events, for the SLO's minimum.
        trials: Events, or minutes, that may each be bad by chance; 0 leaves out the binomial gate.
        unit: How much of `bad` is one bad trial.
    """

    bad: Fraction
    allowed: Fraction
    events: int
    trials: int
    unit: int = 1

    @property
    def rate(self) -> Fraction | None:
        """The burn rate; None without data."""
        return self.bad / self.allowed if self.allowed else None

    @classmethod
    def of(cls, parts: list[Judged]) -> "Spending":
        """Return the spending of a window that counts events, judged in parts."""
        budget = error_budget(parts)
        total = sum(part.counts.total for part in parts)
        return cls(Fraction(budget.bad), budget.allowed, total, total)


def reaches(tier: Tier, *, long: Spending, short: Spending, minimum_events: int) -> bool:
    """Return whether both windows burn at least as fast as the tier's threshold; a tie counts.

    Args:
        tier: The tier; a switched-off one never holds.
        long: Spending of the long window.
        short: The same for the short window.
        minimum_events: Fewest events in the long window that can decide anything.
    """
    long_rate, short_rate = long.rate, short.rate
    if not tier.enabled or long_rate is None or short_rate is None:
        return False
    if long_rate < tier.threshold or short_rate < tier.threshold:
        return False
    if long.events < minimum_events:
        return False
    if not long.trials:
        return True
    # The share of trials that would be bad at exactly the threshold.
    ratio = tier.threshold * long.allowed / (long.trials * long.unit)
    return is_significant(bad=int(long.bad // long.unit), total=long.trials, bad_ratio=ratio)


def holds(tier: Tier, *, long: list[Judged], short: list[Judged], minimum_events: int = 1) -> bool:
    """Return whether `tier` holds for windows that count events; see `reaches`."""
    return reaches(
        tier, long=Spending.of(long), short=Spending.of(short), minimum_events=minimum_events
    )
