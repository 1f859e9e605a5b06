"""From a request of a known key to its alerts: what came is stored with what it did, or not at all.

One transaction holds the raw request and everything it changed. An element that cannot be applied
is undone by itself, named in the request's `problem`, and shown in the inbox; the rest goes on.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from time import monotonic

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
from core.again import again_if_crossed, is_busy
from core.combining import Combiner
from core.errors import DomainError, TooLarge
from core.inserts import Inserts
from core.locking import wait_until
from core.shared_connection import SharedConnection
from incidents.domain import flapping
from incidents.domain.events import Act, AlertEvent, Reading
from incidents.domain.payloads import Unreadable
from incidents.domain.turns import bounded
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
from incidents.services.inbound import (
    RawRequest,
    Request,
    Taken,
    earlier,
    is_condition,
    noted,
    rows_of,
    taken_before,
)
from incidents.services.intake import AlertSignal

__all__ = ["IntegrationChanged", "RawRequest", "Taken", "settle", "take", "take_on_one_connection"]

log = structlog.get_logger(__name__)
# What a database or our own code says of one element that cannot be kept.
_REFUSALS = (DataError, IntegrityError, ValueError, TypeError)
_MOST_AT_ONCE = 64
# For what others hold a batch waits five seconds (`lock_timeout`); what is left of these its requests
# share when each is done by itself, or who is last would wait as long for each before it.
_PATIENCE_S = 6.0
_NO_DELIVERY = (0, "")
_connection = SharedConnection()


class IntegrationChanged(Exception):
    """The integration was changed, or its key taken back, since it was found; nothing was stored."""


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
    taken = _together.do(Request(integration, raw, reading, error, now, revision))
    if raw.cut:
        raise TooLarge(raw.cut, field="body")
    return taken


def _read(read: Callable[[], Reading]) -> tuple[Unreadable | None, Reading]:
    """Return what a body says, or why nothing: no fault of a reader may lose a body."""
    try:
        return None, bounded(read())
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
def _take_all(requests: Sequence[Request]) -> Sequence[Taken | BaseException]:
    until = monotonic() + _PATIENCE_S
    try:
        return _take_at_once(requests)
    except InterfaceError:
        raise
    except (*_REFUSALS, OperationalError) as error:
        if is_busy(error):
            raise
        # A deadlock ends here too; where the database is away, so is it for each of them.
        log.info("intake_one_by_one", requests=len(requests), error=type(error).__name__)
    configuration = current()
    return [
        _take_alone(request, until) if _holds(request, configuration) else IntegrationChanged()
        for request in requests
    ]


def _holds(request: Request, configuration: Configuration) -> bool:
    """Return whether a request's integration is what it was when it was found."""
    if request.revision in {None, configuration.token}:
        return True
    return configuration.still_has(request.integration)


@transaction.atomic
def _take_at_once(requests: Sequence[Request]) -> Sequence[Taken | BaseException]:
    """Store requests whose integrations hold and do what they say: all or none."""
    outlook = _look_ahead(requests)
    configuration = current(outlook.token)
    holds = [_holds(request, configuration) for request in requests]
    held = [request for request, is_held in zip(requests, holds, strict=True) if is_held]
    taken = iter(_store_once(held, configuration, outlook))
    return [next(taken) if is_held else IntegrationChanged() for is_held in holds]


def _store_once(
    requests: Sequence[Request], configuration: Configuration, outlook: Outlook
) -> list[Taken]:
    """Store requests but for messages that came before, or come twice."""
    before = earlier(requests)
    firsts = {request.delivery: request for request in reversed(requests) if request.delivery}
    new = [
        request
        for request in requests
        if request.delivery is None
        or (request.delivery not in before and firsts[request.delivery] is request)
    ]
    stored = dict(zip(map(id, new), _store(new, configuration, outlook), strict=True))
    taken: list[Taken] = []
    for request in requests:
        if (event := before.get(request.delivery or _NO_DELIVERY)) is not None:
            taken.append(taken_before(request, event))
        else:
            first = firsts[request.delivery] if request.delivery else request
            taken.append(stored[id(first)])
    return taken


def _look_ahead(requests: Sequence[Request]) -> Outlook:
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
    conditions: dict[tuple[int, str], bool] = {}
    for each, said in opens:
        # One of them that says when is enough to ask whether it is over.
        key = each.pk, said.dedup_key
        conditions[key] = said.is_ordered or conditions.get(key, False)
    return look_ahead(
        conditions,
        groups=sorted(groups),
        events=len(requests),
        alerts=len(opens),
        since=min(request.now for request in requests) - flapping.WINDOW,
    )


def _store(
    requests: Sequence[Request], configuration: Configuration, outlook: Outlook
) -> list[Taken]:
    """Store requests and do what they say, within the caller's transaction."""
    if not requests:
        return []
    now = max(request.now for request in requests)
    acts, inserts = Acts(), Inserts()
    events = rows_of(requests, outlook)
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
        if is_condition(said)
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
        noted(request, event, count, [], is_stored=not inserts.waits(event))
        for request, event, count in zip(requests, events, done, strict=True)
    ]
    acts.record(now=now, inserts=inserts, is_last=True)
    return taken


def _take_alone(request: Request, until: float) -> Taken | BaseException:
    """Store a request, and do what of it can be done."""
    try:
        return _taken_once(request, until)
    except Exception as error:  # noqa: BLE001 raised again by whoever sent it
        return error


def _taken_once(request: Request, until: float) -> Taken:
    delivery = request.delivery or _NO_DELIVERY
    if event := earlier([request]).get(delivery):
        return taken_before(request, event)
    try:
        return _stored_alone(request, until)
    except IntegrityError:
        # Another process was faster with the same message.
        if event := earlier([request]).get(delivery):
            return taken_before(request, event)
        raise


@again_if_crossed
@transaction.atomic
def _stored_alone(request: Request, until: float) -> Taken:
    wait_until(until)
    now = request.now
    acts, inserts = Acts(), Inserts()
    (event,) = rows_of([request], UNKNOWN)
    inserts.add(event)
    inserts.write()
    done = _apply_others(request, event, acts, now=now)
    signals = [
        _signal(request.integration, event, said)
        for said in _in_one_order(request.reading.events)
        if is_condition(said)
    ]
    applied, failed = _do_what_can_be(signals, acts, now=now)
    taken = noted(request, event, done + applied, failed)
    acts.record(now=now)
    return taken


@transaction.atomic
def settle(event: InboundEvent, *, actor: audit.Actor | str | None, now: datetime) -> None:
    """Take a request out of the inbox: somebody has looked at it. Again changes nothing."""
    waiting = InboundEvent.objects.filter(pk=event.pk, state__in=InboundEvent.WAITING)
    if waiting.update(state=InboundEvent.State.SETTLED):
        audit.record(act="inbound_event.settled", subject=event, actor=actor, now=now)


def _do_what_can_be(
    signals: Sequence[AlertSignal], acts: Acts, *, now: datetime
) -> tuple[int, list[str]]:
    """Do what signals say but for those that cannot be stored, which halving finds.

    Returns:
        How many opened or changed something, and what is told of those that could not.
    """
    if not signals:
        return 0, []
    own = Acts()
    try:
        with transaction.atomic():
            alerts = intake.take_many(signals, own, now=now)
    except _REFUSALS as error:
        if len(signals) == 1:
            log.exception("alert_not_applied", integration=signals[0].integration)
            return 0, [f"{signals[0].dedup_key}: could not be stored ({type(error).__name__})"]
    else:
        acts.extend(own)
        return sum(alert is not None for alert in alerts), []
    half = len(signals) // 2
    first, first_failed = _do_what_can_be(signals[:half], acts, now=now)
    second, second_failed = _do_what_can_be(signals[half:], acts, now=now)
    return first + second, first_failed + second_failed


def _apply_others(request: Request, event: InboundEvent, acts: Acts, *, now: datetime) -> int:
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
        if not is_condition(said):
            done += _act(integration, event, said, acts, now=now)
    return done


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
        is_person=said.is_person,
        note=said.note,
        event=event,
    )


_together = Combiner(_take_all, most=_MOST_AT_ONCE)
