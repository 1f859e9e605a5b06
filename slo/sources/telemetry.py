"""SLIs measured from the portal's own telemetry."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from slo.domain.blocks import GAP, Slice
from slo.domain.request_slis import RequestRule, freshness_slice
from slo.models import Sli
from telemetry import queries
from telemetry.domain.buckets import FRESHNESS_BOUNDS_S
from telemetry.services import compaction

log = structlog.get_logger(__name__)

MINUTE = timedelta(minutes=1)
MANY = 5_000
Minutes = Sequence[datetime]
Row = TypeVar("Row", queries.MinuteRow, queries.FreshnessRow)


def collect(*, now: datetime) -> None:
    """Bring everything that was acknowledged so far into the minute counts."""
    compaction.compact(now=now)


def measure(slis: Sequence[Sli], minutes: Minutes) -> dict[datetime, dict[int, Slice]]:
    """Return the slice of every SLI and minute; a minute nobody watched is a gap.

    Args:
        slis: With their service loaded.
        minutes: Starts of minutes, not necessarily adjacent.
    """
    found: dict[datetime, dict[int, Slice]] = {minute: {} for minute in minutes}
    by_service: dict[int, list[Sli]] = defaultdict(list)
    for sli in slis:
        by_service[sli.service_id].append(sli)
    start, end = min(minutes), max(minutes) + MINUTE
    requests = _by_service_minute(queries.counts(list(by_service), start, end))
    freshness = _by_service_minute(queries.freshness(list(by_service), start, end))
    for service_id, members in by_service.items():
        states = queries.minute_state(service_id, minutes)
        for minute in minutes:
            for sli in members:
                if states[minute] == "gap":
                    found[minute][sli.slot] = GAP
                elif sli.kind == Sli.Kind.FRESHNESS:
                    rows = freshness[service_id, minute]
                    found[minute][sli.slot] = _freshness(sli, minute, rows)
                else:
                    found[minute][sli.slot] = _requests(sli, requests[service_id, minute])
    return found


def changed_minutes(*, until: datetime) -> list[queries.ChangedMinute]:
    """Return the minutes up to `until` whose counts changed; read them before measuring."""
    return [changed for changed in queries.dirty_minutes(MANY) if changed.minute <= until]


def forget_changes(changed: Sequence[queries.ChangedMinute]) -> None:
    """Mark changes as measured, but for minutes that changed again meanwhile."""
    queries.clear_dirty(changed)


def _by_service_minute(
    rows: Sequence[Row],
) -> dict[tuple[int, datetime], list[Row]]:
    grouped: dict[tuple[int, datetime], list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.service_id, row.minute].append(row)
    return grouped


def rule_of(sli: Sli) -> RequestRule:
    """Return the pure rule behind an availability, success or latency SLI."""
    return RequestRule(
        endpoint=sli.endpoint,
        error_from=sli.error_from,
        excluded=frozenset(sli.excluded_statuses),
        threshold_ms=sli.threshold_ms if sli.kind == Sli.Kind.LATENCY else None,
        only_successful=sli.only_successful and sli.kind == Sli.Kind.LATENCY,
    )


def _requests(sli: Sli, rows: Sequence[queries.MinuteRow]) -> Slice:
    rule = rule_of(sli)
    valid = [row for row in rows if rule.counts(row.endpoint, row.status)]
    good = sum(
        rule.good_of(
            status=row.status, count=row.count, buckets=row.buckets, bounds_ms=row.bounds_ms
        )
        for row in valid
    )
    return Slice(good, sum(row.count for row in valid))


def _freshness(sli: Sli, minute: datetime, rows: Sequence[queries.FreshnessRow]) -> Slice:
    mine = [row for row in rows if row.source == sli.freshness_source]
    silent_for = None
    if not mine:
        last = queries.last_freshness_at(sli.service_id, sli.freshness_source, before=minute)
        silent_for = (minute - last).total_seconds() if last else None
    return freshness_slice(
        threshold_s=sli.threshold_s or 0,
        bounds_s=FRESHNESS_BOUNDS_S,
        buckets=[sum(column) for column in zip(*(row.buckets for row in mine), strict=True)],
        silent_for_s=silent_for,
        grace_s=sli.silence_grace_s,
    )
