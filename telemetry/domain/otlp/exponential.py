"""Exponential histograms, folded onto bounds.

Bucket i holds values above base^i up to and including base^(i + 1), base = 2^(2^-scale).
Source: OpenTelemetry metrics data model, "ExponentialHistogram".
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from telemetry.domain.fields import WrongField
from telemetry.domain.otlp.points import Int64s

__all__ = ["fold_point", "upper_borders"]

_SCALES = range(-10, 21)
_LARGEST_EXPONENT = 1023.0


def upper_borders(scale: int, offset: int, count: int) -> "np.typing.NDArray[np.float64]":
    """Return the upper borders of `count` buckets from `offset` on."""
    exponents = (np.arange(count, dtype=np.float64) + offset + 1) * 2.0**-scale
    return np.exp2(np.clip(exponents, -_LARGEST_EXPONENT, _LARGEST_EXPONENT))


def fold_point(point: Any, bounds: Sequence[float], unit: float, count: int) -> Int64s | WrongField:
    """Return a point's counts over `bounds`, one more at the end for what is above all of them.

    A bucket that spans a bound goes to the upper side of it: slower than it may have been.

    Args:
        point: The message.
        bounds: Ascending.
        unit: Factor from the point's values to the unit of the bounds.
        count: The point's count, which its buckets must add up to.
    """
    if point.scale not in _SCALES:
        return WrongField("scale", "Must lie between -10 and 20.")
    if any(point.negative.bucket_counts):
        return WrongField("negative", "Must hold no counts: values are not negative.")
    given = np.array(list(point.positive.bucket_counts), np.uint64)
    if given.size and int(given.max()) > count:
        return WrongField("positive.bucket_counts", "Does not add up to count.")
    counts = given.astype(np.int64)
    if float(counts.sum(dtype=np.float64)) + point.zero_count != count:
        return WrongField("positive.bucket_counts", "With zero_count, does not add up to count.")
    borders = upper_borders(point.scale, point.positive.offset, len(counts)) * unit
    edges = np.array(bounds, np.float64)
    folded = np.zeros(len(edges) + 1, np.int64)
    np.add.at(folded, np.searchsorted(edges, np.round(borders, 6)), counts)
    threshold = point.zero_threshold
    if not 0 <= threshold < float("inf"):
        return WrongField("zero_threshold", "Must be finite and not negative.")
    folded[int(np.searchsorted(edges, threshold * unit))] += point.zero_count
    return folded
