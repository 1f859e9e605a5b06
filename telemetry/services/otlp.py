"""Taking in OTLP metrics: one committed row of the log before the sender hears of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from google.protobuf.message import DecodeError

from core.errors import InvalidInput, Unavailable
from telemetry.domain.batches import MalformedBody
from telemetry.domain.fields import Period, WrongField
from telemetry.domain.grouping import Target
from telemetry.domain.otlp.attributes import Attributes, resource_of, slug_of
from telemetry.domain.otlp.lean import ExportRequest
from telemetry.domain.otlp.messages import canonical, from_json, parse_error
from telemetry.domain.otlp.points import encode
from telemetry.domain.otlp.reading import NotPlain, Reading, read
from telemetry.domain.otlp.writers import Writer, digest_of
from telemetry.models import BatchReceipt, TelemetryDelta
from telemetry.services import delta_log
from telemetry.services.ingest import Sender, database_answers, known_services
from telemetry.services.writers import (
    MAX_WRITERS,
    MovedOn,
    forget_writers,
    store_new_streams,
    writers_of,
)

__all__ = ["Taken", "store_metrics"]

_TRIES = 8
_KEY = "otlp:"
_NO_NAME = "service.name is missing: it says which service this is, by its slug."
_UNKNOWN = "service.name {name!r} is no service, or none that this token may report for."
_FULL = f"This service has more than {MAX_WRITERS} resources; remove attributes that change."


@dataclass(frozen=True)
class Taken:
    """What became of an export: points kept, points refused, and why."""

    accepted: int
    rejected: int
    message: str


@dataclass(frozen=True)
class _Resource:
    """A resource of a request: what it says of itself, or why it cannot be read."""

    attributes: Attributes = ()
    problem: str = ""

    @property
    def names(self) -> tuple[str, str]:
        name = dict(self.attributes).get("service.name", "")
        return name, slug_of(name)


def store_metrics(body: bytes, *, now: datetime, is_json: bool = False, sender: Sender) -> Taken:
    """Store the points of an ExportMetricsServiceRequest.

    The same bytes sent again within 48 hours are counted once: cumulative points by their times,
    delta points by a receipt of the body.

    Raises:
        InvalidInput: The body as a whole cannot be read.
        Unavailable: The database did not take it; nothing was stored.
    """
    plain = body
    with database_answers():
        try:
            if is_json:
                plain = from_json(body)
            return _store(plain, now=now, sender=sender, is_canonical=is_json)
        except NotPlain:
            return _canonically(plain, now=now, sender=sender)
        except MalformedBody as error:
            raise InvalidInput(str(error), field="body") from error


def _canonically(body: bytes, *, now: datetime, sender: Sender) -> Taken:
    forget_writers()
    try:
        return _store(canonical(body), now=now, sender=sender, is_canonical=True)
    except NotPlain as error:
        raise InvalidInput(str(parse_error(body)), field="body") from error
    except MalformedBody as error:
        raise InvalidInput(str(error), field="body") from error


def _store(body: bytes, *, now: datetime, sender: Sender, is_canonical: bool) -> Taken:
    try:
        request = ExportRequest.FromString(body)
    except DecodeError as error:
        raise NotPlain from error
    for _ in range(_TRIES):
        try:
            return _attempt(request, body, now=now, sender=sender, is_canonical=is_canonical)
        except MovedOn:
            forget_writers()
    raise Unavailable("Too many exports of this resource at once. Nothing was stored.")


def _attempt(
    request: Any, body: bytes, *, now: datetime, sender: Sender, is_canonical: bool
) -> Taken:
    delta_log.trust_quiet_connection()
    period = Period.until(now, retention=settings.TELEMETRY_RETENTION)
    found = _writers(request, sender, now=now)
    reading = read(
        request,
        lambda index, _: found[index],
        period=period,
        is_canonical=is_canonical,
    )
    taken = Taken(reading.accepted, reading.rejected, reading.message)
    if reading.blocks:
        writers = {writer.pk: writer for writer in found if isinstance(writer, Writer)}
        _append(reading, writers, body, now=now, sender=sender)
    return taken


def _append(
    reading: Reading, writers: Mapping[int, Writer], body: bytes, *, now: datetime, sender: Sender
) -> None:
    payload = encode(reading.blocks)
    delta = TelemetryDelta(
        received_at=now,
        token_id=sender.token_id,
        payload=payload,
        # What merging will hold in memory; packed it is a small part of that.
        size=sum(block.points.size for block in reading.blocks),
    )
    has_new = any(len(writer.numbers) > writer.stored for writer in writers.values())
    if not has_new and not reading.has_deltas:
        delta_log.append(delta)
        return
    try:
        with delta_log.write_turn(), transaction.atomic():
            if reading.has_deltas:
                _receipt(body, sender, now=now).save(force_insert=True)
            store_new_streams(writers.values(), now=now)
            delta.save(force_insert=True)
    except IntegrityError:
        forget_writers()
        if not _is_known(body, sender):
            raise
    except Exception:
        forget_writers()
        raise


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _receipt(body: bytes, sender: Sender, *, now: datetime) -> BatchReceipt:
    digest = _digest(body)
    return BatchReceipt(
        token_id=sender.token_id or 0,
        key=_KEY + digest.hex(),
        digest=digest,
        answer={"accepted": 0, "rejected": [], "rejected_count": 0},
        received_at=now,
    )


def _is_known(body: bytes, sender: Sender) -> bool:
    key = _KEY + _digest(body).hex()
    return BatchReceipt.objects.filter(token_id=sender.token_id or 0, key=key).exists()


def _writers(request: Any, sender: Sender, *, now: datetime) -> list[Writer | str]:
    """Return the writer of each resource of a request, or why there is none."""
    resources = [_read_resource(one.resource) for one in request.resource_metrics]
    slugs = {slug for one in resources for slug in one.names if slug}
    services = known_services(slugs, sender)
    targets = [_target(one, services) for one in resources]
    writers = writers_of(
        [
            (target, one.attributes)
            for one, target in zip(resources, targets, strict=True)
            if isinstance(target, Target)
        ],
        now=now,
    )
    found: list[Writer | str] = []
    for one, target in zip(resources, targets, strict=True):
        if isinstance(target, str):
            found.append(target)
        else:
            key = (target.service_id, digest_of(target.service_id, one.attributes))
            found.append(writers.get(key, _FULL))
    return found


def _read_resource(encoded: bytes) -> _Resource:
    try:
        return _Resource(resource_of(encoded))
    except DecodeError as error:
        raise NotPlain from error
    except WrongField as wrong:
        return _Resource(problem=f"{wrong.field}: {wrong.message}")


def _target(resource: _Resource, services: Mapping[str, Target]) -> Target | str:
    if resource.problem:
        return resource.problem
    name, slug = resource.names
    if not name:
        return _NO_NAME
    return services.get(name) or services.get(slug) or _UNKNOWN.format(name=name)
