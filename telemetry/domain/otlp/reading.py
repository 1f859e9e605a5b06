"""Reading an export request: which points are kept, as columns, and why the others are not."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from telemetry.domain.buckets import full_bounds
from telemetry.domain.fields import Period, WrongField
from telemetry.domain.otlp.attributes import attributes_of, http_request
from telemetry.domain.otlp.checks import Checks, NotPlain
from telemetry.domain.otlp.exponential import fold_point
from telemetry.domain.otlp.histograms import HistogramPoints, read_points
from telemetry.domain.otlp.lean import HistogramPoint
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
    histograms = _Histograms()
    for index, resource_metrics in enumerate(request.resource_metrics):
        path = f"resource_metrics[{index}]"
        writer = writer_of(index, resource_metrics.resource)
        for metric_path, scope, message in _metrics(resource_metrics, path):
            if isinstance(writer, str):
                reading.reject(_point_count(message), f"{path}.resource", writer)
            else:
                metric = _Metric(metric_path, writer, scope, message, period, is_canonical)
                _read_metric(metric, histograms, reading)
    _read_histograms(histograms, reading)
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


def _read_metric(metric: _Metric, histograms: "_Histograms", reading: Reading) -> None:
    kind = metric.message.WhichOneof("data")
    if kind is None:
        return
    refusal = _refusal(metric, kind)
    if refusal:
        reading.reject(_point_count(metric.message), f"{metric.path}.{refusal[0]}", refusal[1])
        return
    data_points = getattr(metric.message, kind).data_points
    if kind == "histogram":
        histograms.add(metric, data_points)
        return
    read_one = _read_exponential if kind == "exponential_histogram" else _read_numbers
    # Others say that there is no value.
    points = {row: point for row, point in enumerate(data_points) if not point.flags & 1}
    if points:
        read_one(metric, _Messages(kind, list(points), list(points.values())), reading)


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


@dataclass(frozen=True)
class _Messages:
    """Points of one kind that were decoded, and where each stands in its metric."""

    kind: str
    positions: Sequence[int]
    points: Sequence[Any]

    def column(self, name: str, kind: Any) -> Any:
        """Return a field of all of them."""
        return np.array([getattr(point, name) for point in self.points], kind)

    def checks(self, metric: _Metric) -> Checks:
        """Return checks of these points that have looked at their times."""
        path = f"{metric.path}.{self.kind}.data_points"
        checks = Checks(
            len(self.positions),
            lambda row: f"{path}[{self.positions[row]}]",
            is_canonical=metric.is_canonical,
        )
        checks.times(self.column("start", np.uint64), self.column("time", np.uint64), metric.period)
        return checks

    @property
    def labels(self) -> "_Labels":
        join = b"".join
        keys = [join(point.attributes) for point in self.points]
        return _Labels(self.kind, keys, lambda row: self.points[row].attributes)


@dataclass(frozen=True)
class _Labels:
    """The attributes of points.

    Args:
        kind: Of the points: each has its own way to make keys.
        keys: Bytes for each point that are equal only where attributes are.
        of_row: Returns the encoded attributes of a point.
    """

    kind: str
    keys: Sequence[bytes]
    of_row: Callable[[int], Sequence[bytes]]


def _read_numbers(metric: _Metric, messages: _Messages, reading: Reading) -> None:
    kind = messages.kind
    checks = messages.checks(metric)
    ints = messages.column("as_int", np.int64)
    floats = messages.column("as_double", np.float64)
    checks.reject(~np.isfinite(floats), "as_double", "Must be a finite number.")
    floats = np.where(checks.ok, floats, 0.0)
    if kind == "sum" and metric.message.sum.is_monotonic:
        is_delta = metric.message.sum.temporality == _DELTA
        checks.reject((ints < 0) | (floats < 0), "value", "A counter must not be negative.")
        too_large = (ints > 9 * 10**15) | (floats > 9e15)
        checks.reject(too_large, "value", "Is larger than 9 × 10^15.")
        ok = checks.ok
        scaled = np.where(ok, ints, 0) * 1000 + np.rint(np.where(ok, floats, 0) * 1000).astype(
            np.int64
        )
        values = _Values(Family.COUNTER, is_delta, scaled.reshape(-1, 1), floats)
    else:
        none = np.zeros((len(ints), 1), np.int64)
        values = _Values(Family.GAUGE, True, none, floats + ints)
    _keep(metric, checks, messages.labels, values, reading)


class _Histograms:
    """The histograms of a request, whose points are read together: there are few in each."""

    def __init__(self) -> None:
        self.metrics: list[_Metric] = []
        self.encoded: list[bytes] = []
        # Where the points of each metric begin.
        self.begins: list[int] = []

    def add(self, metric: _Metric, encoded: Iterable[bytes]) -> None:
        """Remember the points of a metric."""
        self.metrics.append(metric)
        self.begins.append(len(self.encoded))
        self.encoded += encoded

    def owners_of(self, positions: Any) -> Any:
        """Return the number of the metric that each position belongs to."""
        return np.searchsorted(self.begins, positions, side="right") - 1

    def where(self, position: int) -> str:
        """Return the path of a point."""
        owner = int(self.owners_of(position))
        path = self.metrics[owner].path
        return f"{path}.histogram.data_points[{position - self.begins[owner]}]"


def _read_histograms(histograms: _Histograms, reading: Reading) -> None:
    try:
        found = read_points(histograms.encoded)
    except DecodeError as error:
        raise NotPlain from error
    for bounds, points in found:
        _read_alike(histograms, bounds, points, reading)


def _read_alike(
    histograms: _Histograms, encoded: bytes, points: HistogramPoints, reading: Reading
) -> None:
    """Read points over the same bounds, of several metrics."""
    owners = histograms.owners_of(points.positions)
    order = np.argsort(owners, kind="stable")
    owners, points = owners[order], points.take(order)
    positions = points.positions.tolist()
    any_metric = histograms.metrics[0]
    checks = Checks(
        len(positions),
        lambda row: histograms.where(positions[row]),
        is_canonical=any_metric.is_canonical,
    )
    checks.times(points.starts, points.times, any_metric.period)
    bounds = checks.bounds(encoded)
    cells = checks.cells(points.cells, checks.counts(points.counts), len(bounds) + 1)
    sums = checks.sums(points.sums)
    for rejection in checks.rejections:
        reading.reject(*rejection)
    edges = np.flatnonzero(np.diff(owners, prepend=-1, append=len(histograms.metrics))).tolist()
    for begin, end in pairwise(edges):
        part = slice(begin, end)
        metric = histograms.metrics[owners[begin]]
        _keep_histogram(
            metric,
            checks.part(begin, end),
            points.attributes[part],
            (bounds, cells[part], sums[part]),
            reading,
        )


def _keep_histogram(
    metric: _Metric,
    checks: Checks,
    keys: Sequence[bytes],
    columns: tuple[Any, Any, Any],
    reading: Reading,
) -> None:
    bounds, cells, sums = columns
    is_delta = metric.message.histogram.temporality == _DELTA
    family = Family.REQUESTS if metric.is_http else Family.HISTOGRAM
    unit = metric.ms_of_unit if metric.is_http else 1.0
    edges = tuple(round(float(bound) * unit, 6) for bound in bounds)
    labels = _Labels("histogram", keys, lambda row: HistogramPoint.FromString(keys[row]).attributes)
    _keep(metric, checks, labels, _Values(family, is_delta, cells, sums * unit, edges), reading)


def _read_exponential(metric: _Metric, messages: _Messages, reading: Reading) -> None:
    points = messages.points
    checks = messages.checks(metric)
    counts = checks.counts(messages.column("count", np.uint64))
    sums = checks.sums(messages.column("sum", np.float64))
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
    _keep(metric, checks, messages.labels, values, reading)


@dataclass(frozen=True)
class _Values:
    """What points of one metric hold, one row each; the rest as in `Block`."""

    family: str
    is_delta: bool
    cells: Any
    sums: Any
    bounds: tuple[float, ...] = ()
    is_folded: bool = False


def _keep(
    metric: _Metric, checks: Checks, labels: _Labels, values: _Values, reading: Reading
) -> None:
    """Add the rows that passed to the reading, and the others to its rejections."""
    streams = _streams(metric, labels, values, checks)
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


def _streams(metric: _Metric, labels: _Labels, values: _Values, checks: Checks) -> Any:
    message = metric.message
    key = (metric.scope, message.name, message.unit, labels.kind, values.family, values.is_delta)
    known = metric.writer.by_bytes.setdefault(key, {})
    found = [known.get(each) for each in labels.keys]
    # Nearly always every stream is known; a refusal is a sentence, which is no number.
    with contextlib.suppress(TypeError, ValueError):
        return np.array(found, np.int64)
    for row, seen in enumerate(found):
        number = known.get(labels.keys[row]) if seen is None else seen
        if number is None and checks.ok[row]:
            number = _new_stream(metric, values, labels.of_row(row))
            if isinstance(number, int) or len(known) < MAX_STREAMS:
                known[labels.keys[row]] = number
        found[row] = number
        if isinstance(number, str):
            where, _, reason = number.partition(": ")
            checks.reject_row(row, where, reason)
    return np.array([one if isinstance(one, int) else 0 for one in found], np.int64)


def _new_stream(metric: _Metric, values: _Values, encoded: Sequence[bytes]) -> int | str:
    """Number a stream met for the first time, or say why it is refused."""
    try:
        attributes = attributes_of(encoded)
        if values.family == Family.REQUESTS:
            http_request(dict(attributes))
    except WrongField as wrong:
        return f"{wrong.field}: {wrong.message}"
    except DecodeError as error:
        raise NotPlain from error
    scope = metric.scope.hex()[:200]
    stream = Stream(
        values.family,
        metric.message.name,
        scope,
        values.is_delta,
        metric.message.unit,
        attributes,
    )
    number = metric.writer.number(stream)
    return f"attributes: {_NO_ROOM}" if number is None else number
