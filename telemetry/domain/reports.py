"""The pre-aggregated form: what one reporter counted for one service, minute by minute.

As with raw events, a report is decoded at once where all of it has the right types; if not, each of
its elements is looked at by itself, so that the valid rest is kept.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from telemetry.domain.batches import UNDECODABLE, Batch, Rejection
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


class _TypedReport(Report):
    covers: list[ReportedCover] = []
    requests: list[ReportedRequests] = []
    freshness: list[ReportedFreshness] = []


Element = TypeVar("Element", ReportedRequests, ReportedFreshness, ReportedCover)
Row = TypeVar("Row")
_typed_decoder = msgspec.json.Decoder(_TypedReport)


@dataclass
class _Reading:
    target: Target
    period: Period
    bounds: tuple[int, ...]
    accepted: int = 0
    rejected: list[Rejection] = field(default_factory=list)
    # A report names few minutes and names, and each many times.
    minutes: dict[datetime | float, int] = field(default_factory=dict)
    printables: set[str] = field(default_factory=set)

    def each(
        self,
        name: str,
        elements: Sequence[Any],
        kind: type[Element],
        read: Callable[[Element], Row],
    ) -> list[Row]:
        rows = []
        for index, element in enumerate(elements):
            try:
                rows.append(read(element if type(element) is kind else convert(element, kind)))
            except WrongField as wrong:
                path = f"{name}[{index}].{wrong.field}".rstrip(".")
                self.rejected.append(Rejection(index, path, wrong.message))
        self.accepted += len(rows)
        return rows

    def requests(self, row: ReportedRequests) -> RequestCount:
        minute = self._minute(row.minute)
        _check_counts(row.count, row.buckets, len(self.bounds) + 1)
        if not 0 <= row.sum_ms <= row.count * MAX_DURATION_MS:
            raise WrongField("sum_ms", "Must lie between 0 and count × 24 hours.")
        key = RequestKey(
            self.target.service_id,
            self._printable(row.endpoint, "endpoint"),
            known_method(row.method),
            row.status,
            minute,
            self.target.own_bounds,
        )
        return RequestCount(key, row.count, row.sum_ms, row.buckets)

    def freshness(self, row: ReportedFreshness) -> FreshnessCount:
        minute = self._minute(row.minute)
        if row.bounds_s != FRESHNESS_BOUNDS_S:
            raise WrongField("bounds_s", f"Must be {list(FRESHNESS_BOUNDS_S)}.")
        _check_counts(row.count, row.buckets, len(FRESHNESS_BOUNDS_S) + 1)
        name = self._printable(row.source, "source")
        key = FreshnessKey(self.target.service_id, name, minute)
        return FreshnessCount(key, row.count, row.buckets)

    def cover(self, row: ReportedCover) -> tuple[int, int]:
        return self.target.service_id, self._minute(row.minute)

    def _minute(self, given: datetime | float) -> int:
        minute = self.minutes.get(given)
        if minute is None:
            minute = self.minutes[given] = _whole_minute(self.period, given)
        return minute

    def _printable(self, name: str, field: str) -> str:
        if name not in self.printables:
            self.printables.add(printable(name, field))
        return name


def decode_report(body: bytes) -> Report | None:
    """Return a report of which every element has the right types; None for anything else."""
    try:
        report = _typed_decoder.decode(body)
    except UNDECODABLE:
        return None
    return report if report.requests or report.freshness or report.covers else None


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
    reading = _Reading(target, period, expected)
    delta = Delta(
        requests=reading.each("requests", report.requests, ReportedRequests, reading.requests),
        freshness=reading.each("freshness", report.freshness, ReportedFreshness, reading.freshness),
        covers=reading.each("covers", report.covers, ReportedCover, reading.cover),
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
