"""Threshold rules: blunt conditions on one figure, beside the burn rates of objectives.

Their defaults are the operations guide's critical and warning alerts.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction


class Metric(StrEnum):
    """What a rule looks at, per service over the rule's window."""

    AVAILABILITY = "availability"
    ERROR_RATE = "error_rate"
    P95_MS = "p95_ms"
    BREAKERS_OPEN = "breakers_open"
    DATABASE_FAILURES = "database_failures"
    SLOW_QUERIES = "slow_queries"
    CPU = "cpu"
    MEMORY = "memory"


SHARES = frozenset({Metric.AVAILABILITY, Metric.ERROR_RATE, Metric.CPU, Metric.MEMORY})
"""Metrics that are fractions, shown in percent."""

OF_REQUESTS = frozenset({Metric.AVAILABILITY, Metric.ERROR_RATE, Metric.P95_MS})
"""Metrics that need a number of requests before they say anything."""


class Comparison(StrEnum):
    """On which side of its threshold a rule fires. A tie fires neither way."""

    BELOW = "below"
    ABOVE = "above"


class Verdict(StrEnum):
    """What a rule says of one service. UNKNOWN neither fires nor resolves."""

    FIRING = "firing"
    FINE = "fine"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Reading:
    """One figure with what it comes from.

    Args:
        value: The figure; None when nothing was measured.
        events: Requests or calls it was taken over; None where that means nothing.
        subject: What exactly it is about, e.g. the name of a breaker.
    """

    value: Fraction | None
    events: int | None = None
    subject: str = ""


@dataclass(frozen=True)
class Condition:
    """When a rule fires.

    Args:
        comparison: On which side of the threshold.
        threshold: In the metric's own unit: a fraction, milliseconds, a count.
        minimum_events: Fewest events that may fire.
    """

    comparison: Comparison
    threshold: Decimal
    minimum_events: int = 0


def verdict(condition: Condition, reading: Reading) -> Verdict:
    """Return what the condition says of a reading; the comparison is exact.

    Too few events hold a firing verdict back, because three failures at night are no outage; they
    do not hold back a fine one.
    """
    if reading.value is None:
        return Verdict.UNKNOWN
    threshold = Fraction(condition.threshold)
    below = condition.comparison is Comparison.BELOW
    beyond = reading.value < threshold if below else reading.value > threshold
    if not beyond:
        return Verdict.FINE
    too_few = reading.events is not None and reading.events < condition.minimum_events
    return Verdict.UNKNOWN if too_few else Verdict.FIRING


def shown(metric: Metric, value: Fraction | Decimal) -> str:
    """Return a value of the metric with its unit, as people read it."""
    number = float(value)
    if metric in SHARES:
        return f"{number * 100:.4g} %"
    if metric is Metric.P95_MS:
        return f"{number:,.0f} ms"
    return f"{number:,.0f}"
