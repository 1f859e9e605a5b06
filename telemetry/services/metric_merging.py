"""Merging OTLP points: what streams count up to becomes what happened in each minute.

Called by the only compactor inside its transaction, so that a writer's state, the minutes and the
rows of the log change together: a point is counted once whoever dies meanwhile.
"""

import json
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import connection

from telemetry.domain import deltas
from telemetry.domain.deltas import Delta
from telemetry.domain.otlp.increments import (
    Increments,
    WriterState,
    from_cumulative,
    from_deltas,
)
from telemetry.domain.otlp.minutes import MinuteValues
from telemetry.domain.otlp.points import Block, Family, Points
from telemetry.domain.otlp.tally import MetricTally, Owner, RequestTally, SeriesName
from telemetry.domain.otlp.writers import Stream, unpack_streams
from telemetry.models import MetricMinute, MetricWriter, ServiceTelemetry
from telemetry.services import metric_series, minute_rows

__all__ = ["Merged", "add"]

log = structlog.get_logger(__name__)

MAX_BOUNDS = 10
_REMEMBERED = 200
_STORE_STATE = (
    "UPDATE telemetry_metricwriter SET state = %s, bounds = %s, last_seen_at = %s WHERE id = %s"
)
_Known = tuple[int, str, int]
_streams: OrderedDict[_Known, Owner] = OrderedDict()


@dataclass(frozen=True)
class Merged:
    """What points came to.

    Args:
        delta: Request counts and covered minutes, to be added like those of any batch.
        minutes: (service id, minute) pairs whose counters or gauges changed.
    """

    delta: Delta
    minutes: set[tuple[int, int]]


def add(blocks: Sequence[Block], *, now: datetime) -> Merged:
    """Advance the writers of the blocks and store their counters and gauges.

    Raises:
        ValueError: If a block does not fit its writer.
    """
    if not blocks:
        return Merged(Delta(), set())
    by_writer: dict[int, list[Block]] = defaultdict(list)
    for block in blocks:
        by_writer[block.writer_id].append(block)
    # What was taken in while a writer was being deleted belongs to nobody any more.
    rows = MetricWriter.objects.filter(pk__in=by_writer).order_by("pk")
    requests, metrics = RequestTally(_own_bounds(rows)), MetricTally()
    covers: set[tuple[int, int]] = set()
    advanced = list(rows)
    for row in advanced:
        covers |= _advance(row, by_writer.pop(row.pk), requests, metrics, now=now)
    _store_states(advanced)
    if by_writer:
        log.warning("telemetry_of_deleted_writers", writers=sorted(by_writer))
    minutes = _store_minutes(metrics, now=now)
    return Merged(Delta(requests.rows(), [], sorted(covers)), minutes)


def _own_bounds(rows: Iterable[MetricWriter]) -> dict[int, tuple[int, ...]]:
    known = ServiceTelemetry.objects.filter(pk__in={row.service_id for row in rows})
    return {pk: tuple(own) for pk, own in known.values_list("pk", "own_bounds_ms")}


def _advance(
    row: MetricWriter,
    blocks: Sequence[Block],
    requests: RequestTally,
    metrics: MetricTally,
    *,
    now: datetime,
) -> set[tuple[int, int]]:
    """Count the points of one writer and set its state; return the minutes they cover."""
    owner = _owner(row)
    state = WriterState.unpack(bytes(row.state))
    covers: set[tuple[int, int]] = set()
    groups: dict[tuple[object, ...], list[Block]] = defaultdict(list)
    for block in blocks:
        groups[block.group].append(block)
    # What began later is judged by when its writer was first heard of, so that comes first.
    for alike in groups.values():
        first, increments = alike[0], _increments(state, alike)
        if int(increments.streams.max(initial=0)) >= len(owner.streams):
            raise ValueError(f"Writer {row.pk} has no such stream.")
        if first.family == Family.REQUESTS:
            requests.add(owner, first.bounds, increments)
            covers |= {(row.service_id, minute) for minute in increments.covered()}
        else:
            metrics.add(owner, first.family, first.bounds, increments)
    row.state, row.bounds, row.last_seen_at = state.pack(), _bounds(row, blocks), now
    return covers


def _store_states(rows: Iterable[MetricWriter]) -> None:
    """Store what `_advance` set; Django's own ways take longer to say it than to do it."""
    seen_at = connection.ops.adapt_datetimefield_value
    values = [
        (bytes(row.state), json.dumps(row.bounds), seen_at(row.last_seen_at), row.pk)
        for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_STORE_STATE, values)


def _owner(row: MetricWriter) -> Owner:
    key = (row.pk, row.generation, row.stream_count)
    known = _streams.get(key)
    if known is None:
        streams: list[Stream] = unpack_streams(bytes(row.streams))
        known = _streams[key] = Owner(row.service_id, streams)
    _streams.move_to_end(key)
    while len(_streams) > _REMEMBERED:
        _streams.popitem(last=False)
    return known


def _increments(state: WriterState, blocks: Sequence[Block]) -> Increments:
    first = blocks[0]
    points = Points.joined([block.points for block in blocks])
    if first.is_delta:
        return from_deltas(points)
    bounds = ",".join(f"{bound:g}" for bound in first.bounds)
    group = f"{first.family}{'~' if first.is_folded else ''}{bounds}"
    return from_cumulative(state, group, points, is_folded=first.is_folded)


def _bounds(row: MetricWriter, blocks: Sequence[Block]) -> list[list[float] | None]:
    seen: list[list[float] | None] = list(row.bounds)
    for block in blocks:
        found = None if block.is_folded else list(block.bounds)
        if block.family == Family.REQUESTS and found not in seen:
            seen.append(found)
    return seen[-MAX_BOUNDS:]


def _store_minutes(metrics: MetricTally, *, now: datetime) -> set[tuple[int, int]]:
    """Add counters and gauges to what is stored; return the (service id, minute) pairs."""
    keys = metric_series.keys_of(metrics.names, now=now)

    def key_of(name: SeriesName) -> int:
        return keys[name]

    found = metrics.minutes(key_of)
    rows = {
        (service_id, deltas.minute_start(minute)): values
        for (service_id, minute), values in found.items()
    }
    for stored in minute_rows.of_minutes(MetricMinute, rows):
        rows[stored.service_id, stored.minute].add(MinuteValues.unpack(bytes(stored.data)))
    MetricMinute.objects.bulk_create(
        [
            MetricMinute(service_id=service_id, minute=minute, data=values.pack())
            for (service_id, minute), values in rows.items()
        ],
        update_conflicts=True,
        unique_fields=["service", "minute"],
        update_fields=["data"],
        batch_size=500,
    )
    return set(found)
