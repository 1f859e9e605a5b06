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

from core.bulk import select_rows, select_values
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
    """Add request counts, no two of the same key, to what is stored.

    Only inside the transaction of the only compactor.
    """
    known, fresh = _with_stored(rows)
    if connection.vendor == "postgresql":
        _copy(known, fresh)
    else:
        _upsert(rows)


def _with_stored(
    rows: Sequence[RequestCount],
) -> tuple[Sequence[RequestCount], Sequence[RequestCount]]:
    """Add to `rows` what is stored of them; return those of which something was, and the others."""
    keys = deltas.minutes_of(rows)
    minutes = {number: deltas.minute_start(number) for _, number in keys}
    pairs = [(service_id, minutes[number]) for service_id, number in keys]
    stored = list(of_minutes(MinuteCount, pairs, values=_COLUMNS))
    if not stored:
        return [], rows
    by_key: dict[Key, RequestCount] = {}
    for row in rows:
        service_id, endpoint, method, status, minute, own = row.key
        by_key[service_id, minutes[minute], endpoint, method, status, _text(own)] = row
    known = []
    for *key, count, sum_ms, buckets in stored:
        found = by_key.pop(tuple(key), None)
        if found is not None:
            found.count += count
            found.sum_ms += sum_ms
            found.buckets = deltas.add_counts(found.buckets, deltas.unpack(bytes(buckets)))
            known.append(found)
    return known, list(by_key.values())


def _text(own_bounds: Iterable[int]) -> str:
    return ",".join(map(str, own_bounds))


def _copy(known: Sequence[RequestCount], fresh: Sequence[RequestCount]) -> None:
    with connection.cursor() as cursor:
        if fresh:
            copy = f"COPY telemetry_minutecount ({_NAMES}) FROM STDIN"
            cursor.copy_expert(copy, _lines(fresh))
        if known:
            cursor.execute(_MAKE_COPY)
            copy = f"COPY telemetry_merge ({_NAMES}) FROM STDIN"
            cursor.copy_expert(copy, _lines(known))
            cursor.execute(_TAKE_OVER)
            # Another merge may follow in the same transaction.
            cursor.execute("DELETE FROM telemetry_merge")


def _lines(rows: Sequence[RequestCount]) -> io.StringIO:
    """Return rows as COPY reads them."""
    services, names, methods, statuses, numbers, bounds = zip(
        *[row.key for row in rows], strict=True
    )
    minutes = {number: deltas.minute_start(number).isoformat() for number in set(numbers)}
    endpoints = {name: name.translate(_ESCAPES) for name in set(names)}
    owns = {own: _text(own) for own in set(bounds)}
    # Column by column, as loops over a thousand rows are quicker where Python does not take part.
    columns = (
        map(str, services),
        map(minutes.__getitem__, numbers),
        map(endpoints.__getitem__, names),
        methods,
        map(str, statuses),
        map(owns.__getitem__, bounds),
        [str(row.count) for row in rows],
        [repr(row.sum_ms) for row in rows],
        ["\\\\x" + deltas.pack(row.buckets).hex() for row in rows],
    )
    return io.StringIO("\n".join(map("\t".join, zip(*columns, strict=True))))


def _upsert(rows: Sequence[RequestCount]) -> None:
    MinuteCount.objects.bulk_create(
        [
            MinuteCount(
                service_id=row.key.service_id,
                minute=deltas.minute_start(row.key.minute),
                endpoint=row.key.endpoint,
                method=row.key.method,
                status=row.key.status,
                own_bounds_ms=_text(row.key.own_bounds),
                count=row.count,
                sum_ms=row.sum_ms,
                buckets=deltas.pack(row.buckets),
            )
            for row in rows
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
            asked = {"service_id": services, "minute": part}
            yield from (
                select_values(model, values, asked) if values else select_rows(model, asked)
            )


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
