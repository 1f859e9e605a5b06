"""Reading an export request: which points are kept, as columns, and why the others are not."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from telemetry.domain.buckets import full_bounds
from telemetry.domain.fields import Period, WrongField
from telemetry.domain.otlp.attributes import attributes_of, http_request
from telemetry.domain.otlp.checks import Checks, NotPlain
from telemetry.domain.otlp.exponential import fold_point
from telemetry.domain.otlp.points import Block, Family, Points
from telemetry.domain.otlp.writers import MAX_STREAMS, Stream, Writer

__all__ = ["HTTP_DURATIONS", "NotPlain", "Reading", "read"]

# Metrics that are request counts, with the milliseconds of their unit when none is given.
HTTP_DURATIONS = {"http.server.request.duration": 1000.0, "http.server.duration": 1.0}
_MS_OF_UNIT = {"s": 1000.0, "ms": 1.0}
_DELTA, _CUMULATIVE = 1, 2
_NO_ROOM = f"This resource has more than {MAX_STREAMS} streams; drop attributes."
MAX_REASONS = 10
WriterOf = Callable[[int, bytes], "Writer | str"]


@dataclass
class Reading:
    """What a request came to.

    Args:
        blocks: The points to store.
        accepted: How many.
        rejected: How many were not kept.
        reasons: The first `MAX_REASONS` kinds of reason, each with where it was first met.
    """

    blocks: list[Block] = field(default_factory=list)
    accepted: int = 0
    rejected: int = 0
    reasons: dict[str, str] = field(default_factory=dict)

    def reject(self, count: int, where: str, reason: str) -> None:
        """Note that points were not kept."""
        self.rejected += count
        if count and len(self.reasons) < MAX_REASONS:
            self.reasons.setdefault(reason, where)

    @property
    def message(self) -> str:
        """What senders are told of the points that were not kept."""
        return " ".join(f"{where}: {reason}" for reason, where in self.reasons.items())

    @property
    def has_deltas(self) -> bool:
        """Whether a repetition of this request would count again."""
        return any(block.is_delta for block in self.blocks)


@dataclass(frozen=True)
class _Metric:
    """One metric as it is met: where it stands, whose it is, and what is known of it."""

    path: str
    writer: Writer
    scope: bytes
    message: Any
    period: Period
    is_canonical: bool

    @property
    def is_http(self) -> bool:
        return self.message.name in HTTP_DURATIONS

    @property
    def ms_of_unit(self) -> float:
        name = self.message.name
        return _MS_OF_UNIT.get(self.message.unit, HTTP_DURATIONS.get(name, 1.0))


def read(request: Any, writer_of: WriterOf, *, period: Period, is_canonical: bool) -> Reading:
    """Return what a request adds.

    Args:
        request: `telemetry.domain.otlp.lean.ExportRequest`.
        writer_of: Finds the writer of a resource by position and bytes, or says why there is none.
        period: Which times are accepted.
        is_canonical: The bytes are the plainest encoding, so that what does not fit is wrong.

    Raises:
        NotPlain: Something does not fit, which may be due to an unusual encoding.
        DecodeError: Attributes are no protobuf.
    """
    reading = Reading()
    for index, resource_metrics in enumerate(request.resource_metrics):
        path = f"resource_metrics[{index}]"
        writer = writer_of(index, resource_metrics.resource)
        for metric_path, scope, message in _metrics(resource_metrics, path):
            if isinstance(writer, str):
                reading.reject(_point_count(message), f"{path}.resource", writer)
            else:
                metric = _Metric(metric_path, writer, scope, message, period, is_canonical)
                _read_metric(metric, reading)
    return reading


def _metrics(resource_metrics: Any, path: str) -> Iterator[tuple[str, bytes, Any]]:
    for position, scope_metrics in enumerate(resource_metrics.scope_metrics):
        for number, message in enumerate(scope_metrics.metrics):
            yield (
                f"{path}.scope_metrics[{position}].metrics[{number}]",
                scope_metrics.scope,
                message,
            )


def _point_count(message: Any) -> int:
    kind = message.WhichOneof("data")
    return len(getattr(message, kind).data_points) if kind else 0


def _read_metric(metric: _Metric, reading: Reading) -> None:
    kind = metric.message.WhichOneof("data")
    if kind is None:
        return
    refusal = _refusal(metric, kind)
    if refusal:
        reading.reject(_point_count(metric.message), f"{metric.path}.{refusal[0]}", refusal[1])
        return
    read_one = {
        "gauge": _read_numbers,
        "sum": _read_numbers,
        "histogram": _read_histogram,
        "exponential_histogram": _read_exponential,
    }[kind]
    points = list(getattr(metric.message, kind).data_points)
    if any(point.flags & 1 for point in points):  # says that there is no value
        points = [point for point in points if not point.flags & 1]
    if points:
        read_one(metric, points, reading)


def _refusal(metric: _Metric, kind: str) -> tuple[str, str] | None:
    message = metric.message
    if not message.name or len(message.name) > 200 or not message.name.isprintable():
        return "name", "Must be 1 to 200 printable characters."
    if kind == "summary":
        return "summary", "Summaries cannot be added up; send a histogram."
    if kind == "gauge":
        return None
    data = getattr(message, kind)
    if data.temporality not in (_DELTA, _CUMULATIVE):
        return f"{kind}.aggregation_temporality", "Must be delta (1) or cumulative (2)."
    if kind == "sum" and not data.is_monotonic and data.temporality == _DELTA:
        return "sum.is_monotonic", "Deltas of a sum that may fall say nothing; send it cumulative."
    if metric.is_http and kind == "sum":
        return "sum", "Must be a histogram of durations."
    return None


def _read_numbers(metric: _Metric, points: Sequence[Any], reading: Reading) -> None:
    message = metric.message
    kind = message.WhichOneof("data")
    checks = _checked_times(metric, kind, points)
    ints = np.array([point.as_int for point in points], np.int64)
    floats = np.array([point.as_double for point in points], np.float64)
    checks.reject(~np.isfinite(floats), "as_double", "Must be a finite number.")
    floats = np.where(checks.ok, floats, 0.0)
    if kind == "sum" and message.sum.is_monotonic:
        is_delta = message.sum.temporality == _DELTA
        checks.reject((ints < 0) | (floats < 0), "value", "A counter must not be negative.")
        too_large = (ints > 9 * 10**15) | (floats > 9e15)
        checks.reject(too_large, "value", "Is larger than 9 × 10^15.")
        ok = checks.ok
        scaled = np.where(ok, ints, 0) * 1000 + np.rint(np.where(ok, floats, 0) * 1000).astype(
            np.int64
        )
        values = _Values(Family.COUNTER, is_delta, scaled.reshape(-1, 1), floats)
        _keep(metric, checks, values, reading)
        return
    none = np.zeros((len(points), 1), np.int64)
    _keep(metric, checks, _Values(Family.GAUGE, True, none, floats + ints), reading)


def _read_histogram(metric: _Metric, points: Sequence[Any], reading: Reading) -> None:
    by_bounds: dict[bytes, list[Any]] = {}
    distinct = {point.explicit_bounds for point in points}
    if len(distinct) == 1:
        by_bounds[distinct.pop()] = list(points)
    else:
        for point in points:
            by_bounds.setdefault(point.explicit_bounds, []).append(point)
    for encoded, alike in by_bounds.items():
        _read_alike(metric, encoded, alike, reading)


def _read_alike(metric: _Metric, encoded: bytes, points: Sequence[Any], reading: Reading) -> None:
    """Read points over the same bounds."""
    checks = _checked_times(metric, "histogram", points)
    bounds = checks.bounds(encoded)
    counts = checks.counts([point.count for point in points])
    cells = checks.cells([point.bucket_counts for point in points], counts, len(bounds) + 1)
    sums = checks.sums([point.sum for point in points])
    is_delta = metric.message.histogram.temporality == _DELTA
    family = Family.REQUESTS if metric.is_http else Family.HISTOGRAM
    unit = metric.ms_of_unit if metric.is_http else 1.0
    edges = tuple(round(float(bound) * unit, 6) for bound in bounds)
    _keep(metric, checks, _Values(family, is_delta, cells, sums * unit, edges), reading)


def _read_exponential(metric: _Metric, points: Sequence[Any], reading: Reading) -> None:
    checks = _checked_times(metric, "exponential_histogram", points)
    counts = checks.counts([point.count for point in points])
    sums = checks.sums([point.sum for point in points])
    is_delta = metric.message.exponential_histogram.temporality == _DELTA
    unit = metric.ms_of_unit if metric.is_http else 1.0
    edges: tuple[float, ...] = full_bounds(metric.writer.own_bounds) if metric.is_http else ()
    cells = np.zeros((len(points), len(edges) + 1), np.int64)
    for row, point in enumerate(points):
        folded = fold_point(point, edges, unit, int(counts[row])) if checks.ok[row] else None
        if isinstance(folded, WrongField):
            checks.reject_row(row, folded.field, folded.message)
        elif folded is not None:
            cells[row] = folded
    family = Family.REQUESTS if metric.is_http else Family.HISTOGRAM
    values = _Values(family, is_delta, cells, sums * unit, edges, is_folded=True)
    _keep(metric, checks, values, reading)


def _checked_times(metric: _Metric, kind: str, points: Sequence[Any]) -> Checks:
    checks = Checks(f"{metric.path}.{kind}.data_points", points, is_canonical=metric.is_canonical)
    checks.times(metric.period)
    return checks


@dataclass(frozen=True)
class _Values:
    """What points of one metric hold, one row each; the rest as in `Block`."""

    family: str
    is_delta: bool
    cells: Any
    sums: Any
    bounds: tuple[float, ...] = ()
    is_folded: bool = False


def _keep(metric: _Metric, checks: Checks, values: _Values, reading: Reading) -> None:
    """Add the rows that passed to the reading, and the others to its rejections."""
    streams = _streams(metric, values.family, values.is_delta, checks)
    for count, where, reason in checks.rejections:
        reading.reject(count, where, reason)
    ok = checks.ok
    if not ok.any():
        return
    points = Points(streams, checks.starts, checks.at, values.cells, values.sums)
    kept = points if ok.all() else points.take(ok)
    reading.accepted += len(kept)
    reading.blocks.append(
        Block(
            metric.writer.pk,
            values.family,
            values.is_delta,
            values.is_folded,
            values.bounds,
            kept,
        )
    )


def _streams(metric: _Metric, family: str, is_delta: bool, checks: Checks) -> Any:
    message = metric.message
    key = (metric.scope, message.name, message.unit, family, is_delta)
    known = metric.writer.by_bytes.setdefault(key, {})
    join = b"".join
    found = [known.get(join(point.attributes)) for point in checks.points]
    # Nearly always every stream is known; a refusal is a sentence, which is no number.
    with contextlib.suppress(TypeError, ValueError):
        return np.array(found, np.int64)
    for row, seen in enumerate(found):
        number = seen
        if number is None and checks.ok[row]:
            found[row] = number = _new_stream(metric, family, is_delta, checks.points[row], known)
        if isinstance(number, str):
            where, _, reason = number.partition(": ")
            checks.reject_row(row, where, reason)
    return np.array([one if isinstance(one, int) else 0 for one in found], np.int64)


def _new_stream(
    metric: _Metric, family: str, is_delta: bool, point: Any, known: dict[bytes, int | str]
) -> int | str:
    """Number a stream met for the first time, or say why it is refused."""
    encoded = b"".join(point.attributes)
    found: int | str | None
    try:
        attributes = attributes_of(point.attributes)
        if family == Family.REQUESTS:
            http_request(dict(attributes))
        scope = metric.scope.hex()[:200]
        stream = Stream(
            family, metric.message.name, scope, is_delta, metric.message.unit, attributes
        )
        found = metric.writer.number(stream)
    except WrongField as wrong:
        found = f"{wrong.field}: {wrong.message}"
    except DecodeError as error:
        raise NotPlain from error
    found = f"attributes: {_NO_ROOM}" if found is None else found
    if isinstance(found, int) or len(known) < MAX_STREAMS:
        known[encoded] = found
    return found
