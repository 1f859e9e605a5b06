"""Counts per latency bound: how they are cut, folded and read.

A value belongs to the first bound that is not below it (`value <= bound`); one more bucket at the
end holds what is above the last bound. So a set of n bounds has n + 1 counts.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache

from sre.slo_sli import DEFAULT_AGE_BOUNDS_S, DEFAULT_BOUNDS_MS

__all__ = [
    "DEFAULT_BOUNDS_MS",
    "FRESHNESS_BOUNDS_S",
    "count_by_bound",
    "fold",
    "full_bounds",
    "own_bounds",
    "quantile",
]

FRESHNESS_BOUNDS_S = DEFAULT_AGE_BOUNDS_S
MAX_OWN_BOUNDS = 10
MAX_BOUND_MS = 3_600_000


def full_bounds(own: Iterable[int]) -> tuple[int, ...]:
    """Return the default latency bounds refined by a service's own ones, ascending (ms)."""
    return _full_bounds(tuple(own))


@lru_cache(maxsize=1024)
def _full_bounds(own: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({*DEFAULT_BOUNDS_MS, *own}))


def own_bounds(values: Iterable[int]) -> tuple[int, ...]:
    """Return the bounds that a service adds, ascending and without the default ones.

    Raises:
        ValueError: If there are more than `MAX_OWN_BOUNDS`, or one is outside 1 … `MAX_BOUND_MS`.
    """
    own = tuple(sorted(set(values) - set(DEFAULT_BOUNDS_MS)))
    if len(own) > MAX_OWN_BOUNDS:
        raise ValueError(f"At most {MAX_OWN_BOUNDS} bounds of its own.")
    if any(not 1 <= bound <= MAX_BOUND_MS for bound in own):
        raise ValueError(f"Bounds are whole milliseconds from 1 to {MAX_BOUND_MS}.")
    return own


def count_by_bound(values: Iterable[float], bounds: Sequence[int]) -> list[int]:
    """Return how many values fall to each bound, and above the last one."""
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[bisect_left(bounds, value)] += 1
    return counts


def fold(counts: Sequence[int], bounds: Sequence[int], coarser: Sequence[int]) -> list[int]:
    """Return the same counts over fewer bounds; exact, as `coarser` is a subset of `bounds`."""
    folded = [0] * (len(coarser) + 1)
    for index, count in enumerate(counts):
        position = bisect_left(coarser, bounds[index]) if index < len(bounds) else len(coarser)
        folded[position] += count
    return folded


def quantile(counts: Sequence[int], bounds: Sequence[int], share: float) -> float | None:
    """Estimate the value below which `share` of the counted values lie.

    Interpolated within the bucket, so only an estimate; values above the last bound are reported
    as that bound, because how far above is not known.

    Returns:
        The estimate in the unit of `bounds`, or None when nothing was counted.
    """
    total = sum(counts)
    if total == 0:
        return None
    rank = share * total
    below = 0
    lower = 0.0
    for bound, count in zip(bounds, counts, strict=False):
        if count and below + count >= rank:
            return lower + (bound - lower) * max(rank - below, 0) / count
        below += count
        lower = float(bound)
    return float(bounds[-1])
