"""Which of the recorded requests an SLI counts, and which of those are good."""

from collections.abc import Sequence
from dataclasses import dataclass

from slo.domain.blocks import Slice


@dataclass(frozen=True)
class RequestRule:
    """How one SLI judges requests.

    Args:
        endpoint: Only this endpoint; empty is all of them.
        error_from: Statuses from here on are errors.
        excluded: Statuses that are not valid events at all.
        threshold_ms: Answered within this is good; None judges by status alone.
        only_successful: With a threshold: errors are no valid events.
    """

    endpoint: str = ""
    error_from: int = 500
    excluded: frozenset[int] = frozenset()
    threshold_ms: int | None = None
    only_successful: bool = False

    def counts(self, endpoint: str, status: int) -> bool:
        """Return whether a request is a valid event of this SLI."""
        if self.endpoint and endpoint != self.endpoint:
            return False
        if status in self.excluded:
            return False
        return not (self.only_successful and status >= self.error_from)

    def good_of(
        self, *, status: int, count: int, buckets: Sequence[int], bounds_ms: Sequence[float]
    ) -> int:
        """Return how many of `count` equal-status requests are good.

        Raises:
            ValueError: If the threshold lies on none of the bounds: the share would be a guess.
        """
        if self.threshold_ms is None:
            return count if status < self.error_from else 0
        if self.threshold_ms not in bounds_ms:
            raise ValueError(f"{self.threshold_ms} ms is not one of the bounds {list(bounds_ms)}")
        within = list(bounds_ms).index(self.threshold_ms) + 1
        return sum(buckets[:within])


def freshness_slice(
    *,
    threshold_s: int,
    bounds_s: Sequence[float],
    buckets: Sequence[int],
    silent_for_s: float | None,
    grace_s: int,
) -> Slice:
    """Return a minute's freshness: reports younger than the threshold are good.

    A minute without reports is empty while the last one is younger than the grace, and one bad
    event after it: data that nobody reports on is not fresh.

    Args:
        threshold_s: Largest age that is fresh; one of the bounds.
        bounds_s: Upper bounds of the age buckets, seconds.
        buckets: Reports per bucket, one more than bounds; empty without reports.
        silent_for_s: Time since the last report at the end of the minute; None: never reported.
        grace_s: Longest silence that is not bad.
    """
    if sum(buckets):
        good = sum(buckets[: list(bounds_s).index(threshold_s) + 1])
        return Slice(good, sum(buckets))
    if silent_for_s is None or silent_for_s <= grace_s:
        return Slice(0, 0)
    return Slice(0, 1)
