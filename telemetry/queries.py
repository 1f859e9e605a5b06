"""What others read: counts, coverage, percentiles and which minutes changed."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
from django.db.models import QuerySet, Sum

from catalog.models import Service
from telemetry.domain.buckets import (
    DEFAULT_BOUNDS_MS,
    FRESHNESS_BOUNDS_S,
    fold,
    full_bounds,
    quantile,
)
from telemetry.domain.deltas import add_counts, unpack
from telemetry.models import (
    BreakerMinute,
    CircuitBreakerState,
    CoveredMinute,
    DirtyMinute,
    ImportedLog,
    MetricWriter,
    MinuteCount,
    MinuteFreshness,
    ReceiverMinute,
    Series,
    ServiceTelemetry,
)

if TYPE_CHECKING:
    from accounts.models import User

MinuteState = Literal["measured", "gap"]
QUIET = timedelta(minutes=10)
MINUTE = timedelta(minutes=1)


class MinuteRow(msgspec.Struct, frozen=True, gc=False):
    """Requests of one endpoint, method and status in the minute that begins at `minute`.

    `buckets[i]` counts durations up to and including `bounds_ms[i]` and above the bound before;
    the last count is above all bounds.
    """

    service_id: int
    endpoint: str
    method: str
    status: int
    minute: datetime
    count: int
    sum_ms: float
    buckets: tuple[int, ...]
    bounds_ms: tuple[int, ...]


class FreshnessRow(msgspec.Struct, frozen=True, gc=False):
    """Freshness reports of one source in one minute; buckets over `bounds_s`."""

    service_id: int
    source: str
    minute: datetime
    count: int
    buckets: tuple[int, ...]
    bounds_s: tuple[int, ...]


class BoundsSeen(NamedTuple):
    """What a service's OTLP request durations are counted over where they come from.

    `bounds_ms` is None for exponential histograms, which have borders of their own: no threshold
    lies on one but by chance.
    """

    bounds_ms: tuple[float, ...] | None
    last_seen_at: datetime


class ChangedMinute(NamedTuple):
    """A minute of a service whose counts or coverage changed; pass it back to `clear_dirty`."""

    pk: int
    service_id: int
    minute: datetime
    version: int


def counts(service_ids: Iterable[int], start: datetime, end: datetime) -> list[MinuteRow]:
    """Return the request counts of minutes that begin in [start, end), oldest first."""
    rows = MinuteCount.objects.between(start, end).filter(service_id__in=list(service_ids))
    return [
        MinuteRow(*row[:7], tuple(unpack(bytes(row[7]))), _bounds_ms(row[8]))
        for row in rows.order_by("minute").values_list(
            "service_id",
            "endpoint",
            "method",
            "status",
            "minute",
            "count",
            "sum_ms",
            "buckets",
            "own_bounds_ms",
        )
    ]


def freshness(service_ids: Iterable[int], start: datetime, end: datetime) -> list[FreshnessRow]:
    """Return the freshness reports of minutes that begin in [start, end), oldest first."""
    rows = MinuteFreshness.objects.filter(
        service_id__in=list(service_ids), minute__gte=start, minute__lt=end
    ).order_by("minute")
    return [
        FreshnessRow(*row[:4], tuple(unpack(bytes(row[4]))), FRESHNESS_BOUNDS_S)
        for row in rows.values_list("service_id", "source", "minute", "count", "buckets")
    ]


def minute_state(service_id: int, minutes: Iterable[datetime]) -> dict[datetime, MinuteState]:
    """Return for each minute whether its counts, zero ones included, are to be believed.

    From a service's first covered minute on, its reporters say which minutes were seen. Before
    that, and without reporters, a minute is measured when events came in it, or when some came
    in the ten minutes before and the portal was there to receive. A minute inside an imported
    access log is measured in any case. Anything else is a gap.
    """
    wanted = sorted(set(minutes))
    if not wanted:
        return {}
    logged = logged_minutes(service_id, wanted)
    first, last = wanted[0], wanted[-1] + MINUTE
    known = ServiceTelemetry.objects.filter(pk=service_id).first()
    first_cover_at = known.first_cover_at if known else None
    covered = _minutes(CoveredMinute.objects.filter(service_id=service_id), first, last)
    busy = _minutes(MinuteCount.objects.filter(service_id=service_id), first - QUIET, last)
    busy |= _minutes(MinuteFreshness.objects.filter(service_id=service_id), first - QUIET, last)
    received = _minutes(ReceiverMinute.objects.all(), first, last)

    def is_measured(minute: datetime) -> bool:
        if minute in logged:
            return True
        if first_cover_at is not None and minute >= first_cover_at:
            return minute in covered
        if minute in busy:
            return True
        before = (minute - MINUTE * ago for ago in range(1, 11))
        return minute in received and any(earlier in busy for earlier in before)

    return {minute: "measured" if is_measured(minute) else "gap" for minute in wanted}


def logged_minutes(service_id: int, minutes: Sequence[datetime]) -> set[datetime]:
    """Return those of ascending `minutes` that lie inside an imported access log of the service."""
    if not minutes:
        return set()
    spans = ImportedLog.objects.filter(
        service_id=service_id, first_minute__lte=minutes[-1], last_minute__gte=minutes[0]
    )
    found: set[datetime] = set()
    for first, last in spans.values_list("first_minute", "last_minute"):
        if first is not None and last is not None:
            found.update(minutes[bisect_left(minutes, first) : bisect_right(minutes, last)])
    return found


def dirty_minutes(limit: int) -> list[ChangedMinute]:
    """Return minutes that changed since they were last cleared, the longest waiting first.

    Read these before the counts: a change in between gets another version and stays.
    """
    rows = DirtyMinute.objects.order_by("version", "pk")
    return [
        ChangedMinute(*row)
        for row in rows.values_list("pk", "service_id", "minute", "version")[:limit]
    ]


def clear_dirty(minutes: Iterable[ChangedMinute]) -> int:
    """Forget that these minutes changed, unless they changed again; return how many were."""
    by_version: dict[int, list[int]] = defaultdict(list)
    for changed in minutes:
        by_version[changed.version].append(changed.pk)
    cleared = 0
    for version, pks in by_version.items():
        for start in range(0, len(pks), 500):
            part = pks[start : start + 500]
            cleared += DirtyMinute.objects.filter(version=version, pk__in=part).delete()[0]
    return cleared


def latency_percentiles(
    service_id: int, start: datetime, end: datetime, quantiles: Sequence[float]
) -> dict[float, float] | None:
    """Return estimated durations (ms) by quantile (0.95 → p95), or None without requests.

    Args:
        service_id: Whose requests.
        start: First minute.
        end: Minute that is no longer included.
        quantiles: Shares between 0 and 1.
    """
    return _percentiles(counts([service_id], start, end), quantiles)


def latency_percentiles_by_service(
    service_ids: Iterable[int], start: datetime, end: datetime, quantiles: Sequence[float]
) -> dict[int, dict[float, float]]:
    """Return estimated durations (ms) by service and quantile; services without requests lack.

    One query however many services: for pages and reports that list them all.
    """
    by_service: dict[int, list[MinuteRow]] = defaultdict(list)
    for row in counts(service_ids, start, end):
        by_service[row.service_id].append(row)
    return {
        service_id: estimates
        for service_id, rows in by_service.items()
        if (estimates := _percentiles(rows, quantiles))
    }


def percentile_series(
    service_ids: Iterable[int],
    start: datetime,
    end: datetime,
    step: timedelta,
    quantiles: Sequence[float],
) -> list[tuple[datetime, dict[float, float] | None]]:
    """Return estimated durations (ms) of several services together, per step of [start, end).

    Each entry is the start of its step and the estimates by quantile, None without requests.
    """
    steps: dict[int, list[MinuteRow]] = defaultdict(list)
    for row in counts(service_ids, start, end):
        steps[(row.minute - start) // step].append(row)
    return [
        (start + step * index, _percentiles(steps[index], quantiles))
        for index in range(-((start - end) // step))
    ]


def _percentiles(
    rows: Sequence[MinuteRow], quantiles: Sequence[float]
) -> dict[float, float] | None:
    if not rows:
        return None
    bounds = rows[0].bounds_ms
    if any(row.bounds_ms != bounds for row in rows):
        bounds = DEFAULT_BOUNDS_MS
    total: list[int] = [0] * (len(bounds) + 1)
    for row in rows:
        same = row.bounds_ms == bounds
        total = add_counts(total, row.buckets if same else fold(row.buckets, row.bounds_ms, bounds))
    estimates = {share: quantile(total, bounds, share) for share in quantiles}
    return {share: value for share, value in estimates.items() if value is not None}


def endpoints(service_id: int) -> list[str]:
    """Return the endpoint names of a service, sorted."""
    return list(
        Series.objects.filter(service_id=service_id, kind=Series.Kind.ENDPOINT)
        .order_by("name")
        .values_list("name", flat=True)
    )


def last_event_at(service_id: int) -> datetime | None:
    """Return the start of the newest minute with an event, or None when none ever came."""
    return (
        ServiceTelemetry.objects.filter(pk=service_id)
        .values_list("last_event_at", flat=True)
        .first()
    )


def last_freshness_at(service_id: int, source: str, *, before: datetime) -> datetime | None:
    """Return the start of the newest minute before `before` with a report of `source`, or None."""
    reports = MinuteFreshness.objects.filter(
        service_id=service_id, source=source, minute__lt=before
    )
    return reports.order_by("-minute").values_list("minute", flat=True).first()


def bounds_ms(service_id: int | None) -> tuple[int, ...]:
    """Return the latency bounds (ms) by which a service's requests are counted now."""
    known = ServiceTelemetry.objects.filter(pk=service_id).first()
    return full_bounds(known.own_bounds_ms) if known else DEFAULT_BOUNDS_MS


def bounds_seen(service_id: int, *, since: datetime) -> list[BoundsSeen]:
    """Return the bounds over which a service's requests came in by OTLP since `since`.

    A threshold that is on none of them is not counted exactly: what lies between it and the bound
    before counts as too slow. Empty for a service that sends none, whose counts are exact.
    """
    rows = MetricWriter.objects.filter(service_id=service_id, last_seen_at__gte=since)
    newest: dict[tuple[float, ...] | None, datetime] = {}
    for seen, at in rows.order_by("last_seen_at").values_list("bounds", "last_seen_at"):
        for bounds in seen:
            newest[None if bounds is None else tuple(bounds)] = at
    return [BoundsSeen(bounds, at) for bounds, at in newest.items()]


def _bounds_ms(own: str) -> tuple[int, ...]:
    return full_bounds(int(bound) for bound in own.split(",")) if own else DEFAULT_BOUNDS_MS


def _minutes(rows: QuerySet[Any], start: datetime, end: datetime) -> set[datetime]:
    between = rows.filter(minute__gte=start, minute__lt=end)
    return set(between.values_list("minute", flat=True).distinct())


def breakers(*, now: datetime, user: "User | None" = None) -> list[CircuitBreakerState]:
    """Return every circuit breaker of the processes that reported within the last minute.

    With `user` without those of services that they may not know of; processes also report of
    services that the catalog does not have.
    """
    recent = CircuitBreakerState.objects.filter(reported_at__gte=now - MINUTE)
    if user is not None:
        known = Service.objects.visible_to(user).values("slug")
        recent = recent.exclude(service__in=Service.objects.exclude(slug__in=known).values("slug"))
    return list(recent.order_by("service", "name", "instance"))


def breaker_counts(start: datetime, end: datetime) -> dict[tuple[str, str], tuple[int, int]]:
    """Return (failed, slow) calls in [start, end) by (service slug, breaker name)."""
    rows = BreakerMinute.objects.filter(minute__gte=start, minute__lt=end)
    summed = rows.values_list("service", "name").annotate(Sum("failed"), Sum("slow"))
    return {(service, name): (failed, slow) for service, name, failed, slow in summed}


def request_minutes(service_id: int, start: datetime, end: datetime) -> set[datetime]:
    """Return the minutes of [start, end) in which the service answered requests."""
    return _minutes(MinuteCount.objects.filter(service_id=service_id), start, end)


def report_minutes(service_id: int, source: str, start: datetime, end: datetime) -> set[datetime]:
    """Return the minutes of [start, end) in which the freshness of `source` was reported."""
    return _minutes(
        MinuteFreshness.objects.filter(service_id=service_id, source=source), start, end
    )
