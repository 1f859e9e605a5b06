"""What utilisation means for a service, in the words of `/sre/health`.

The limits are the operations guide's: CPU and memory warn at 80 % and 85 %, a fifth of the
connections stays free, p95 is below 200 ms and warns at 2 s. From 95 % of anything, the next busy
minute is refused or killed.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

__all__ = ["LIMITS", "Verdict", "verdict"]


class Verdict(StrEnum):
    """State of a service's capacity."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


LIMITS: Mapping[str, tuple[float, float]] = {
    "cpu": (0.80, 0.95),
    "memory": (0.85, 0.95),
    "connections": (0.80, 0.95),
    "p95_ms": (200.0, 2000.0),
}
"""Above the first limit degraded, above the second critical: fractions, and ms for `p95_ms`."""


def verdict(figures: Mapping[str, float | None], *, unreadable: Collection[str] = ()) -> Verdict:
    """Return the worst of what the figures say.

    Args:
        figures: By the names of `LIMITS`; None is no data.
        unreadable: Figures that should be there and could not be read.

    Returns:
        UNKNOWN without any figure, and where everything known is well but something is not known:
        no data is not healthy.
    """
    known = {name: value for name, value in figures.items() if value is not None}
    if any(value > LIMITS[name][1] for name, value in known.items()):
        return Verdict.CRITICAL
    if any(value > LIMITS[name][0] for name, value in known.items()):
        return Verdict.DEGRADED
    return Verdict.UNKNOWN if unreadable or not known else Verdict.HEALTHY
