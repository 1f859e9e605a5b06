"""Naming counters and gauges: each series gets a key, as long as its service has room."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

import msgspec

from sre.slo_sli import OTHER_ENDPOINT
from telemetry.domain.otlp.tally import SeriesName
from telemetry.models import MetricSeries

__all__ = ["MAX_SERIES", "keys_of"]

MAX_SERIES = 2_000
Row = tuple[str, str, str]


def keys_of(names: Iterable[SeriesName], *, now: datetime) -> dict[SeriesName, int]:
    """Return the key of each series; beyond the cap of its service that of "(other)"."""
    by_service: dict[int, list[SeriesName]] = defaultdict(list)
    for name in names:
        by_service[name.service_id].append(name)
    keys: dict[SeriesName, int] = {}
    for service_id, wanted in by_service.items():
        keys |= _of_service(service_id, sorted(wanted), now=now)
    return keys


def _of_service(
    service_id: int, names: list[SeriesName], *, now: datetime
) -> dict[SeriesName, int]:
    known = _known(service_id)
    rows = {name: _row(name) for name in names}
    room = MAX_SERIES - len(known)
    missing = [name for name in names if rows[name] not in known]
    fresh = [(*rows[name], dict(name.attributes)) for name in missing[:room]]
    for name in missing[max(room, 0) :]:
        rows[name] = (name.kind, OTHER_ENDPOINT, "")
    over = {row for row in rows.values() if row[1] == OTHER_ENDPOINT} - known.keys()
    fresh += [(*row, {}) for row in sorted(over)]
    if fresh:
        MetricSeries.objects.bulk_create(
            [
                MetricSeries(
                    service_id=service_id,
                    kind=kind,
                    name=name,
                    digest=digest,
                    attributes=attributes,
                    first_seen_at=now,
                )
                for kind, name, digest, attributes in fresh
            ],
            ignore_conflicts=True,
            batch_size=500,
        )
        known = _known(service_id)
    return {name: known[rows[name]] for name in names}


def _known(service_id: int) -> dict[Row, int]:
    stored = MetricSeries.objects.filter(service_id=service_id)
    return {
        (kind, name, digest): pk
        for pk, kind, name, digest in stored.values_list("pk", "kind", "name", "digest")
    }


def _row(name: SeriesName) -> Row:
    digest = hashlib.sha256(msgspec.msgpack.encode(name.attributes)).hexdigest()[:32]
    return name.kind, name.name, digest
