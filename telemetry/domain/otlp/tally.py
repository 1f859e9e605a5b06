"""Adding up increments: by request key and minute, and by series and minute."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from typing import NamedTuple

import numpy as np

from telemetry.domain.buckets import full_bounds
from telemetry.domain.deltas import RequestCount, RequestKey
from telemetry.domain.otlp.attributes import Attributes, http_request
from telemetry.domain.otlp.increments import Increments, writers_streams
from telemetry.domain.otlp.minutes import MinuteValues
from telemetry.domain.otlp.points import Family, Floats, Int64s, Kind
from telemetry.domain.otlp.writers import Stream

__all__ = ["MetricTally", "Owner", "RequestTally", "SeriesName", "folded"]

COUNT, BUCKET = "_count", "_bucket"
OwnBounds = tuple[int, ...]
# Service id, endpoint, method and status.
Counted = tuple[int, str, str, int]
Part = tuple[Int64s, Int64s, Int64s, Floats]


class SeriesName(NamedTuple):
    """What a counter or gauge is known by."""

    service_id: int
    kind: str
    name: str
    attributes: Attributes


@dataclass
class Owner:
    """Whose streams are counted: a service, and what each number stands for."""

    service_id: int
    streams: Sequence[Stream]

    @cached_property
    def requests(self) -> dict[int, Counted]:
        """What the requests of each stream are counted by."""
        return {
            number: (self.service_id, *http_request(dict(stream.attributes)))
            for number, stream in enumerate(self.streams)
            if stream.family == Family.REQUESTS
        }


def folded(values: Int64s, bounds: Sequence[float], ours: Sequence[float]) -> Int64s:
    """Return counts over our bounds; exact where bounds coincide.

    A bucket that spans one of our bounds is counted above it: slower than it may have been.
    """
    edges = np.array(ours, np.float64)
    to = [*np.searchsorted(edges, np.array(bounds, np.float64)).tolist(), len(edges)]
    out = np.zeros((len(values), len(edges) + 1), np.int64)
    for column, position in enumerate(to):
        out[:, position] += values[:, column]
    return out


class RequestTally:
    """Requests by key and minute.

    Args:
        own_bounds: Latency bounds that services add, by service.
    """

    def __init__(self, own_bounds: Mapping[int, OwnBounds]) -> None:
        self._own = own_bounds
        self._codes: dict[Counted, int] = {}
        self._parts: dict[OwnBounds, list[Part]] = {}

    def add(self, owners: Sequence[Owner], bounds: Sequence[float], increments: Increments) -> None:
        """Add increments of request durations, counted over `bounds` (ms).

        Args:
            owners: Of the writers, by their position.
            bounds: Upper bounds of the buckets.
            increments: What was added.
        """
        busy = increments.values.any(axis=1)
        owns = [self._own.get(owner.service_id, ()) for owner in owners]
        for own in set(owns):
            alike = [position for position, other in enumerate(owns) if other == own]
            is_own = len(alike) == len(owns) or np.isin(increments.writers, alike)
            chosen = busy & is_own
            if chosen.any():
                keys, position = np.unique(increments.keys[chosen], return_inverse=True)
                part = (
                    self._codes_of(owners, keys)[position],
                    increments.minutes[chosen],
                    folded(increments.values[chosen], bounds, full_bounds(own)),
                    increments.sums[chosen],
                )
                self._parts.setdefault(own, []).append(part)

    def _codes_of(self, owners: Sequence[Owner], keys: Int64s) -> Int64s:
        known = self._codes
        counted = (owners[writer].requests[stream] for writer, stream in writers_streams(keys))
        return np.array([known.setdefault(each, len(known)) for each in counted], np.int64)

    def rows(self) -> list[RequestCount]:
        """Return one count for each key and minute."""
        keys = list(self._codes)
        return [row for own, parts in self._parts.items() for row in _summed(keys, own, parts)]


def _summed(
    keys: Sequence[Counted], own: OwnBounds, parts: Sequence[Part]
) -> Iterator[RequestCount]:
    codes, minutes, values, sums = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((minutes, codes))
    codes, minutes = codes[order], minutes[order]
    starts = np.flatnonzero(np.append(True, (np.diff(codes) != 0) | (np.diff(minutes) != 0)))
    totals = np.add.reduceat(values[order], starts, axis=0)
    counted = [keys[code] for code in codes[starts].tolist()]
    # Column by column, as loops over a thousand rows are quicker where Python does not take part.
    columns = (*zip(*counted, strict=True), minutes[starts].tolist(), repeat(own))
    return map(
        RequestCount,
        map(RequestKey._make, zip(*columns, strict=False)),
        totals.sum(axis=1).tolist(),
        np.add.reduceat(sums[order], starts).tolist(),
        totals.tolist(),
    )


@dataclass
class MetricTally:
    """Counters and gauges by series and minute; values of a minute nobody counted in are absent."""

    names: set[SeriesName] = field(default_factory=set)
    _counted: dict[tuple[SeriesName, int], int] = field(default_factory=dict)
    _gauged: dict[tuple[SeriesName, int], tuple[int, float]] = field(default_factory=dict)
    _covered: set[tuple[int, int]] = field(default_factory=set)

    def add(self, owners: Sequence[Owner], kind: Kind, increments: Increments) -> None:
        """Add increments of counters or histograms, or values of gauges, of the owners' streams."""
        self._covered |= {
            (owners[writer].service_id, minute) for writer, minute in increments.covered()
        }
        if kind.family == Family.GAUGE:
            self._add_gauges(owners, increments)
            return
        values = increments.values
        if kind.family == Family.HISTOGRAM:
            # Counts of events, as thousandths like every counter; each bound counts all below it.
            values = np.cumsum(values, axis=1) * 1000
        suffixes = _suffixes(kind)
        for (writer, stream), minute, row in zip(
            writers_streams(increments.keys),
            increments.minutes.tolist(),
            values.tolist(),
            strict=True,
        ):
            owner = owners[writer]
            described = owner.streams[stream]
            for (suffix, more), value in zip(suffixes, row, strict=True):
                self._count(_counter(owner, described, suffix, more), minute, value)
            if kind.family == Family.HISTOGRAM:
                self._count(_counter(owner, described, COUNT), minute, row[-1])

    def _count(self, name: SeriesName, minute: int, value: int) -> None:
        self.names.add(name)
        if value:
            self._counted[name, minute] = self._counted.get((name, minute), 0) + value

    def _add_gauges(self, owners: Sequence[Owner], increments: Increments) -> None:
        for (writer, stream), minute, at, value in zip(
            writers_streams(increments.keys),
            increments.minutes.tolist(),
            increments.times.tolist(),
            increments.sums.tolist(),
            strict=True,
        ):
            owner = owners[writer]
            known = owner.streams[stream]
            name = SeriesName(owner.service_id, Family.GAUGE, known.metric, known.attributes)
            self.names.add(name)
            last = self._gauged.get((name, minute))
            if last is None or (at, value) >= last:
                self._gauged[name, minute] = (at, value)

    def minutes(self, key_of: Callable[[SeriesName], int]) -> dict[tuple[int, int], MinuteValues]:
        """Return the values of each service and minute, by the keys of their series."""
        found = {pair: MinuteValues({}, {}) for pair in self._covered}
        for (name, minute), value in self._counted.items():
            part = MinuteValues({key_of(name): value}, {})
            found.setdefault((name.service_id, minute), MinuteValues({}, {})).add(part)
        for (name, minute), gauge in self._gauged.items():
            part = MinuteValues({}, {key_of(name): gauge})
            found.setdefault((name.service_id, minute), MinuteValues({}, {})).add(part)
        return found


def _counter(owner: Owner, stream: Stream, suffix: str, more: Attributes = ()) -> SeriesName:
    attributes = tuple(sorted((*stream.attributes, *more))) if more else stream.attributes
    return SeriesName(owner.service_id, Family.COUNTER, stream.metric + suffix, attributes)


def _suffixes(kind: Kind) -> list[tuple[str, Attributes]]:
    if kind.family == Family.COUNTER:
        return [("", ())]
    names = [*(f"{bound:g}" for bound in kind.bounds), "+Inf"]
    return [(BUCKET, (("le", name),)) for name in names]
