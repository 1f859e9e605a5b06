"""The figures that threshold rules look at, per service, each read once for all rules.

Higher apps that measure something add a reader in their `AppConfig.ready()`:
`readings.register(Metric.CPU, reader)`.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from catalog.models import Service
from slo.domain.rules import Metric, Reading
from slo.models import ThresholdRule
from telemetry import queries

By_service = dict[int, Reading]
Reader = Callable[[Sequence[Service], datetime, datetime], By_service]
# A breaker is the database's when its name says so: that is all a process tells of it.
DATABASE_NAMES = ("database", "db", "postgres", "mysql", "sql")
_READERS: dict[Metric, Reader] = {}


def register(metric: Metric, reader: Reader) -> None:
    """Have `reader(services, start, end)` answer for `metric`; services without data lack."""
    _READERS[metric] = reader


def read(rule: ThresholdRule, services: Sequence[Service], *, end: datetime) -> By_service:
    """Return the rule's figure of each service over its window that ends at `end`."""
    start = end - timedelta(minutes=rule.window_minutes)
    metric = Metric(rule.metric)
    if metric in {Metric.AVAILABILITY, Metric.ERROR_RATE}:
        return _failures(services, start, end, rule)
    reader = _READERS.get(metric)
    return reader(services, start, end) if reader else {}


def _failures(
    services: Sequence[Service], start: datetime, end: datetime, rule: ThresholdRule
) -> By_service:
    totals: dict[int, int] = defaultdict(int)
    failed: dict[int, int] = defaultdict(int)
    for row in queries.counts([service.pk for service in services], start, end):
        totals[row.service_id] += row.count
        failed[row.service_id] += row.count * (row.status >= rule.error_from)
    is_availability = rule.metric == Metric.AVAILABILITY
    return {
        pk: Reading(Fraction(total - failed[pk] if is_availability else failed[pk], total), total)
        for pk, total in totals.items()
    }


def _p95(services: Sequence[Service], start: datetime, end: datetime) -> By_service:
    estimates = queries.latency_percentiles_by_service(
        [service.pk for service in services], start, end, [0.95]
    )
    counted: dict[int, int] = defaultdict(int)
    for row in queries.counts(list(estimates), start, end):
        counted[row.service_id] += row.count
    return {pk: Reading(Fraction(found[0.95]), counted[pk]) for pk, found in estimates.items()}


def _breakers_open(services: Sequence[Service], _start: datetime, end: datetime) -> By_service:
    open_names: dict[str, set[str]] = defaultdict(set)
    known: set[str] = set()
    # Processes report every few seconds, and the tick comes after the minute's end.
    for row in queries.breakers(now=end):
        known.add(row.service)
        if row.state in {"open", "forced_open"}:
            open_names[row.service].add(row.name)
    return {
        service.pk: Reading(
            Fraction(len(open_names[service.slug])),
            subject=", ".join(sorted(open_names[service.slug])),
        )
        for service in services
        if service.slug in known
    }


def _database_calls(
    services: Sequence[Service], start: datetime, end: datetime, which: int
) -> By_service:
    found: dict[str, int] = {}
    for row in queries.breakers(now=end):
        if _is_database(row.name):
            found.setdefault(row.service, 0)
    for (service, name), counts in queries.breaker_counts(start, end).items():
        if _is_database(name):
            found[service] = found.get(service, 0) + counts[which]
    return {
        service.pk: Reading(Fraction(found[service.slug]))
        for service in services
        if service.slug in found
    }


def _is_database(name: str) -> bool:
    return any(word in name.lower() for word in DATABASE_NAMES)


def _database_failures(services: Sequence[Service], start: datetime, end: datetime) -> By_service:
    return _database_calls(services, start, end, 0)


def _slow_queries(services: Sequence[Service], start: datetime, end: datetime) -> By_service:
    return _database_calls(services, start, end, 1)


register(Metric.P95_MS, _p95)
register(Metric.BREAKERS_OPEN, _breakers_open)
register(Metric.DATABASE_FAILURES, _database_failures)
register(Metric.SLOW_QUERIES, _slow_queries)
