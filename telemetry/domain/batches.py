"""Raw events, one JSON object per request or freshness report: decode, check, roll up.

The fast way decodes a whole batch at once and looks only at what distinguishes its groups
(`telemetry.domain.grouping`). As soon as anything is wrong, the slow way looks at each element by
itself, so that the valid rest is kept.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from telemetry.domain.deltas import Delta
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
    printable,
)
from telemetry.domain.grouping import Grouped, Target, group_freshness, group_requests


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
# What the decoder raises; the last where something nobody asked for is nested too deep.
UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
UNKNOWN_SERVICE = "No such service, or none that this token may report for."


class MalformedBody(ValueError):
    """The body as a whole is not what it says it is."""


@dataclass(frozen=True)
class Kind(Generic[Event]):
    """One kind of event: how it is decoded and grouped.

    Args:
        event: The struct.
        one, many: Decoders of one element and of an array.
        group: Finds what distinguishes the events of a batch.
        name_field: Which field holds the name.
    """

    event: type[Event]
    one: "msgspec.json.Decoder[Event]"
    many: "msgspec.json.Decoder[list[Event]]"
    group: Callable[[Sequence[Event], Period], Grouped]
    name_field: str


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
        grouped = kind.group(events, period)
        if grouped.lies_in(period) and "".join(grouped.names).isprintable():
            targets = resolve(grouped.slugs)
            if grouped.slugs <= targets.keys():
                return Batch(grouped.delta(targets), len(events))
    except UNDECODABLE:
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
    return Batch(kind.group(known, period).delta(targets), len(known), rejected)


def _checked(element: Any, kind: Kind[Event], period: Period) -> Event:
    if isinstance(element, WrongField):
        raise element
    event = convert(element, kind.event)
    printable(event.service, "service")
    printable(getattr(event, kind.name_field), kind.name_field)
    period.minute(event.timestamp)
    return event


REQUESTS = Kind(
    RequestEvent,
    msgspec.json.Decoder(RequestEvent),
    msgspec.json.Decoder(list[RequestEvent]),
    group_requests,
    "endpoint",
)
FRESHNESS = Kind(
    FreshnessEvent,
    msgspec.json.Decoder(FreshnessEvent),
    msgspec.json.Decoder(list[FreshnessEvent]),
    group_freshness,
    "source",
)
