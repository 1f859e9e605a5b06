"""What one batch adds: counts by key, small enough to be one row of the delta log.

Minutes are whole minutes since 1970-01-01T00:00Z. Adding is commutative and associative, so the
order in which deltas are merged never shows in the result.
"""

import zlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from telemetry.domain.buckets import full_bounds
from telemetry.domain.columns import RequestColumns, add_up


class RequestKey(NamedTuple):
    """What request counts are kept by; `own_bounds` are those the service added at that time."""

    service_id: int
    endpoint: str
    method: str
    status: int
    minute: int
    own_bounds: tuple[int, ...]


class FreshnessKey(NamedTuple):
    """What freshness counts are kept by."""

    service_id: int
    source: str
    minute: int


class RequestCount(msgspec.Struct, array_like=True, gc=False):
    """Requests of one key: how many, their durations added up (ms), and counts per bound."""

    key: RequestKey
    count: int
    sum_ms: float
    buckets: list[int]


class FreshnessCount(msgspec.Struct, array_like=True, gc=False):
    """Freshness reports of one key: how many, and counts per age bound (s)."""

    key: FreshnessKey
    count: int
    buckets: list[int]


class Delta(msgspec.Struct, array_like=True):
    """Everything one accepted batch adds; `covers` are (service id, minute) pairs.

    Reports come as `requests`, raw events as `columns`; both are counts of requests.
    """

    requests: list[RequestCount] = []
    freshness: list[FreshnessCount] = []
    covers: list[tuple[int, int]] = []
    columns: list[RequestColumns] = []

    def is_empty(self) -> bool:
        """Return whether merging this would change nothing."""
        return not (self.requests or self.freshness or self.covers or self.columns)


# A portal from before there were columns must stumble over them rather than pass over them.
_WITH_COLUMNS = b"\x02"
_encoder = msgspec.msgpack.Encoder()
_delta_decoder = msgspec.msgpack.Decoder(Delta)
_counts_decoder = msgspec.msgpack.Decoder(list[int])


def encode(delta: Delta) -> bytes:
    """Return a delta as the bytes of its row; packed, as most counts are zero."""
    packed = zlib.compress(_encoder.encode(delta), 1)
    return _WITH_COLUMNS + packed if delta.columns else packed


def decode(payload: bytes) -> Delta:
    """Return the delta of a row's bytes.

    Raises:
        ValueError: If the bytes are not a delta, or its counts don't fit its bounds.
    """
    try:
        delta = _delta_decoder.decode(zlib.decompress(payload.removeprefix(_WITH_COLUMNS)))
    except zlib.error as error:
        raise ValueError("The payload is damaged.") from error
    for row in delta.requests:
        if len(row.buckets) != len(full_bounds(row.key.own_bounds)) + 1:
            raise ValueError(f"{row.key}: the counts do not fit the bounds.")
    return delta


def pack(counts: Sequence[int]) -> bytes:
    """Return bucket counts as the bytes of a column."""
    return _encoder.encode(counts)


def unpack(packed: bytes) -> list[int]:
    """Return the bucket counts of a column's bytes."""
    return _counts_decoder.decode(packed)


def add_counts(left: Sequence[int], right: Sequence[int]) -> list[int]:
    """Return the sums, bucket by bucket; both have the same bounds."""
    return [one + other for one, other in zip(left, right, strict=True)]


def merge(deltas: Iterable[Delta]) -> Delta:
    """Return one delta, without columns, that adds what all the given ones add.

    Raises:
        ValueError: If columns do not fit each other or their bounds.
    """
    requests: dict[RequestKey, RequestCount] = {}
    freshness: dict[FreshnessKey, FreshnessCount] = {}
    covers: set[tuple[int, int]] = set()
    columns: list[RequestColumns] = []
    for delta in deltas:
        columns += delta.columns
        for row in delta.requests:
            _add_requests(requests, row)
        for report in delta.freshness:
            _add_freshness(freshness, report)
        covers.update(delta.covers)
    for own_bounds, series, minute, sum_ms, buckets in add_up(columns):
        key = RequestKey(*series, minute, own_bounds)
        _add_requests(requests, RequestCount(key, sum(buckets), sum_ms, buckets))
    return Delta(list(requests.values()), list(freshness.values()), sorted(covers))


def _add_requests(rows: dict[RequestKey, RequestCount], row: RequestCount) -> None:
    known = rows.get(row.key)
    if known is None:
        rows[row.key] = RequestCount(row.key, row.count, row.sum_ms, row.buckets)
        return
    known.count += row.count
    known.sum_ms += row.sum_ms
    known.buckets = add_counts(known.buckets, row.buckets)


def _add_freshness(rows: dict[FreshnessKey, FreshnessCount], row: FreshnessCount) -> None:
    known = rows.get(row.key)
    if known is None:
        rows[row.key] = FreshnessCount(row.key, row.count, row.buckets)
        return
    known.count += row.count
    known.buckets = add_counts(known.buckets, row.buckets)


def minutes_of(rows: Sequence[RequestCount]) -> set[tuple[int, int]]:
    """Return the (service id, minute) pairs that request counts are of."""
    if not rows:
        return set()
    # Column by column: a thousand rows are of a few minutes.
    services, _, _, _, minutes, _ = zip(*[row.key for row in rows], strict=True)
    return set(zip(services, minutes, strict=True))


def minute_of(at: datetime) -> int:
    """Return the minute number that contains an aware instant."""
    return int(at.timestamp() // 60)


def minute_start(minute: int) -> datetime:
    """Return the first instant of a minute number (aware UTC)."""
    return datetime.fromtimestamp(minute * 60, UTC)
