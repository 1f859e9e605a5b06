"""CPU and memory for threshold rules, from what AWS said."""

from collections.abc import Callable, Sequence
from datetime import datetime
from fractions import Fraction

from capacity.models import CapacityReport
from capacity.queries import recent_readings
from catalog.models import Service
from slo.domain.rules import Metric, Reading
from slo.services import readings

__all__ = ["register"]

# Utilisation in millionths, so that 80 % on the wire is exactly 80 %.
STEPS = 1_000_000


def register() -> None:
    """Answer for CPU and memory."""
    readings.register(Metric.CPU, cpu)
    readings.register(Metric.MEMORY, memory)


def cpu(services: Sequence[Service], start: datetime, end: datetime) -> dict[int, Reading]:
    """Return the average CPU of each service that AWS told of."""
    return _averages(services, start, end, lambda report: report.cpu_recent)


def memory(services: Sequence[Service], start: datetime, end: datetime) -> dict[int, Reading]:
    """Return the average memory of each service that AWS told of."""
    return _averages(services, start, end, lambda report: report.memory_recent)


def _averages(
    services: Sequence[Service],
    start: datetime,
    end: datetime,
    figure: Callable[[CapacityReport], float | None],
) -> dict[int, Reading]:
    """Average the readings of a window: each tells of the five minutes before it."""
    averages = {}
    for pk, reports in recent_readings(services, start, end).items():
        values = [value for report in reports if (value := figure(report)) is not None]
        if values:
            exact = [Fraction(value).limit_denominator(STEPS) for value in values]
            averages[pk] = Reading(sum(exact, Fraction()) / len(exact))
    return averages
