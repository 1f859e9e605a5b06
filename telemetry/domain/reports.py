"""The pre-aggregated form: what one reporter counted for one service, minute by minute."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from telemetry.domain.batches import Batch, Rejection
from telemetry.domain.buckets import FRESHNESS_BOUNDS_S, full_bounds
from telemetry.domain.deltas import Delta, FreshnessCount, FreshnessKey, RequestCount, RequestKey
from telemetry.domain.fields import (
    MAX_DURATION_MS,
    Count,
    Instant,
    Method,
    Name,
    Period,
    Status,
    WrongField,
    convert,
    known_method,
    printable,
)
from telemetry.domain.grouping import Target

REPORT_FIELDS = frozenset({"reporter", "covers", "requests", "freshness", "bounds_ms"})


class Report(msgspec.Struct):
    """The envelope; its elements are read one by one."""

    service: Name
    reporter: Name = "unnamed"
    covers: list[Any] = []
    bounds_ms: list[float] | None = None
    requests: list[Any] = []
    freshness: list[Any] = []


class ReportedRequests(msgspec.Struct):
    """Requests of one endpoint, method, status and minute."""

    endpoint: Name
    status: Status
    minute: Instant | float
    count: Count
    sum_ms: float
    buckets: list[Count]
    method: Method = ""


class ReportedFreshness(msgspec.Struct):
    """Freshness reports of one source and minute."""

    source: Name
    minute: Instant | float
    count: Count
    buckets: list[Count]
    bounds_s: tuple[float, ...] = FRESHNESS_BOUNDS_S


class ReportedCover(msgspec.Struct):
    """A minute through which the reporter was alive."""

    minute: Instant | float


@dataclass
class _Reading:
    target: Target
    period: Period
    accepted: int = 0
    rejected: list[Rejection] = field(default_factory=list)

    def each(self, name: str, elements: Sequence[Any], read: Callable[[Any], Any]) -> list[Any]:
        rows = []
        for index, element in enumerate(elements):
            try:
                rows.append(read(element))
            except WrongField as wrong:
                path = f"{name}[{index}].{wrong.field}".rstrip(".")
                self.rejected.append(Rejection(index, path, wrong.message))
        self.accepted += len(rows)
        return rows

    def requests(self, element: Any) -> RequestCount:
        row = convert(element, ReportedRequests)
        minute = _whole_minute(self.period, row.minute)
        _check_counts(row.count, row.buckets, len(full_bounds(self.target.own_bounds)) + 1)
        if not 0 <= row.sum_ms <= row.count * MAX_DURATION_MS:
            raise WrongField("sum_ms", "Must lie between 0 and count × 24 hours.")
        key = RequestKey(
            self.target.service_id,
            printable(row.endpoint, "endpoint"),
            known_method(row.method),
            row.status,
            minute,
            self.target.own_bounds,
        )
        return RequestCount(key, row.count, row.sum_ms, row.buckets)

    def freshness(self, element: Any) -> FreshnessCount:
        row = convert(element, ReportedFreshness)
        minute = _whole_minute(self.period, row.minute)
        if row.bounds_s != FRESHNESS_BOUNDS_S:
            raise WrongField("bounds_s", f"Must be {list(FRESHNESS_BOUNDS_S)}.")
        _check_counts(row.count, row.buckets, len(FRESHNESS_BOUNDS_S) + 1)
        key = FreshnessKey(self.target.service_id, printable(row.source, "source"), minute)
        return FreshnessCount(key, row.count, row.buckets)

    def cover(self, element: Any) -> tuple[int, int]:
        minute = _whole_minute(self.period, convert(element, ReportedCover).minute)
        return self.target.service_id, minute


def is_report(decoded: Any) -> bool:
    """Return whether a decoded JSON object is the pre-aggregated form, not a single event."""
    return isinstance(decoded, Mapping) and not REPORT_FIELDS.isdisjoint(decoded)


def read_report(report: Report, *, target: Target, period: Period) -> Batch:
    """Return what a report adds; `index` and `field` of a rejection name the list it stood in.

    Raises:
        WrongField: If it was counted over other bounds than the service's.
    """
    expected = full_bounds(target.own_bounds)
    if report.requests and report.bounds_ms is None:
        raise WrongField("bounds_ms", "This field is required with requests.")
    if report.bounds_ms is not None and tuple(report.bounds_ms) != expected:
        raise WrongField("bounds_ms", f"Must be the service's bounds: {list(expected)}.")
    reading = _Reading(target, period)
    delta = Delta(
        requests=reading.each("requests", report.requests, reading.requests),
        freshness=reading.each("freshness", report.freshness, reading.freshness),
        covers=reading.each("covers", report.covers, reading.cover),
    )
    return Batch(delta, reading.accepted, reading.rejected)


def _whole_minute(period: Period, given: Any) -> int:
    minute = period.minute(given, "minute")
    at = given if isinstance(given, float) else given.timestamp()
    if at != minute * 60:
        raise WrongField("minute", "Must be the start of a minute.")
    return minute


def _check_counts(count: int, buckets: Sequence[int], expected: int) -> None:
    if len(buckets) != expected:
        raise WrongField("buckets", f"Must hold {expected} counts, one per bound and one above.")
    if sum(buckets) != count:
        raise WrongField("buckets", f"Add up to {sum(buckets)}, but count is {count}.")
    if count == 0:
        raise WrongField("count", "Must be at least 1; a quiet minute belongs in covers.")
