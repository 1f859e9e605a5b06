"""Taking telemetry from an HTTP request: who sends it, under which key, and what it holds."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from accounts.authentication import authenticate
from accounts.models import ApiToken
from accounts.scopes import Scope
from core import clock
from core.errors import InvalidInput
from telemetry.domain.batches import Kind
from telemetry.domain.otlp import messages
from telemetry.http_body import JSON_TYPE, read_body
from telemetry.services import ingest, otlp
from telemetry.services.ingest import Answer, Sender

MAX_KEY = 200
# The attribute of a request that holds what `take` came to, when it was asked before the view.
OUTCOME = "ingest_outcome"
PROTOBUF_TYPE = "application/x-protobuf"


@dataclass(frozen=True)
class ExportAnswer:
    """An ExportMetricsServiceResponse in the encoding of the request."""

    body: bytes
    content_type: str


def take(request: HttpRequest, kind: Kind[Any]) -> Answer:
    """Check the sender, store the body and say what became of it.

    Raises:
        DomainError: Nothing was stored: the token, a header, the body or the database is to blame.
    """
    token = authenticate(request, Scope.INGEST)
    now = clock.now()
    key = _idempotency_key(request)
    body = read_body(request)
    return ingest.store_body(
        body.data, now=now, kind=kind, lines=body.lines, sender=sender_of(token), key=key
    )


def take_metrics(request: HttpRequest) -> ExportAnswer:
    """Check the sender of an OTLP export, store its points and say how many were not kept.

    Raises:
        DomainError: Nothing was stored: the token, a header, the body or the database is to blame.
    """
    token = authenticate(request, Scope.INGEST)
    now = clock.now()
    body = read_body(request, types=(PROTOBUF_TYPE, JSON_TYPE))
    as_json = body.content_type == JSON_TYPE
    taken = otlp.store_metrics(body.data, now=now, is_json=as_json, sender=sender_of(token))
    answer = messages.response(taken.rejected, taken.message, as_json=as_json)
    return ExportAnswer(answer, body.content_type)


def sender_of(token: ApiToken) -> Sender:
    """Return who reports: a token that was checked, and its owner."""
    # A checked token is kept for seconds in this process; what its owner may see, as long with it.
    known = vars(token).setdefault("_known_services", {})
    return Sender(token_id=token.pk, user=token.user, known=known)


def _idempotency_key(request: HttpRequest) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > MAX_KEY or not key.isprintable():
        raise InvalidInput(f"At most {MAX_KEY} printable characters.", field="Idempotency-Key")
    return key
