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

from core.bulk import select_rows, select_values, update_rows
from telemetry.domain import deltas
from telemetry.domain.deltas import Delta
from telemetry.domain.otlp.increments import (
    Increments,
    WriterState,
    from_cumulative,
    from_deltas,
)
from telemetry.domain.otlp.minutes import MinuteValues
from telemetry.domain.otlp.points import Block, Family, Kind, Points
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
    rows = select_rows(MetricWriter, {"id": by_writer}, without=("resource", "streams"))
    if gone := by_writer.keys() - {row.pk for row in rows}:
        log.warning("telemetry_of_deleted_writers", writers=sorted(gone))
    owners = _owners(rows)
    writers = [
        _Writer.of(row, by_writer[row.pk], owners[row.pk]) for row in rows if row.pk in owners
    ]
    requests, metrics = RequestTally(_own_bounds(rows)), MetricTally()
    covers = _count(writers, requests, metrics)
    _store_states(writers, now=now)
    minutes = _store_minutes(metrics, now=now)
    return Merged(Delta(requests.rows(), [], sorted(covers)), minutes)


@dataclass(frozen=True)
class _Writer:
    """A writer whose blocks are counted: what it is, and what its streams said last."""

    row: MetricWriter
    blocks: Sequence[Block]
    owner: Owner
    state: WriterState

    @classmethod
    def of(cls, row: MetricWriter, blocks: Sequence[Block], owner: Owner) -> "_Writer":
        """Return the writer with what is stored of it.

        Raises:
            ValueError: If a block does not fit its writer.
        """
        state = WriterState.unpack(bytes(row.state))
        for block in blocks:
            numbers = block.points.streams
            if numbers.min(initial=0) < 0 or numbers.max(initial=0) >= len(owner.streams):
                raise ValueError(f"Writer {row.pk} has no such stream.")
            # What began later is judged by when its writer was first heard of, so that comes first.
            if not block.is_delta and len(block.points):
                state.note_times(block.points.times)
        return cls(row, blocks, owner, state)


def _count(
    writers: Sequence[_Writer], requests: RequestTally, metrics: MetricTally
) -> set[tuple[int, int]]:
    """Count the points of all writers, kind by kind, and set their states.

    Returns:
        The (service id, minute) pairs that requests cover.
    """
    kinds: dict[Kind, dict[int, list[Points]]] = defaultdict(lambda: defaultdict(list))
    for position, writer in enumerate(writers):
        for block in writer.blocks:
            if len(block.points):
                kinds[block.kind][position].append(block.points)
    covers: set[tuple[int, int]] = set()
    for kind, by_position in kinds.items():
        alike = [writers[position] for position in by_position]
        points = [Points.joined(parts) for parts in by_position.values()]
        increments = _increments(kind, alike, points)
        owners = [writer.owner for writer in alike]
        if kind.family == Family.REQUESTS:
            requests.add(owners, kind.bounds, increments)
            covers |= {
                (owners[number].service_id, minute) for number, minute in increments.covered()
            }
        else:
            metrics.add(owners, kind, increments)
    return covers


def _own_bounds(rows: Iterable[MetricWriter]) -> dict[int, tuple[int, ...]]:
    wanted = {"service_id": {row.service_id for row in rows}}
    known = select_values(ServiceTelemetry, ("service_id", "own_bounds_ms"), wanted)
    return {pk: tuple(own) for pk, own in known}


def _store_states(writers: Iterable[_Writer], *, now: datetime) -> None:
    """Store what counting left; Django's own ways take longer to say it than to do it."""
    found = [(each.state.pack(), _bounds(each.row, each.blocks), each.row.pk) for each in writers]
    if connection.vendor == "postgresql":
        update_rows(
            MetricWriter,
            [
                {"id": pk, "state": state, "bounds": bounds, "last_seen_at": now}
                for state, bounds, pk in found
            ],
        )
        return
    seen_at = connection.ops.adapt_datetimefield_value(now)
    values = [(state, json.dumps(bounds), seen_at, pk) for state, bounds, pk in found]
    with connection.cursor() as cursor:
        cursor.executemany(_STORE_STATE, values)


def _owners(rows: Iterable[MetricWriter]) -> dict[int, Owner]:
    """Return what the streams of writers stand for; without those that were deleted just now."""
    keys = {row.pk: (row.pk, row.generation, row.stream_count) for row in rows}
    unknown = [pk for pk, key in keys.items() if key not in _streams]
    found = select_values(MetricWriter, ("id", "streams"), {"id": unknown})
    packed = {pk: bytes(streams) for pk, streams in found}
    owners: dict[int, Owner] = {}
    for row in rows:
        key = keys[row.pk]
        if row.pk in packed:
            streams: list[Stream] = unpack_streams(packed[row.pk])
            _streams[key] = Owner(row.service_id, streams)
        if key in _streams:
            owners[row.pk] = _streams[key]
            _streams.move_to_end(key)
    while len(_streams) > _REMEMBERED:
        _streams.popitem(last=False)
    return owners


def _increments(kind: Kind, writers: Sequence[_Writer], points: Sequence[Points]) -> Increments:
    if kind.is_delta:
        return from_deltas(points)
    parts = [(writer.state, own) for writer, own in zip(writers, points, strict=True)]
    return from_cumulative(kind.name, parts, is_folded=kind.is_folded)


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
