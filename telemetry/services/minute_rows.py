"""Adding to the minutes of requests, all rows of a merge at once.

On PostgreSQL new rows are copied into the table, as nobody else adds any meanwhile, and those that
were there are copied beside it and taken over by one statement: a tenth of what building and upserting
a model for each costs.
"""

import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection
from django.db.models import QuerySet

from telemetry.domain import deltas
from telemetry.domain.deltas import RequestCount
from telemetry.models import MinuteCount

__all__ = ["add_requests", "of_minutes"]

_MINUTES_A_QUERY = 500
_ROWS_A_QUERY = 500
_COLUMNS = ("service_id", "minute", "endpoint", "method", "status", "own_bounds_ms", "count",
            "sum_ms", "buckets")  # fmt: skip
_KEY = ["service", "minute", "endpoint", "method", "status", "own_bounds_ms"]
_VALUES = ["count", "sum_ms", "buckets"]
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)
_MAKE_COPY = f"""CREATE TEMPORARY TABLE IF NOT EXISTS telemetry_merge ON COMMIT DELETE ROWS AS
    SELECT {_NAMES} FROM telemetry_minutecount WITH NO DATA"""  # noqa: S608 our own names
_TAKE_OVER = f"""INSERT INTO telemetry_minutecount ({_NAMES})
    SELECT {_NAMES} FROM telemetry_merge
    ON CONFLICT (service_id, minute, endpoint, method, status, own_bounds_ms) DO UPDATE
    SET "count" = EXCLUDED."count", sum_ms = EXCLUDED.sum_ms, buckets = EXCLUDED.buckets"""  # noqa: S608

T = TypeVar("T")
Key = tuple[int, datetime, str, str, int, str]


def add_requests(rows: Sequence[RequestCount]) -> None:
    """Add request counts to what is stored; in the transaction of the only compactor."""
    by_key: dict[Key, RequestCount] = {}
    starts = {row.key.minute: deltas.minute_start(row.key.minute) for row in rows}
    for row in rows:
        key = row.key
        own = ",".join(map(str, key.own_bounds))
        by_key[key.service_id, starts[key.minute], key.endpoint, key.method, key.status, own] = row
    known_keys: set[Key] = set()
    for stored in _stored_counts(by_key):
        known = by_key.get(stored[:6])
        if known is not None:
            known_keys.add(stored[:6])
            known.count += stored[6]
            known.sum_ms += stored[7]
            known.buckets = deltas.add_counts(known.buckets, deltas.unpack(bytes(stored[8])))
    if connection.vendor == "postgresql":
        _copy(by_key, known_keys)
    else:
        _upsert(by_key)


def _stored_counts(keys: Iterable[Key]) -> Iterator[Any]:
    pairs = {(key[0], key[1]) for key in keys}
    yield from of_minutes(MinuteCount, pairs, values=_COLUMNS)


def _copy(rows: dict[Key, RequestCount], known: set[Key]) -> None:
    fresh = {key: row for key, row in rows.items() if key not in known}
    with connection.cursor() as cursor:
        if fresh:
            copy = f"COPY telemetry_minutecount ({_NAMES}) FROM STDIN"
            cursor.copy_expert(copy, _lines(fresh))
        if known:
            cursor.execute(_MAKE_COPY)
            copy = f"COPY telemetry_merge ({_NAMES}) FROM STDIN"
            cursor.copy_expert(copy, _lines({key: rows[key] for key in known}))
            cursor.execute(_TAKE_OVER)
            # Another merge may follow in the same transaction.
            cursor.execute("DELETE FROM telemetry_merge")


def _lines(rows: dict[Key, RequestCount]) -> io.StringIO:
    """Return rows as COPY reads them."""
    minutes = {minute: minute.isoformat() for minute in {key[1] for key in rows}}
    endpoints = {name: name.translate(_ESCAPES) for name in {key[2] for key in rows}}
    lines = [
        f"{service_id}\t{minutes[minute]}\t{endpoints[endpoint]}\t{method}\t{status}\t{own}"
        f"\t{row.count}\t{row.sum_ms!r}\t\\\\x{deltas.pack(row.buckets).hex()}\n"
        for (service_id, minute, endpoint, method, status, own), row in rows.items()
    ]
    return io.StringIO("".join(lines))


def _upsert(rows: dict[Key, RequestCount]) -> None:
    MinuteCount.objects.bulk_create(
        [
            MinuteCount(
                service_id=key[0],
                minute=key[1],
                endpoint=key[2],
                method=key[3],
                status=key[4],
                own_bounds_ms=key[5],
                count=row.count,
                sum_ms=row.sum_ms,
                buckets=deltas.pack(row.buckets),
            )
            for key, row in rows.items()
        ],
        update_conflicts=True,
        unique_fields=_KEY,
        update_fields=_VALUES,
        batch_size=_ROWS_A_QUERY,
    )


def of_minutes(
    model: Any, pairs: Iterable[tuple[int, datetime]], values: Sequence[str] = ()
) -> Iterator[Any]:
    """Yield the rows of some services and minutes, as tuples of `values` when there are any."""
    minutes: dict[int, set[datetime]] = defaultdict(set)
    for service_id, minute in pairs:
        minutes[service_id].add(minute)
    # Services report at the same time, so most have the same minutes.
    alike: dict[frozenset[datetime], list[int]] = defaultdict(list)
    for service_id, wanted in minutes.items():
        alike[frozenset(wanted)].append(service_id)
    for together, services in alike.items():
        for part in _parts(sorted(together), _MINUTES_A_QUERY):
            rows: QuerySet[Any] = model.objects.filter(service_id__in=services, minute__in=part)
            yield from rows.values_list(*values) if values else rows


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
