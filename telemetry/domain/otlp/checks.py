"""Checking the points, column by column."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from telemetry.domain.fields import MAX_COUNT, Period
from telemetry.domain.otlp.histograms import UInt64s
from telemetry.domain.otlp.points import Floats, Int64s

__all__ = ["Checks", "NotPlain"]

MAX_BUCKETS = 500
MAX_TOTAL = MAX_COUNT * 1000
_NS = 1_000_000_000


class NotPlain(ValueError):
    """Something does not fit; encoded canonically it may."""


class Checks:
    """Which rows passed so far, and why the others did not.

    Args:
        rows: How many there are.
        where: Returns the path of a row in the request.
        is_canonical: What does not fit is wrong rather than unusually encoded.
    """

    def __init__(self, rows: int, where: Callable[[int], str], *, is_canonical: bool) -> None:
        self.where = where
        self.is_canonical = is_canonical
        self.ok: NDArray[np.bool_] = np.ones(rows, bool)
        self.rejections: list[tuple[int, str, str]] = []
        self.starts: Int64s = np.zeros(0, np.int64)
        self.at: Int64s = self.starts

    def part(self, begin: int, end: int) -> "Checks":
        """Return the checks of some rows, which go on by themselves; no rejections so far."""
        part = Checks(
            end - begin, lambda row: self.where(begin + row), is_canonical=self.is_canonical
        )
        part.ok = self.ok[begin:end]
        part.starts, part.at = self.starts[begin:end], self.at[begin:end]
        return part

    def reject(self, wrong: NDArray[np.bool_], field: str, reason: str) -> None:
        """Refuse the rows marked in `wrong`, unless they are refused already."""
        fresh = wrong & self.ok
        if fresh.any():
            where = f"{self.where(int(fresh.argmax()))}.{field}"
            self.rejections.append((int(fresh.sum()), where, reason))
            self.ok = self.ok & ~fresh

    def reject_row(self, row: int, field: str, reason: str) -> None:
        """Refuse one row."""
        wrong = np.zeros(len(self.ok), bool)
        wrong[row] = True
        self.reject(wrong, field, reason)

    def times(self, starts: UInt64s, at: UInt64s, period: Period) -> None:
        """Take starts and times (ns); refuse those outside of what is accepted."""
        name = "time_unix_nano"
        in_future = at > np.uint64(int(period.latest * _NS))
        self.reject(in_future, name, "Lies more than 5 minutes in the future.")
        days = round((period.now - period.earliest) / 86_400)
        too_old = at < np.uint64(max(int(period.earliest * _NS), 1))
        self.reject(too_old, name, f"Is older than the {days} days that are kept.")
        self.reject(starts > at, "start_time_unix_nano", "Lies after time_unix_nano.")
        self.at = np.where(self.ok, at, 0).astype(np.int64)
        self.starts = np.where(self.ok, starts, 0).astype(np.int64)

    def bounds(self, encoded: bytes) -> Floats:
        """Return the bounds of all rows; refuse them when they do not ascend."""
        if len(encoded) % 8:
            if not self.is_canonical:
                raise NotPlain
            encoded = b""
        bounds = np.frombuffer(encoded, "<f8")
        everyone = np.ones(len(self.ok), bool)
        if not np.isfinite(bounds).all() or (np.diff(bounds) <= 0).any():
            self.reject(everyone, "explicit_bounds", "Must be finite and strictly ascend.")
        if len(bounds) >= MAX_BUCKETS:
            self.reject(everyone, "explicit_bounds", f"At most {MAX_BUCKETS} buckets.")
        return bounds

    def counts(self, counts: UInt64s) -> Int64s:
        """Return the counts of the rows."""
        self.reject(counts > np.uint64(MAX_TOTAL), "count", f"Is larger than {MAX_TOTAL}.")
        return np.where(self.ok, counts, 0).astype(np.int64)

    def cells(self, encoded: NDArray[np.uint8], counts: Int64s, width: int) -> Int64s:
        """Return the counts per bucket; refuse rows that do not fit their bounds or their count.

        Args:
            encoded: The bytes of each row's bucket counts.
            counts: What they must add up to.
            width: How many buckets there are.
        """
        size = encoded.shape[1]
        if width == 1 and not size:
            return counts.reshape(-1, 1)
        if size != width * 8:
            self._not_plain()
            reason = f"Holds {size // 8} counts, but the bounds need {width}."
            self.reject(np.ones(len(self.ok), bool), "bucket_counts", reason)
            return np.zeros((len(self.ok), width), np.int64)
        cells = np.ascontiguousarray(encoded).view("<u8")
        limits = counts.astype(np.uint64)
        wrong: NDArray[np.bool_] = np.asarray((cells > limits[:, None]).any(axis=1))
        safe = np.where(wrong[:, None], np.uint64(0), cells).astype(np.int64)
        wrong |= safe.sum(axis=1) != counts
        if (wrong & self.ok).any():
            self._not_plain()
            self.reject(wrong, "bucket_counts", "Does not add up to count.")
        return safe

    def sums(self, sums: Floats) -> Floats:
        """Return the sums of the rows; refuse what is no number, or negative."""
        self.reject(~np.isfinite(sums) | (sums < 0), "sum", "Must be finite and not negative.")
        return np.where(self.ok, sums, 0.0)

    def _not_plain(self) -> None:
        if not self.is_canonical:
            raise NotPlain
