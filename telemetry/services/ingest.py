"""Taking in measurements: an accepted batch is one committed row before the sender hears of it."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, transaction

from catalog.models import Service
from core.errors import Conflict, InvalidInput, NotFound, Unavailable
from telemetry.domain.batches import (
    REQUESTS,
    UNKNOWN_SERVICE,
    Batch,
    Kind,
    MalformedBody,
    Rejection,
    loads,
    read_batch,
)
from telemetry.domain.deltas import encode
from telemetry.domain.fields import Period, WrongField, convert, printable
from telemetry.domain.grouping import Target
from telemetry.domain.reports import Report, decode_report, is_report, read_report
from telemetry.models import BatchReceipt, TelemetryDelta
from telemetry.services import delta_log

if TYPE_CHECKING:
    from accounts.models import User

MAX_LISTED = 1_000
_SLUGS_A_QUERY = 500


@dataclass(frozen=True)
class Sender:
    """Who reports: a token and its owner, or the portal itself (the default).

    Args:
        token_id: The token that came with the batch.
        user: Its owner; decides which services are known.
        known: Services found for this sender before, trusted for as long as its token is.
    """

    token_id: int | None = None
    user: "User | None" = None
    known: dict[str, Target] | None = None


PORTAL = Sender()


@dataclass(frozen=True)
class Answer:
    """What became of a batch.

    Args:
        accepted: Elements kept.
        rejected: The first `MAX_LISTED` elements that were not, in order.
        rejected_count: How many were not kept in all.
        is_replay: Whether this is the answer given before under the same idempotency key.
    """

    accepted: int
    rejected: list[Rejection] = field(default_factory=list)
    rejected_count: int = 0
    is_replay: bool = False

    def body(self) -> dict[str, Any]:
        """Return the JSON that senders see."""
        listed = [
            {"index": item.index, "field": item.field, "error": item.sentence}
            for item in self.rejected
        ]
        return {
            "accepted": self.accepted,
            "rejected": listed,
            "rejected_count": self.rejected_count,
        }

    @property
    def is_refusal(self) -> bool:
        """Whether nothing of a batch that held something was kept."""
        return self.accepted == 0 and self.rejected_count > 0

    @property
    def is_unknown_service(self) -> bool:
        """Whether every element was refused because its service is not known."""
        return self.is_refusal and all(item.is_unknown_service for item in self.rejected)


def store_body(
    body: bytes,
    *,
    now: datetime,
    kind: Kind[Any] = REQUESTS,
    lines: bool = False,
    sender: Sender = PORTAL,
    key: str = "",
) -> Answer:
    """Store what a request body holds: raw events, or one pre-aggregated report.

    Args:
        body: Decoded bytes: a JSON array of events, one event, one report, or NDJSON events.
        now: Instant of arrival; the time of events without a timestamp.
        kind: Which events these are.
        lines: Whether the body is NDJSON.
        sender: Who reports; decides which services are known.
        key: Idempotency key: the same body under it again is answered alike and not stored.

    Raises:
        InvalidInput: The body as a whole cannot be read.
        NotFound: A report's service is unknown to the sender.
        Conflict: The key was used for another body.
        Unavailable: The database did not take it; nothing was stored.
    """

    def read() -> Batch:
        try:
            report = None if lines else _report_in(body)
            if report is not None:
                return _read_report(report, sender=sender, now=now)
            return read_batch(
                body,
                kind,
                lines=lines,
                period=_period(now),
                resolve=lambda slugs: known_services(slugs, sender),
            )
        except MalformedBody as error:
            raise InvalidInput(str(error), field="body") from error

    with database_answers():
        return _once(read, body=body, sender=sender, key=key, now=now)


def store_batch(
    events: Iterable[Mapping[str, Any]],
    *,
    now: datetime,
    kind: Kind[Any] = REQUESTS,
    sender: Sender = PORTAL,
) -> Answer:
    """Store raw events given as mappings with the fields of the wire form."""
    return store_body(msgspec.json.encode(list(events)), now=now, kind=kind, sender=sender)


def store_report(
    report: Mapping[str, Any], *, now: datetime, sender: Sender = PORTAL, key: str = ""
) -> Answer:
    """Store what a reporter in this process counted; same rules and form as over HTTP."""
    with database_answers():
        return _once(
            lambda: _read_report(report, sender=sender, now=now),
            body=msgspec.json.encode(report),
            sender=sender,
            key=key,
            now=now,
        )


def known_services(slugs: set[str], sender: Sender) -> Mapping[str, Target]:
    """Return the services among `slugs` that the sender may report for, by slug."""
    if sender.known is None:
        return _find_services(slugs, sender)
    if missing := slugs - sender.known.keys():
        sender.known.update(_find_services(missing, sender))
    return sender.known


def _find_services(slugs: set[str], sender: Sender) -> dict[str, Target]:
    visible = Service.objects.all()
    if sender.user is not None:
        visible = Service.objects.visible_to(sender.user)
    wanted = list(slugs)
    found = {}
    for start in range(0, len(wanted), _SLUGS_A_QUERY):
        rows = visible.filter(slug__in=wanted[start : start + _SLUGS_A_QUERY])
        for pk, slug, own in rows.values_list("pk", "slug", "telemetry__own_bounds_ms"):
            found[slug] = Target(pk, tuple(own or ()))
    return found


def _period(now: datetime) -> Period:
    return Period.until(now, retention=settings.TELEMETRY_RETENTION)


def _report_in(body: bytes) -> Report | Mapping[str, Any] | None:
    if body.lstrip()[:1] != b"{":
        return None
    if (report := decode_report(body)) is not None:
        return report
    decoded = loads(body)
    return decoded if is_report(decoded) else None


def _read_report(raw: Report | Mapping[str, Any], *, sender: Sender, now: datetime) -> Batch:
    try:
        report = raw if isinstance(raw, Report) else convert(raw, Report)
        slug = printable(report.service, "service")
        target = known_services({slug}, sender).get(slug)
        if target is None:
            raise NotFound(UNKNOWN_SERVICE, field="service")
        return read_report(report, target=target, period=_period(now))
    except WrongField as wrong:
        raise InvalidInput(wrong.message, field=wrong.field or "body") from wrong


def _once(read: Any, *, body: bytes, sender: Sender, key: str, now: datetime) -> Answer:
    if not key:
        answer, delta = _row(read(), sender=sender, now=now)
        if delta is not None:
            delta_log.append(delta)
        return answer
    digest = hashlib.sha256(body).digest()
    if (earlier := _replay(sender, key, digest)) is not None:
        return earlier
    answer, delta = _row(read(), sender=sender, now=now)
    if answer.is_refusal:
        return answer
    receipt = BatchReceipt(
        token_id=sender.token_id or 0, key=key, digest=digest, answer=answer.body(), received_at=now
    )
    try:
        with delta_log.write_turn(), transaction.atomic():
            receipt.save(force_insert=True)
            if delta is not None:
                delta.save(force_insert=True)
    except IntegrityError:
        earlier = _replay(sender, key, digest)
        if earlier is None:
            raise
        return earlier
    return answer


def _row(batch: Batch, *, sender: Sender, now: datetime) -> tuple[Answer, TelemetryDelta | None]:
    answer = Answer(batch.accepted, batch.rejected[:MAX_LISTED], len(batch.rejected))
    if batch.delta.is_empty():
        return answer, None
    payload = encode(batch.delta)
    return answer, TelemetryDelta(
        received_at=now, token_id=sender.token_id, payload=payload, size=len(payload)
    )


def _replay(sender: Sender, key: str, digest: bytes) -> Answer | None:
    receipt = BatchReceipt.objects.filter(token_id=sender.token_id or 0, key=key).first()
    if receipt is None:
        return None
    if bytes(receipt.digest) != digest:
        raise Conflict("This key was used for another body.", field="Idempotency-Key")
    given = receipt.answer
    rejected = [
        Rejection(item["index"], item["field"], item["error"].removeprefix(f"{item['field']}: "))
        for item in given["rejected"]
    ]
    return Answer(given["accepted"], rejected, given["rejected_count"], is_replay=True)


@contextmanager
def database_answers() -> Iterator[None]:
    """Say that the portal is away, rather than broken, when its database is."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        raise Unavailable("The database does not answer. Nothing was stored.") from error
