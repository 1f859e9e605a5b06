"""Requests of senders: what came, what it says, and the row that keeps it."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.inserts import made
from incidents.domain.events import Act, AlertEvent, Reading
from incidents.domain.payloads import Unreadable, clean
from incidents.models import InboundEvent, Integration
from incidents.queries.outlook import Outlook

__all__ = [
    "RawRequest",
    "Request",
    "Taken",
    "earlier",
    "is_condition",
    "noted",
    "rows_of",
    "taken_before",
]

Delivery = tuple[int, str]
_LONGEST_NAME = 100

_KEPT = ("content-type", "user-agent", "sentry-hook-resource", "sentry-hook-timestamp",
         "x-amz-sns-message-type", "x-amz-sns-message-id", "webhook-id", "webhook-timestamp",
         "x-grafana-alerting-timestamp")  # fmt: skip
# What intake does for many at once, but for the end of one alert that was named.
_CONDITIONS = frozenset({Act.TRIGGER, Act.RESOLVE})


@dataclass(frozen=True)
class RawRequest:
    """What was sent.

    Args:
        address: Path without the key.
        body: Raw bytes.
        content_type: With its parameters.
        headers: Names in lower case; only those that say something are kept.
        cut: That `body` is only the beginning of what was sent, in words; "" where it is all of it.
    """

    address: str
    body: bytes
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: str = ""


@dataclass(frozen=True)
class Request:
    """What was sent, and what it says: nothing where there is an error."""

    integration: Integration
    raw: RawRequest
    reading: Reading
    error: Unreadable | None
    now: datetime
    revision: str | None = None

    @property
    def elements(self) -> int:
        """How many things it says."""
        return len(self.reading.events) + len(self.reading.changes) + len(self.reading.pings)

    @property
    def delivery(self) -> Delivery | None:
        """Which message of which integration it is; None where messages have no names."""
        name = self.reading.delivery_id
        if not name:
            return None
        is_long = len(name) > _LONGEST_NAME
        return self.integration.pk, hashlib.sha256(name.encode()).hexdigest() if is_long else name

    @property
    def has_others(self) -> bool:
        """Whether it says anything that neither opens nor ends an alert."""
        reading = self.reading
        acts = any(not is_condition(said) for said in reading.events)
        return bool(acts or reading.changes or reading.pings)


@dataclass(frozen=True)
class Taken:
    """What became of a request.

    Args:
        event: Its stored row.
        error: Why nothing of it could be read; None when something was.
        applied: Elements that opened or changed something.
        remarks: Elements that could not be read or applied, and what else its sender is told.
    """

    event: InboundEvent
    error: Unreadable | None
    applied: int
    remarks: tuple[str, ...]


def is_condition(said: AlertEvent) -> bool:
    """Return whether what is said opens or ends the alert of a key."""
    return said.act in _CONDITIONS and said.alert_id is None


def rows_of(requests: Sequence[Request], outlook: Outlook) -> list[InboundEvent]:
    """Return the rows that keep requests, not stored yet, as they are when all can be applied."""
    keys = outlook.reserve(InboundEvent, len(requests))
    return [
        made(
            InboundEvent,
            related={"integration": request.integration},
            id=key,
            uid=uuid.uuid4(),
            received_at=request.now,
            address=clean(request.raw.address)[:600],
            content_type=clean(request.raw.content_type)[:200],
            headers={
                name: clean(request.raw.headers[name])[:500]
                for name in _KEPT
                if name in request.raw.headers
            },
            body=request.raw.body,
            sha256=hashlib.sha256(request.raw.body).hexdigest(),
            delivery_id=request.delivery[1] if request.delivery else None,
            ext_id=request.reading.events[0].dedup_key if request.reading.events else "",
            # As it will be when all of it can be applied; corrected where it cannot.
            state=InboundEvent.State.PARSED,
            alerts=request.elements,
        )
        for key, request in zip(keys, requests, strict=True)
    ]


def earlier(requests: Sequence[Request]) -> dict[Delivery, InboundEvent]:
    """Return the rows of messages that came before; asks only where messages have names."""
    named = {request.delivery for request in requests if request.delivery}
    if not named:
        return {}
    rows = InboundEvent.objects.filter(
        integration__in={integration for integration, _ in named},
        delivery_id__in={name for _, name in named},
    )
    found = rows.only("uid", "integration", "delivery_id", "alerts", "problem")
    return {(row.integration_id, row.delivery_id or ""): row for row in found}


def taken_before(request: Request, event: InboundEvent) -> Taken:
    """Return what is answered to a message that came again: what became of the first."""
    return Taken(event, None, event.alerts, (*event.problem.splitlines(), *request.reading.notes))


def noted(
    request: Request,
    event: InboundEvent,
    applied: int,
    failed: Sequence[str],
    *,
    is_stored: bool = True,
) -> Taken:
    """Note at a request what became of it, where that is not what was thought."""
    error, reading = request.error, request.reading
    remarks = (*((str(error),) if error else ()), *reading.remarks, *failed)
    if remarks or applied != event.alerts:
        event.state = _state(error, failed=bool(failed or reading.remarks), applied=applied)
        event.problem = "\n".join(remarks)[:10_000]
        event.alerts = applied
        if is_stored:
            event.save(update_fields=["state", "problem", "alerts"])
    return Taken(event, error, applied, (*remarks, *reading.notes))


def _state(error: Unreadable | None, *, failed: bool, applied: int) -> InboundEvent.State:
    if error is not None:
        return InboundEvent.State.UNPARSED
    if not failed:
        return InboundEvent.State.PARSED
    return InboundEvent.State.PARTLY if applied else InboundEvent.State.UNPARSED
