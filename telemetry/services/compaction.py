"""Merging the delta log into minute counts: each batch exactly once, whoever dies meanwhile.

One transaction takes some rows out of the log and adds them; a killed compactor leaves both
undone. Only one merges at a time (a transaction-level advisory lock on PostgreSQL, the
write lock on SQLite), so adding is a plain read, add and write.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from math import inf
from typing import Any, NamedTuple

import msgspec
import structlog
from django.db import DataError, IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper

from catalog.models import Service
from core import prepared
from core.bulk import Part, insert_together, select_values
from sre.slo_sli import OTHER_ENDPOINT
from telemetry.domain import deltas
from telemetry.domain.deltas import Delta, FreshnessCount, RequestCount
from telemetry.domain.otlp.points import decode as decode_points
from telemetry.domain.otlp.points import is_points
from telemetry.models import (
    CoveredMinute,
    DirtyMinute,
    MinuteFreshness,
    Series,
    ServiceTelemetry,
    TelemetryDelta,
)
from telemetry.services import metric_merging, minute_rows

log = structlog.get_logger(__name__)

LIMIT = 500
MAX_BYTES = 16 * 1024 * 1024
MAX_SERIES = 500
MAX_ATTEMPTS = 5
_LOCK = 0x7E1E_0001
# Service ids and minute numbers.
Pairs = set[tuple[int, int]]
_ROWS_A_QUERY = 500
# Asked at every turn, by Django at several times the price.
_WAITING = """
    SELECT id, size FROM telemetry_telemetrydelta WHERE quarantined_at IS NULL ORDER BY id LIMIT %s
"""
_SEEN = ", ".join(
    f"""{column} = CASE
        WHEN telemetry_servicetelemetry.{column} IS NULL
          OR EXCLUDED.{column} {newer} telemetry_servicetelemetry.{column}
        THEN EXCLUDED.{column} ELSE telemetry_servicetelemetry.{column} END"""
    for column, newer in {
        "first_event_at": "<",
        "last_event_at": ">",
        "first_cover_at": "<",
    }.items()
)
# Whoever merges meanwhile holds the lock; rows that were merged in the meantime are not there any more.
_TAKE = f"""
    DELETE FROM telemetry_telemetrydelta
    WHERE id = ANY(%s) AND quarantined_at IS NULL AND (SELECT pg_try_advisory_xact_lock({_LOCK}))
    RETURNING id, payload
"""  # noqa: S608 a number of ours
_HOLD_SERVICES = "SELECT id FROM catalog_service WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE"
_IS_DIRTY = "(service_id, minute) DO UPDATE SET version = EXCLUDED.version"
_POISON = (
    msgspec.MsgspecError, DataError, IntegrityError, ValueError, TypeError, LookupError,
    OverflowError,
)  # fmt: skip


def compact(*, now: datetime, limit: int = LIMIT) -> int:
    """Merge the oldest waiting batches into the minute counts.

    Args:
        now: Instant of the run.
        limit: Most batches taken; fewer are when they are large.

    Returns:
        How many batches left the log; 0 when none waits or another compactor is at work.
    """
    return _compact(_waiting(limit).ids, now=now)


def compact_all(*, now: Callable[[], datetime], seconds: float = inf) -> int:
    """Merge until nothing waits, or another compactor is at work, or so many seconds have passed.

    Returns:
        How many batches left the log.
    """
    end, merged = time.monotonic() + seconds, 0
    while True:
        waiting = _waiting(LIMIT)
        taken = _compact(waiting.ids, now=now())
        merged += taken
        if waiting.is_all or not taken or time.monotonic() >= end:
            return merged


def _compact(ids: Sequence[int], *, now: datetime) -> int:
    if not ids:
        return 0
    try:
        return _merge(ids, now=now)
    except _POISON:
        log.warning("compaction_one_by_one", batches=len(ids), exc_info=True)
        return sum(_merge_alone(pk, now=now) for pk in ids)


class _Waiting(NamedTuple):
    """The oldest batches, and whether no other waited then."""

    ids: list[int]
    is_all: bool


def _waiting(limit: int) -> _Waiting:
    ids: list[int] = []
    size = 0
    with connection.cursor() as cursor:
        _execute(cursor, _WAITING, "bigint", limit)
        rows = cursor.fetchall()
    for pk, row_size in rows:
        size += row_size
        if ids and size > MAX_BYTES:
            break
        ids.append(pk)
    return _Waiting(ids, is_all=len(ids) == len(rows) < limit)


@transaction.atomic
def _merge(ids: Sequence[int], *, now: datetime) -> int:
    batches = _taken(ids)
    if not batches:
        return 0
    payloads = list(batches.values())
    blocks = [block for row in payloads if is_points(row) for block in decode_points(row)]
    points = metric_merging.add(blocks, now=now)
    counts = [deltas.decode(row) for row in payloads if not is_points(row)]
    # Points have been added up already.
    merged = deltas.merge([*counts, points.delta]) if counts else points.delta
    _add(merged, points.minutes, version=max(batches), now=now)
    return len(batches)


def _taken(ids: Sequence[int]) -> dict[int, bytes]:
    """Take batches out of the log, until the transaction ends: payloads by id, in their order.

    Nothing is taken while another compactor is at work.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            _execute(cursor, _TAKE, "bigint[]", list(ids))
            found = cursor.fetchall()
        else:
            wanted = {"id": ids}
            rows = select_values(TelemetryDelta, ("id", "payload", "quarantined_at"), wanted)
            found = [(pk, payload) for pk, payload, quarantined_at in rows if not quarantined_at]
            held = ", ".join(["%s"] * len(found))
            cursor.execute(
                f"DELETE FROM telemetry_telemetrydelta WHERE id IN ({held})",  # noqa: S608
                [pk for pk, _ in found],
            )
    return {pk: bytes(payload) for pk, payload in sorted(found, key=lambda row: int(row[0]))}


def _merge_alone(pk: int, *, now: datetime) -> int:
    try:
        return _merge([pk], now=now)
    except _POISON as error:
        _note_failure(pk, error, now=now)
        return 0


@transaction.atomic
def _note_failure(pk: int, error: Exception, *, now: datetime) -> None:
    row = TelemetryDelta.objects.select_for_update().filter(pk=pk).first()
    if row is None:
        return
    row.attempts += 1
    row.error = f"{type(error).__name__}: {error}"[:500].replace("\0", "")
    if row.attempts >= MAX_ATTEMPTS:
        row.quarantined_at = now
        log.error("telemetry_batch_quarantined", batch=pk, error=row.error)
    row.save(update_fields=["attempts", "error", "quarantined_at"])


def _add(delta: Delta, also: Pairs, *, version: int, now: datetime) -> None:
    """Add one merged delta inside the caller's transaction.

    `also` are (service id, minute) pairs that changed otherwise.
    """
    delta, events = _of_existing_services(delta)
    touched = events | set(delta.covers)
    minute_rows.add_requests(_capped(delta, now=now))
    _add_freshness(_capped_freshness(delta, now=now))
    covers = [_of_minute(*pair) for pair in delta.covers]
    dirty = [{**_of_minute(*pair), "version": version} for pair in sorted(touched | also)]
    insert_together(
        [
            Part(CoveredMinute, covers, "DO NOTHING"),
            Part(
                ServiceTelemetry,
                _seen(events, delta.covers),
                f"(service_id) DO UPDATE SET {_SEEN}",
            ),
            Part(DirtyMinute, dirty, _IS_DIRTY),
        ]
    )


def _of_existing_services(delta: Delta) -> tuple[Delta, Pairs]:
    """Return what is about services that exist, and in which of their minutes anything happened."""
    events = _events(delta)
    named = {service_id for service_id, _ in (*events, *delta.covers)}
    existing = _held_services(named)
    if gone := named - existing:
        log.warning("telemetry_of_deleted_services", services=sorted(gone))
        delta = Delta(
            [row for row in delta.requests if row.key.service_id in existing],
            [row for row in delta.freshness if row.key.service_id in existing],
            [cover for cover in delta.covers if cover[0] in existing],
        )
        events = _events(delta)
    return delta, events


def _events(delta: Delta) -> Pairs:
    pairs = {(row.key.service_id, row.key.minute) for row in delta.freshness}
    return pairs | deltas.minutes_of(delta.requests)


def _held_services(named: Collection[int]) -> set[int]:
    """Return those that exist; nobody deletes them before the transaction ends."""
    if connection.vendor != "postgresql":
        # The transaction holds SQLite's only writer's lock.
        return set(Service.objects.filter(pk__in=named).values_list("pk", flat=True))
    with connection.cursor() as cursor:
        _execute(cursor, _HOLD_SERVICES, "bigint[]", list(named))
        return {pk for (pk,) in cursor.fetchall()}


def _execute(cursor: CursorWrapper, sql: str, kind: str, value: Any) -> None:
    """Execute a statement with one value of a PostgreSQL type, planned once where that is possible."""
    if connection.vendor == "postgresql":
        prepared.execute(cursor, sql.replace("%s", "$1"), [kind], [value])
    else:
        cursor.execute(sql, [value])


def _capped(delta: Delta, *, now: datetime) -> list[RequestCount]:
    names = {(row.key.service_id, row.key.endpoint) for row in delta.requests}
    over = _beyond_cap(names, Series.Kind.ENDPOINT, now=now)
    if not over:
        return delta.requests
    for row in delta.requests:
        if (row.key.service_id, row.key.endpoint) in over:
            row.key = row.key._replace(endpoint=OTHER_ENDPOINT)
    return deltas.merge([Delta(requests=delta.requests)]).requests


def _capped_freshness(delta: Delta, *, now: datetime) -> list[FreshnessCount]:
    names = {(row.key.service_id, row.key.source) for row in delta.freshness}
    over = _beyond_cap(names, Series.Kind.SOURCE, now=now)
    if not over:
        return delta.freshness
    for row in delta.freshness:
        if (row.key.service_id, row.key.source) in over:
            row.key = row.key._replace(source=OTHER_ENDPOINT)
    return deltas.merge([Delta(freshness=delta.freshness)]).freshness


def _beyond_cap(
    names: set[tuple[int, str]], kind: Series.Kind, *, now: datetime
) -> set[tuple[int, str]]:
    """Return the (service, name) pairs for which there is no room; the others are noted."""
    if not names:
        return set()
    services = {service_id for service_id, _ in names}
    wanted = {"service_id": services, "kind": [kind.value]}
    known = {(pk, name) for pk, name in select_values(Series, ("service_id", "name"), wanted)}
    if names <= known:
        return set()
    room = {pk: MAX_SERIES - sum(1 for owner, _ in known if owner == pk) for pk in services}
    over: set[tuple[int, str]] = set()
    fresh: list[tuple[int, str]] = []
    for service_id, name in sorted(names - known):
        if name == OTHER_ENDPOINT:
            continue
        if room[service_id] <= 0:
            over.add((service_id, name))
            continue
        room[service_id] -= 1
        fresh.append((service_id, name))
    fresh += sorted({(service_id, OTHER_ENDPOINT) for service_id, _ in over})
    Series.objects.bulk_create(
        [
            Series(service_id=service_id, kind=kind, name=name, first_seen_at=now)
            for service_id, name in fresh
        ],
        ignore_conflicts=True,
        batch_size=_ROWS_A_QUERY,
    )
    return over


def _add_freshness(rows: list[FreshnessCount]) -> None:
    by_key = {
        (row.key.service_id, deltas.minute_start(row.key.minute), row.key.source): row
        for row in rows
    }
    for stored in minute_rows.of_minutes(MinuteFreshness, ((key[0], key[1]) for key in by_key)):
        row = by_key.get((stored.service_id, stored.minute, stored.source))
        if row is not None:
            row.count += stored.count
            row.buckets = deltas.add_counts(row.buckets, deltas.unpack(bytes(stored.buckets)))
    MinuteFreshness.objects.bulk_create(
        [
            MinuteFreshness(
                service_id=service_id,
                minute=minute,
                source=source,
                count=row.count,
                buckets=deltas.pack(row.buckets),
            )
            for (service_id, minute, source), row in by_key.items()
        ],
        update_conflicts=True,
        unique_fields=["service", "minute", "source"],
        update_fields=["count", "buckets"],
        batch_size=_ROWS_A_QUERY,
    )


def _seen(happened: Pairs, covered_minutes: Iterable[tuple[int, int]]) -> list[dict[str, Any]]:
    """Return the first and last minutes of each service."""
    events: dict[int, list[int]] = defaultdict(list)
    covers: dict[int, list[int]] = defaultdict(list)
    for service_id, minute in happened:
        events[service_id].append(minute)
    for service_id, minute in covered_minutes:
        covers[service_id].append(minute)
    return [
        {
            "service_id": pk,
            "own_bounds_ms": [],
            "first_event_at": _instant(min(events[pk], default=None)),
            "last_event_at": _instant(max(events[pk], default=None)),
            "first_cover_at": _instant(min(covers[pk], default=None)),
        }
        for pk in sorted(events.keys() | covers.keys())
    ]


def _instant(minute: int | None) -> datetime | None:
    return None if minute is None else deltas.minute_start(minute)


def _of_minute(service_id: int, minute: int) -> dict[str, Any]:
    return {"service_id": service_id, "minute": deltas.minute_start(minute)}
