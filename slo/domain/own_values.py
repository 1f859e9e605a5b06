"""Minutes of the portal's own telemetry that are good or bad as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from slo.domain.blocks import Slice
from slo.domain.pulled import compare
from slo.domain.request_slis import RequestRule
from telemetry.domain.buckets import DEFAULT_BOUNDS_MS, fold, quantile
from telemetry.domain.deltas import add_counts

__all__ = ["Condition", "RequestRow", "value_of", "value_slice"]

QUANTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


class RequestRow(Protocol):
    """Requests of one endpoint and status in the minute."""

    @property
    def endpoint(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def count(self) -> int: ...
    @property
    def buckets(self) -> tuple[int, ...]: ...
    @property
    def bounds_ms(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class Condition:
    """What the value is compared with: `value comparison threshold` is good."""

    value: str
    comparison: str
    threshold: Fraction


def value_slice(rows: Sequence[RequestRow], rule: RequestRule, condition: Condition) -> Slice:
    """Return one minute, good when its value meets the condition.

    A minute without requests has no percentile and no ratio, so it counts for nothing; as a number
    of requests it is compared as 0.
    """
    value = value_of(rows, rule, condition.value)
    if value is None:
        return Slice()
    return Slice(int(compare(value, condition.comparison, condition.threshold)), 1)


def value_of(rows: Sequence[RequestRow], rule: RequestRule, name: str) -> Fraction | None:
    """Return a value of the requests that a rule counts, None when there is none.

    Args:
        rows: Requests of one minute.
        rule: Which of them count, and which of those are errors.
        name: p50_ms, p95_ms, p99_ms (estimates), requests or error_ratio.
    """
    valid = [row for row in rows if rule.counts(row.endpoint, row.status)]
    requests = sum(row.count for row in valid)
    if name == "requests":
        return Fraction(requests)
    if not requests:
        return None
    if name == "error_ratio":
        errors = sum(row.count for row in valid if row.status >= rule.error_from)
        return Fraction(errors, requests)
    estimate = _quantile(valid, QUANTILES[name])
    return None if estimate is None else Fraction(estimate)


def _quantile(rows: Sequence[RequestRow], share: float) -> float | None:
    bounds = rows[0].bounds_ms
    if any(row.bounds_ms != bounds for row in rows):
        bounds = DEFAULT_BOUNDS_MS
    total: list[int] = [0] * (len(bounds) + 1)
    for row in rows:
        same = row.bounds_ms == bounds
        total = add_counts(total, row.buckets if same else fold(row.buckets, row.bounds_ms, bounds))
    return quantile(total, bounds, share)
