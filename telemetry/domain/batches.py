"""Raw events, one JSON object per request or freshness report: decode, check, roll up.

The fast way decodes a whole batch at once and looks only at what distinguishes its groups. As soon
as anything is wrong, the slow way looks at each element by itself, so that the valid rest is kept.
"""

import json
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from telemetry.domain.buckets import FRESHNESS_BOUNDS_S, count_by_bound, full_bounds
from telemetry.domain.deltas import (
    Delta,
    FreshnessCount,
    FreshnessKey,
    RequestCount,
    RequestKey,
)
from telemetry.domain.fields import (
    Age,
    Duration,
    Instant,
    Method,
    Name,
    Period,
    Status,
    WrongField,
    convert,
    known_method,
    printable,
)


class RequestEvent(msgspec.Struct, gc=False):
    """One answered request."""

    service: Name
    endpoint: Name
    status: Status
    duration_ms: Duration
    timestamp: Instant | float | None = None
    method: Method = ""


class FreshnessEvent(msgspec.Struct, gc=False):
    """How old the data of one source was when somebody looked."""

    service: Name
    source: Name
    age_s: Age
    timestamp: Instant | float | None = None


@dataclass(frozen=True)
class Target:
    """A service that the sender may report for."""

    service_id: int
    own_bounds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Rejection:
    """One element that was not kept: its position, the field and why."""

    index: int
    field: str
    error: str
    is_unknown_service: bool = False

    @property
    def sentence(self) -> str:
        """What is wrong, beginning with the field: readers of the text alone must find it."""
        return f"{self.field}: {self.error}" if self.field else self.error


@dataclass
class Batch:
    """What a body came to: the delta to store, and what of it could not be used."""

    delta: Delta
    accepted: int
    rejected: list[Rejection] = field(default_factory=list)


Resolve = Callable[[set[str]], Mapping[str, Target]]
Event = TypeVar("Event", RequestEvent, FreshnessEvent)
Group = tuple[str, str, str, int, float]
Groups = dict[Group, list[float]]
UNKNOWN_SERVICE = "No such service, or none that this token may report for."


class MalformedBody(ValueError):
    """The body as a whole is not what it says it is."""


@dataclass(frozen=True)
class Kind(Generic[Event]):
    """One kind of event: how it is decoded, grouped and turned into a delta.

    Args:
        event: The struct.
        one, many: Decoders of one element and of an array.
        group: Key of an event without its minute: service, name, method, status.
        name_field: Which field holds the name.
        value: The measured value.
        delta: Makes the delta of groups by service.
    """

    event: type[Event]
    one: "msgspec.json.Decoder[Event]"
    many: "msgspec.json.Decoder[list[Event]]"
    group: Callable[[Sequence[Event], Period], Groups]
    name_field: str
    delta: Callable[[Groups, Mapping[str, Target]], Delta]


def read_batch(
    body: bytes, kind: Kind[Event], *, lines: bool, period: Period, resolve: Resolve
) -> Batch:
    """Return what a body of events adds, and what of it could not be used.

    Args:
        body: JSON array, one JSON object, or with `lines` one JSON object a line.
        kind: `REQUESTS` or `FRESHNESS`.
        lines: Whether the body is NDJSON.
        period: Which timestamps are accepted.
        resolve: Finds the services by their slugs; unknown ones are missing from its answer.

    Raises:
        MalformedBody: If the body is not JSON, or neither an array nor an object.
    """
    try:
        events = _decode(body, kind, lines=lines)
        groups = kind.group(events, period)
        if all(f"{key[0]}{key[1]}".isprintable() for key in groups):
            targets = resolve({key[0] for key in groups})
            if all(key[0] in targets for key in groups):
                return Batch(kind.delta(groups, targets), len(events))
    except (msgspec.DecodeError, WrongField, UnicodeDecodeError):
        pass
    return _read_one_by_one(_elements(body, lines=lines), kind, period=period, resolve=resolve)


def _decode(body: bytes, kind: Kind[Event], *, lines: bool) -> list[Event]:
    if lines:
        return kind.one.decode_lines(body)
    if body.lstrip()[:1] == b"{":
        return [kind.one.decode(body)]
    return kind.many.decode(body)


def _elements(body: bytes, *, lines: bool) -> list[Any]:
    """Return the decoded elements; a line that is not JSON becomes its own `WrongField`."""
    if lines:
        return [_line(line) for line in body.split(b"\n") if line.strip()]
    decoded = loads(body)
    if isinstance(decoded, dict):
        return [decoded]
    if not isinstance(decoded, list):
        raise MalformedBody("Send a JSON array of objects, or one object a line as NDJSON.")
    return decoded


def loads(body: bytes) -> Any:
    """Return decoded JSON.

    Raises:
        MalformedBody: If it is not UTF-8, not JSON, or nested too deep.
    """
    # The standard decoder reads NaN and Infinity, so that they can be blamed on their element.
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise MalformedBody(f"Is not valid JSON: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno} column {error.colno}"
    return "nested too deep" if isinstance(error, RecursionError) else "unreadable characters"


def _line(line: bytes) -> Any:
    try:
        return loads(line)
    except MalformedBody as error:
        return WrongField("", str(error))


def _read_one_by_one(
    elements: Sequence[Any], kind: Kind[Event], *, period: Period, resolve: Resolve
) -> Batch:
    rejected: list[Rejection] = []
    valid: list[tuple[int, Event]] = []
    for index, element in enumerate(elements):
        try:
            valid.append((index, _checked(element, kind, period)))
        except WrongField as wrong:
            rejected.append(Rejection(index, wrong.field, wrong.message))
    targets = resolve({event.service for _, event in valid})
    known = [event for _, event in valid if event.service in targets]
    rejected += [
        Rejection(index, "service", UNKNOWN_SERVICE, is_unknown_service=True)
        for index, event in valid
        if event.service not in targets
    ]
    rejected.sort(key=lambda rejection: rejection.index)
    return Batch(kind.delta(kind.group(known, period), targets), len(known), rejected)


def _checked(element: Any, kind: Kind[Event], period: Period) -> Event:
    if isinstance(element, WrongField):
        raise element
    event = convert(element, kind.event)
    printable(event.service, "service")
    printable(getattr(event, kind.name_field), kind.name_field)
    period.minute(event.timestamp)
    return event


def _group_requests(events: Sequence[RequestEvent], period: Period) -> Groups:
    # This loop is what a batch costs: no calls, and the minute stays a float until the group is.
    groups: Groups = {}
    current = float(period.minute(None))
    earliest, latest = period.earliest, period.latest
    for event in events:
        at = event.timestamp
        if at is None:
            minute = current
        else:
            seconds = at if type(at) is float else at.timestamp()  # type: ignore[union-attr]
            if not earliest <= seconds <= latest:
                period.minute(seconds)
            minute = seconds // 60
        key = (event.service, event.endpoint, event.method, event.status, minute)
        durations = groups.get(key)
        if durations is None:
            groups[key] = [event.duration_ms]
        else:
            durations.append(event.duration_ms)
    return groups


def _group_freshness(events: Sequence[FreshnessEvent], period: Period) -> Groups:
    groups: Groups = {}
    for event in events:
        minute = float(period.minute(event.timestamp))
        key = (event.service, event.source, "", 0, minute)
        groups.setdefault(key, []).append(event.age_s)
    return groups


def _requests_delta(groups: Groups, targets: Mapping[str, Target]) -> Delta:
    known = {
        slug: (target.service_id, target.own_bounds, full_bounds(target.own_bounds))
        for slug, target in targets.items()
    }
    methods = {key[2]: known_method(key[2]) for key in groups}
    rows = []
    for (slug, endpoint, method, status, minute), durations in groups.items():
        service_id, own, bounds = known[slug]
        key = RequestKey(service_id, endpoint, methods[method], status, int(minute), own)
        counts = [0] * (len(bounds) + 1)
        for duration in durations:
            counts[bisect_left(bounds, duration)] += 1
        rows.append(RequestCount(key, len(durations), sum(durations), counts))
    return Delta(requests=rows)


def _freshness_delta(groups: Groups, targets: Mapping[str, Target]) -> Delta:
    rows = [
        FreshnessCount(
            FreshnessKey(targets[slug].service_id, source, int(minute)),
            len(ages),
            count_by_bound(ages, FRESHNESS_BOUNDS_S),
        )
        for (slug, source, _, _, minute), ages in groups.items()
    ]
    return Delta(freshness=rows)


REQUESTS = Kind(
    RequestEvent,
    msgspec.json.Decoder(RequestEvent),
    msgspec.json.Decoder(list[RequestEvent]),
    _group_requests,
    "endpoint",
    _requests_delta,
)
FRESHNESS = Kind(
    FreshnessEvent,
    msgspec.json.Decoder(FreshnessEvent),
    msgspec.json.Decoder(list[FreshnessEvent]),
    _group_freshness,
    "source",
    _freshness_delta,
)
