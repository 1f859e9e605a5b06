"""From a request of a known key to its alerts: what came is stored with what it did, or not at all.

One transaction holds the raw request and everything it changed. An element that cannot be applied
is undone by itself, named in the request's `problem`, and shown in the inbox; the rest goes on.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    transaction,
)
from msgspec import structs

from core import audit
from core.combining import Combiner
from core.errors import DomainError, TooLarge
from core.inserts import Inserts, made
from core.shared_connection import SharedConnection
from incidents.domain import flapping
from incidents.domain.events import Act, AlertEvent, Reading
from incidents.domain.payloads import Unreadable, clean
from incidents.models import (
    Alert,
    ChangeEvent,
    InboundEvent,
    Integration,
)
from incidents.models.alerts import digest_of_group, sender_of
from incidents.queries.configuration import Configuration, current
from incidents.queries.outlook import UNKNOWN, Outlook, look_ahead
from incidents.services import heartbeats, intake
from incidents.services.acts import Acts
from incidents.services.alert_actions import act_on, act_on_closed
from incidents.services.intake import AlertSignal

__all__ = ["IntegrationChanged", "RawRequest", "Taken", "settle", "take", "take_on_one_connection"]

log = structlog.get_logger(__name__)
_KEPT = ("content-type", "user-agent", "sentry-hook-resource", "sentry-hook-timestamp",
         "x-amz-sns-message-type", "x-amz-sns-message-id", "webhook-id", "webhook-timestamp",
         "x-grafana-alerting-timestamp")  # fmt: skip
# What intake does for many at once, but for the end of one alert that was named.
_CONDITIONS = frozenset({Act.TRIGGER, Act.RESOLVE})
# What a database or our own code says of one element that cannot be kept.
_REFUSALS = (DataError, IntegrityError, ValueError, TypeError)
_MOST_AT_ONCE = 64
_connection = SharedConnection()


class IntegrationChanged(Exception):
    """The integration was changed, or its key taken back, since it was found; nothing was stored."""


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
class _Request:
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
    def has_others(self) -> bool:
        """Whether it says anything that neither opens nor ends an alert."""
        reading = self.reading
        acts = any(not _is_condition(said) for said in reading.events)
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


def take(
    integration: Integration,
    raw: RawRequest,
    read: Callable[[], Reading],
    *,
    now: datetime,
    revision: str | None = None,
) -> Taken:
    """Store a request and do what it says; committed when this returns.

    Requests that arrive in the same moment share a transaction (ADR 0012). Where one of them
    cannot be stored, each is done by itself.

    Args:
        integration: Whose key it carried.
        raw: What was sent.
        read: Reads it; raises `Unreadable` when it says nothing.
        now: The present.
        revision: Under which `find_known` returned the integration; None: it was just read.

    Raises:
        IntegrationChanged: It is not what it was under that revision. Find it again.
        TooLarge: Only its beginning was read, and is stored for people to see.
        django.db.OperationalError: The database does not answer; nothing was stored.
    """
    error, reading = (Unreadable(raw.cut), Reading()) if raw.cut else _read(read)
    taken = _together.do(_Request(integration, raw, reading, error, now, revision))
    if raw.cut:
        raise TooLarge(raw.cut, field="body")
    return taken


def _read(read: Callable[[], Reading]) -> tuple[Unreadable | None, Reading]:
    """Return what a body says, or why nothing: no fault of a reader may lose a body."""
    try:
        return None, read()
    except Unreadable as unreadable:
        return unreadable, Reading()
    except (DatabaseError, InterfaceError, DomainError):
        raise
    except Exception as error:
        log.exception("reader_broke")
        return Unreadable(f"body: could not be read ({type(error).__name__})"), Reading()


def take_on_one_connection() -> None:
    """Have the threads of this process take requests on a connection that they share (ADR 0022)."""
    _connection.open()


@_connection.in_place()
def _take_all(requests: Sequence[_Request]) -> Sequence[Taken | BaseException]:
    try:
        return _take_at_once(requests)
    except InterfaceError:
        raise
    except (*_REFUSALS, OperationalError) as error:
        # A deadlock ends here too; where the database is away, so is it for each of them.
        log.info("intake_one_by_one", requests=len(requests), error=type(error).__name__)
    configuration = current()
    return [
        _take_alone(request) if _holds(request, configuration) else IntegrationChanged()
        for request in requests
    ]


def _holds(request: _Request, configuration: Configuration) -> bool:
    """Return whether a request's integration is what it was when it was found."""
    if request.revision in {None, configuration.token}:
        return True
    return configuration.still_has(request.integration)


@transaction.atomic
def _take_at_once(requests: Sequence[_Request]) -> Sequence[Taken | BaseException]:
    """Store requests whose integrations hold and do what they say: all or none."""
    outlook = _look_ahead(requests)
    configuration = current(outlook.token)
    holds = [_holds(request, configuration) for request in requests]
    held = [request for request, is_held in zip(requests, holds, strict=True) if is_held]
    taken = iter(_store(held, configuration, outlook))
    return [next(taken) if is_held else IntegrationChanged() for is_held in holds]


def _look_ahead(requests: Sequence[_Request]) -> Outlook:
    opens = [
        (request.integration, said)
        for request in requests
        for said in request.reading.events
        if said.act is Act.TRIGGER
    ]
    groups = {
        digest_of_group(sender_of(each.pk), each.service_id, said.group)
        for each, said in opens
        if said.pages
    }
    return look_ahead(
        {(each.pk, said.dedup_key): said.is_ordered for each, said in opens},
        groups=sorted(groups),
        events=len(requests),
        alerts=len(opens),
        since=min(request.now for request in requests) - flapping.WINDOW,
    )


def _store(
    requests: Sequence[_Request], configuration: Configuration, outlook: Outlook
) -> list[Taken]:
    """Store requests and do what they say, within the caller's transaction."""
    if not requests:
        return []
    now = max(request.now for request in requests)
    acts, inserts = Acts(), Inserts()
    events = _events(requests, outlook)
    inserts.add(*events)
    if any(request.has_others for request in requests):
        inserts.write()
        outlook = UNKNOWN
    done = [
        _apply_others(request, event, acts, now=now)
        for request, event in zip(requests, events, strict=True)
    ]
    signals = [
        (number, _signal(request.integration, events[number], said))
        for number, request in enumerate(requests)
        for said in _in_one_order(request.reading.events)
        if _is_condition(said)
    ]
    alerts = intake.take_all(
        [signal for _, signal in signals],
        acts,
        now=now,
        inserts=inserts,
        configuration=configuration,
        outlook=outlook,
    )
    for (number, _), alert in zip(signals, alerts, strict=True):
        done[number] += alert is not None
    taken = [
        _taken(request, event, count, [], is_stored=not inserts.waits(event))
        for request, event, count in zip(requests, events, done, strict=True)
    ]
    # Before the audit: its chain is locked until the end, and others wait for it.
    inserts.write()
    acts.record(now=now)
    return taken


def _take_alone(request: _Request) -> Taken | BaseException:
    """Store a request, and do what of it can be done."""
    now = request.now
    try:
        with transaction.atomic():
            acts, inserts = Acts(), Inserts()
            (event,) = _events([request], UNKNOWN)
            inserts.add(event)
            inserts.write()
            done = _apply_others(request, event, acts, now=now)
            failed: list[str] = []
            for said in _in_one_order(request.reading.events):
                if not _is_condition(said):
                    continue
                own = Acts()
                try:
                    with transaction.atomic():
                        alert = intake.take(_signal(request.integration, event, said), own, now=now)
                except _REFUSALS as error:
                    log.exception("alert_not_applied", integration=request.integration.pk)
                    failed.append(f"{said.dedup_key}: could not be stored ({type(error).__name__})")
                    continue
                acts.extend(own)
                done += alert is not None
            taken = _taken(request, event, done, failed)
            acts.record(now=now)
    except Exception as error:  # noqa: BLE001 raised again by whoever sent it
        return error
    return taken


def _taken(
    request: _Request,
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


@transaction.atomic
def settle(event: InboundEvent, *, actor: audit.Actor | str | None, now: datetime) -> None:
    """Take a request out of the inbox: somebody has looked at it. Again changes nothing."""
    waiting = InboundEvent.objects.filter(pk=event.pk, state__in=InboundEvent.WAITING)
    if waiting.update(state=InboundEvent.State.SETTLED):
        audit.record(act="inbound_event.settled", subject=event, actor=actor, now=now)


def _events(requests: Sequence[_Request], outlook: Outlook) -> list[InboundEvent]:
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
            ext_id=request.reading.events[0].dedup_key if request.reading.events else "",
            # As it will be when all of it can be applied; corrected where it cannot.
            state=InboundEvent.State.PARSED,
            alerts=request.elements,
        )
        for key, request in zip(keys, requests, strict=True)
    ]


def _state(error: Unreadable | None, *, failed: bool, applied: int) -> InboundEvent.State:
    if error is not None:
        return InboundEvent.State.UNPARSED
    if not failed:
        return InboundEvent.State.PARSED
    return InboundEvent.State.PARTLY if applied else InboundEvent.State.UNPARSED


def _apply_others(request: _Request, event: InboundEvent, acts: Acts, *, now: datetime) -> int:
    """Do what a request says that neither opens nor ends an alert; returns how much that was."""
    integration, reading = request.integration, request.reading
    for change in reading.changes:
        ChangeEvent.objects.create(
            integration=integration,
            service=integration.service,
            at=change.at or now,
            summary=change.summary,
            source=change.source,
            url=change.url,
            facts=dict(change.facts),
        )
    for sign in reading.pings:
        heartbeats.ping(
            heartbeats.named(integration, sign.name), sign.sign, acts, now=now, event=event
        )
    done = len(reading.changes) + len(reading.pings)
    for said in reading.events:
        if not _is_condition(said):
            done += _act(integration, event, said, acts, now=now)
    return done


def _is_condition(said: AlertEvent) -> bool:
    return said.act in _CONDITIONS and said.alert_id is None


def _in_one_order(events: Iterable[AlertEvent]) -> list[AlertEvent]:
    # Two requests with the same alerts lock them in the same order, so neither waits for ever.
    return sorted(events, key=lambda event: event.dedup_key)


def _act(
    integration: Integration,
    event: InboundEvent,
    said: AlertEvent,
    acts: Acts,
    *,
    now: datetime,
) -> bool:
    """Do one thing that a sender says about an alert; returns whether anything was done."""
    signal = _signal(integration, event, said)
    if said.alert_id is None:
        alert = intake.open_alert(signal)
    else:
        alert = Alert.objects.select_for_update().filter(pk=said.alert_id).first()
    if alert is None:
        return False
    if alert.state != Alert.State.FIRING:
        return act_on_closed(alert, said, integration=integration, event=event, now=now)
    if said.act is Act.RESOLVE:
        # It may be the silence of a heartbeat, which is of another source.
        signal = structs.replace(signal, source=alert.source, dedup_key=alert.dedup_key)
        return intake.take(signal, acts, now=now) is not None
    act_on(alert, said, acts, integration=integration, event=event, now=now)
    return True


def _signal(integration: Integration, event: InboundEvent, said: AlertEvent) -> AlertSignal:
    return AlertSignal(
        source=integration.kind,
        dedup_key=said.dedup_key,
        firing=said.act is Act.TRIGGER,
        severity=said.severity,
        title=said.title,
        service=integration.service,
        detail=said.detail,
        url=said.url,
        facts=said.facts,
        integration=integration,
        runbook_url=said.runbook_url or integration.runbook_url,
        labels=said.labels,
        group_key=said.group,
        pages=said.pages,
        at=said.at if said.is_ordered else None,
        fired_before=said.fired_before,
        actor=said.actor,
        note=said.note,
        event=event,
    )


_together = Combiner(_take_all, most=_MOST_AT_ONCE)
