"""Writers of metrics, as this process knows them: who they are, and the numbers of their streams.

A row may change or vanish behind a process that remembers it, so it is compared before every use,
and streams are added only to the row as it was read. Each thread remembers by itself.
"""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime

from core.bulk import select_values
from telemetry.domain.grouping import Target
from telemetry.domain.otlp.attributes import Attributes
from telemetry.domain.otlp.writers import Writer, digest_of, pack_streams, unpack_streams
from telemetry.models import MetricWriter

__all__ = ["MAX_WRITERS", "MovedOn", "forget_writers", "store_new_streams", "writers_of"]

MAX_WRITERS = 2_000
_REMEMBERED = 500
Key = tuple[int, str]


class MovedOn(Exception):
    """Another process added streams to a writer; what was read of it is out of date."""


class _Memory(threading.local):
    def __init__(self) -> None:
        self.writers: OrderedDict[Key, Writer] = OrderedDict()


_memory = _Memory()


def forget_writers() -> None:
    """Read every writer anew at its next use."""
    _memory.writers.clear()


def writers_of(
    resources: Iterable[tuple[Target, Attributes]], *, now: datetime
) -> dict[Key, Writer]:
    """Return the writers of resources, by service and digest; those there is no room for lack."""
    wanted: dict[Key, tuple[Target, Attributes]] = {}
    for target, attributes in resources:
        key = (target.service_id, digest_of(target.service_id, attributes))
        wanted[key] = (target, attributes)
    found = _remembered(wanted)
    if missing := wanted.keys() - found.keys():
        found |= _loaded({key: wanted[key] for key in missing}, now=now)
    for key, writer in found.items():
        _memory.writers[key] = writer
        _memory.writers.move_to_end(key)
    while len(_memory.writers) > _REMEMBERED:
        _memory.writers.popitem(last=False)
    return found


def _remembered(wanted: dict[Key, tuple[Target, Attributes]]) -> dict[Key, Writer]:
    """Return what is remembered and still as stored."""
    known = {key: _memory.writers[key] for key in wanted if key in _memory.writers}
    if not known:
        return {}
    names = ("id", "generation", "stream_count")
    rows = select_values(MetricWriter, names, {"id": [writer.pk for writer in known.values()]})
    stored = {pk: (generation, count) for pk, generation, count in rows}
    return {
        key: writer
        for key, writer in known.items()
        if stored.get(writer.pk) == (writer.generation, writer.stored)
        and len(writer.numbers) == writer.stored
        and writer.own_bounds == wanted[key][0].own_bounds
    }


def _loaded(wanted: dict[Key, tuple[Target, Attributes]], *, now: datetime) -> dict[Key, Writer]:
    found: dict[Key, Writer] = {}
    for (service_id, digest), (target, attributes) in wanted.items():
        row = MetricWriter.objects.filter(service_id=service_id, digest=digest).first()
        if row is None:
            if MetricWriter.objects.filter(service_id=service_id).count() >= MAX_WRITERS:
                continue
            row, _ = MetricWriter.objects.get_or_create(
                service_id=service_id,
                digest=digest,
                defaults={
                    "generation": secrets.token_hex(8),
                    "resource": dict(attributes),
                    "last_seen_at": now,
                },
            )
        streams = unpack_streams(bytes(row.streams))
        numbers = {stream: number for number, stream in enumerate(streams)}
        found[service_id, digest] = Writer(
            row.pk, row.generation, service_id, target.own_bounds, len(streams), numbers
        )
    return found


def store_new_streams(writers: Iterable[Writer], *, now: datetime) -> None:
    """Store the streams that were numbered since the writers were read; in a transaction.

    Raises:
        MovedOn: If one of them is no longer as it was read. The transaction must be undone.
    """
    for writer in sorted(writers, key=lambda writer: writer.pk):
        if len(writer.numbers) == writer.stored:
            continue
        row = MetricWriter.objects.filter(
            pk=writer.pk, generation=writer.generation, stream_count=writer.stored
        )
        done = row.update(
            streams=pack_streams(list(writer.numbers)),
            stream_count=len(writer.numbers),
            last_seen_at=now,
        )
        if not done:
            raise MovedOn
        writer.stored = len(writer.numbers)
