"""What distinguishes the events of a batch, found without a step of Python per value.

Grouping comes before anything is known of the services: which names a batch holds and over which
time decides whether it can be taken as a whole.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from telemetry.domain import columns
from telemetry.domain.buckets import FRESHNESS_BOUNDS_S, count_by_bound
from telemetry.domain.columns import Events, RequestColumns
from telemetry.domain.deltas import Delta, FreshnessCount, FreshnessKey
from telemetry.domain.fields import Period, known_method

Seconds = NDArray[np.float64]

_encode = msgspec.msgpack.Encoder().encode
_FINE = np.dtype([("tag", ">u2"), ("value", ">u8")])
_FINE_TAG = 0xD7FF
_FINE_SECONDS = (1 << 34) - 1


class Request(Protocol):
    """One answered request; the limits of its fields are checked already."""

    service: str
    endpoint: str
    status: int
    duration_ms: float
    timestamp: datetime | float | None
    method: str


class Report(Protocol):
    """One freshness report; the limits of its fields are checked already."""

    service: str
    source: str
    age_s: float
    timestamp: datetime | float | None


@dataclass(frozen=True)
class Target:
    """A service that the sender may report for."""

    service_id: int
    own_bounds: tuple[int, ...] = ()


class Grouped(Protocol):
    """The events of a batch, before their services are known."""

    @property
    def slugs(self) -> set[str]:
        """The services that are reported for."""

    @property
    def names(self) -> Iterable[str]:
        """Every text that is kept."""

    def lies_in(self, period: Period) -> bool:
        """Whether every timestamp is surely accepted."""

    def delta(self, targets: Mapping[str, Target]) -> Delta:
        """Return what the events add; `targets` holds every one of `slugs`."""


@dataclass(frozen=True)
class GroupedRequests:
    """Answered requests by service, endpoint, method and status; `codes` points to these."""

    series: list[tuple[str, str, str, int]]
    codes: list[int]
    seconds: Seconds
    durations_ms: list[float]

    @property
    def slugs(self) -> set[str]:
        """The services that are reported for."""
        return {key[0] for key in self.series}

    @property
    def names(self) -> Iterable[str]:
        """Slugs and endpoints."""
        return (name for key in self.series for name in key[:2])

    def lies_in(self, period: Period) -> bool:
        """Whether every timestamp is surely accepted; parts of a second are not looked at."""
        return _lies_in(self.seconds, period)

    def delta(self, targets: Mapping[str, Target]) -> Delta:
        """Return what the requests add."""
        if not self.codes:
            return Delta()
        found = [targets[key[0]] for key in self.series]
        methods = {method: known_method(method) for method in {key[2] for key in self.series}}
        series = [
            (target.service_id, endpoint, methods[method], status)
            for target, (_, endpoint, method, status) in zip(found, self.series, strict=True)
        ]
        events = Events(
            np.array(self.codes, np.int64),
            (self.seconds // 60).astype(np.int64),
            np.array(self.durations_ms, np.float64),
        )
        return Delta(columns=_by_bounds(events, series, [target.own_bounds for target in found]))


@dataclass(frozen=True)
class GroupedFreshness:
    """Ages by service, source and minute."""

    ages: dict[tuple[str, str, int], list[float]]
    seconds: Seconds

    @property
    def slugs(self) -> set[str]:
        """The services that are reported for."""
        return {key[0] for key in self.ages}

    @property
    def names(self) -> Iterable[str]:
        """Slugs and sources."""
        return (name for key in self.ages for name in key[:2])

    def lies_in(self, period: Period) -> bool:
        """Whether every timestamp is surely accepted."""
        return _lies_in(self.seconds, period)

    def delta(self, targets: Mapping[str, Target]) -> Delta:
        """Return what the reports add."""
        return Delta(
            freshness=[
                FreshnessCount(
                    FreshnessKey(targets[slug].service_id, source, minute),
                    len(ages),
                    count_by_bound(ages, FRESHNESS_BOUNDS_S),
                )
                for (slug, source, minute), ages in self.ages.items()
            ]
        )


def group_requests(events: Sequence[Request], period: Period) -> GroupedRequests:
    """Group answered requests; those without a timestamp are of now."""
    codes: defaultdict[tuple[str, str, str, int], int] = defaultdict(count().__next__)
    return GroupedRequests(
        # What a batch costs is here: one look-up per event, and two lists.
        codes=[
            codes[event.service, event.endpoint, event.method, event.status] for event in events
        ],
        series=list(codes),
        seconds=seconds_of([event.timestamp for event in events], period.now),
        durations_ms=[event.duration_ms for event in events],
    )


def group_freshness(events: Sequence[Report], period: Period) -> GroupedFreshness:
    """Group freshness reports; those without a timestamp are of now."""
    seconds = seconds_of([event.timestamp for event in events], period.now)
    ages: dict[tuple[str, str, int], list[float]] = {}
    for event, at in zip(events, seconds.tolist(), strict=True):
        key = (event.service, event.source, int(at // 60))
        ages.setdefault(key, []).append(event.age_s)
    return GroupedFreshness(ages, seconds)


def seconds_of(stamps: Sequence[datetime | float | None], now: float) -> Seconds:
    """Return timestamps as seconds since 1970, whose fraction may be cut off; None is `now`."""
    if set(map(type, stamps)) == {datetime}:
        seconds = _fine_seconds(stamps)
        if seconds is not None:
            return seconds
    return np.array([_second(at, now) for at in stamps], np.float64)


def _fine_seconds(stamps: Sequence[datetime | float | None]) -> Seconds | None:
    # MessagePack writes an instant with a fraction as ten bytes: a tag, 30 bits of nanoseconds and
    # 34 of seconds. If each is found where all of that form would stand, all are of that form.
    try:
        packed = _encode(stamps)
    except OverflowError:
        return None
    start = _array_header(len(stamps))
    if len(packed) != start + len(stamps) * _FINE.itemsize:
        return None
    read = np.frombuffer(packed, _FINE, offset=start)
    if not (read["tag"] == _FINE_TAG).all():
        return None
    return (read["value"] & _FINE_SECONDS).astype(np.float64)


def _array_header(length: int) -> int:
    """Return how many bytes MessagePack writes before the elements of an array."""
    if length < 1 << 4:
        return 1
    return 3 if length < 1 << 16 else 5


def _second(at: datetime | float | None, now: float) -> float:
    if at is None:
        return now
    return at.timestamp() if isinstance(at, datetime) else at


def _lies_in(seconds: Seconds, period: Period) -> bool:
    if not len(seconds):
        return True
    # A second of slack for what was cut off; the slow way decides about what is left.
    return bool(period.earliest <= seconds.min() and seconds.max() + 1 <= period.latest)


def _by_bounds(
    events: Events, series: Sequence[columns.Series], own_bounds: Sequence[tuple[int, ...]]
) -> list[RequestColumns]:
    different = sorted(set(own_bounds))
    if len(different) == 1:
        return [columns.count(events, series, different[0])]
    positions = np.array([different.index(own) for own in own_bounds])[events.series]
    return [
        columns.count(events.of(positions == position), series, own)
        for position, own in enumerate(different)
    ]
