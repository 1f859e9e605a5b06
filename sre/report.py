"""What a process tells a portal: counts since the report before, minute by minute."""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sre.minute_table import Row
from sre.shards import Key
from sre.slo_sli import Drained

__all__ = ["FreshnessCounts", "Report", "RequestCounts"]


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Requests of one endpoint, method and status in one minute.

    Attributes:
        endpoint: Route pattern.
        method: HTTP method.
        status: HTTP status.
        minute: Start of the minute (aware UTC).
        count: Number of requests.
        sum_ms: Sum of their response times (ms).
        buckets: Requests per response-time bound of the report, the last above all.
    """

    endpoint: str
    method: str
    status: int
    minute: datetime
    count: int
    sum_ms: float
    buckets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FreshnessCounts:
    """Observed ages of one source in one minute.

    Attributes:
        source: What the data is about.
        minute: Start of the minute (aware UTC).
        count: Number of observations.
        bounds_s: Bounds of the buckets (s).
        buckets: Observations per bound, the last above all.
    """

    source: str
    minute: datetime
    count: int
    bounds_s: tuple[float, ...]
    buckets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What a process has counted since the report before.

    Attributes:
        service: Slug of the service.
        reporter: Who reports: host, process and when it began.
        covers: Minutes during which the reporter was alive (aware UTC), also those
            without a request: they are measured, and measured as empty.
        bounds_ms: Bounds of the response-time buckets (ms).
        requests: Growth since the last report.
        freshness: Growth since the last report.
        key: Idempotency key, the same for every attempt to deliver this report.
    """

    service: str
    reporter: str
    covers: tuple[datetime, ...]
    bounds_ms: tuple[float, ...]
    requests: tuple[RequestCounts, ...]
    freshness: tuple[FreshnessCounts, ...]
    key: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(
        cls,
        drained: Drained,
        *,
        service: str,
        reporter: str,
        covers: Iterable[int],
        bounds_ms: tuple[float, ...],
        age_bounds_s: tuple[float, ...],
    ) -> "Report":
        """Return a new report of what a calculator handed out."""
        return cls(
            service=service,
            reporter=reporter,
            covers=tuple(_utc(minute) for minute in covers),
            bounds_ms=bounds_ms,
            requests=tuple(_request_counts(row) for row in drained.requests),
            freshness=tuple(_freshness_counts(row, age_bounds_s) for row in drained.freshness),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as the portal takes it, of plain JSON types."""
        return {
            "service": self.service,
            "reporter": self.reporter,
            "covers": [{"minute": _iso(minute)} for minute in self.covers],
            "bounds_ms": _short(self.bounds_ms),
            "requests": [_request_json(counts) for counts in self.requests],
            "freshness": [_freshness_json(counts) for counts in self.freshness],
        }

    def to_json(self) -> bytes:
        """Return `to_dict` as the body of a request."""
        return json.dumps(self.to_dict(), separators=(",", ":")).encode()


def _request_counts(row: Row[Key]) -> RequestCounts:
    endpoint, method, status = row.key
    return RequestCounts(
        endpoint, method, status, _utc(row.minute), row.count, row.total, row.buckets
    )


def _freshness_counts(row: Row[str], bounds_s: tuple[float, ...]) -> FreshnessCounts:
    return FreshnessCounts(row.key, _utc(row.minute), row.count, bounds_s, row.buckets)


def _request_json(counts: RequestCounts) -> dict[str, Any]:
    return {
        "endpoint": counts.endpoint,
        "method": counts.method,
        "status": counts.status,
        "minute": _iso(counts.minute),
        "count": counts.count,
        "sum_ms": counts.sum_ms,
        "buckets": list(counts.buckets),
    }


def _freshness_json(counts: FreshnessCounts) -> dict[str, Any]:
    return {
        "source": counts.source,
        "minute": _iso(counts.minute),
        "count": counts.count,
        "bounds_s": _short(counts.bounds_s),
        "buckets": list(counts.buckets),
    }


def _utc(minute: int) -> datetime:
    return datetime.fromtimestamp(minute, UTC)


def _iso(minute: datetime) -> str:
    return minute.strftime("%Y-%m-%dT%H:%M:%SZ")


def _short(bounds: tuple[float, ...]) -> list[float]:
    return [int(bound) if bound == int(bound) else bound for bound in bounds]
