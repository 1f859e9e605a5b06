"""The steady state: what a healthy target answers, and how much less is tolerated."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

__all__ = ["Sample", "Tolerance", "is_critical", "judge", "median_ms"]

# So many answers must be in before a share of them means something.
ENOUGH = 5


@dataclass(frozen=True)
class Sample:
    """One probe of the target.

    Attributes:
        at: When it began (s since the epoch).
        ms: How long it took until the answer or the failure.
        status: HTTP status; None when there was no answer.
        resets: Connections that the other side reset, retries included.
    """

    at: float
    ms: float
    status: int | None
    resets: int = 0


@dataclass(frozen=True)
class Tolerance:
    """What is still steady.

    Attributes:
        max_ms: An answer later than this is bad.
        good_share: Least share of good answers.
        critical_share: Below this share the fault is ended at once.
    """

    max_ms: float = 2000.0
    good_share: float = 0.9
    critical_share: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what cannot be kept."""
        if not 1 <= self.max_ms <= 60_000:
            raise ValueError("tolerance max_ms: use 1 to 60000 milliseconds")
        if not 0 <= self.critical_share <= self.good_share <= 1:
            raise ValueError("tolerance: use 0 <= critical_share <= good_share <= 1")

    def is_good(self, sample: Sample) -> bool:
        """Return whether the target answered in time, and not with a failure of its own (5xx)."""
        return sample.status is not None and sample.status < 500 and sample.ms <= self.max_ms


def judge(samples: Sequence[Sample], tolerance: Tolerance) -> dict[str, Any]:
    """Return the entry of `steady_states`; `met` is None without a sample: nobody looked."""
    good = sum(tolerance.is_good(sample) for sample in samples)
    return {
        "met": good >= tolerance.good_share * len(samples) if samples else None,
        "good": good,
        "total": len(samples),
        "median_ms": median_ms(samples),
        "tolerance": {"max_ms": tolerance.max_ms, "good_share": tolerance.good_share},
    }


def is_critical(samples: Sequence[Sample], tolerance: Tolerance) -> bool:
    """Return whether so much is bad that the fault must end now; never on a handful of samples."""
    good = sum(tolerance.is_good(sample) for sample in samples)
    return len(samples) >= ENOUGH and good < tolerance.critical_share * len(samples)


def median_ms(samples: Sequence[Sample]) -> float | None:
    """Return the middle response time of answered probes, None without any."""
    answered = [sample.ms for sample in samples if sample.status is not None]
    return round(median(answered), 3) if answered else None
