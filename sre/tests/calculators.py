"""An indicator calculator on a clock that tests move."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sre.slo_sli import (
    SliCalculator,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

HOUR = timedelta(hours=1)


class Clock:
    """A wall clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now.timestamp()

    def __call__(self) -> float:
        return self.now


def calculator(**options: Any) -> SliCalculator:
    """Return an empty calculator whose clock stands at noon."""
    return SliCalculator(clock=Clock(), **options)
