"""Opsgenie's alert API, as far as senders use it, with its bodies and status codes."""

import base64
import uuid
from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse

from core import clock
from core.errors import InvalidInput
from incidents.domain.events import Reading
from incidents.domain.formats import opsgenie
from incidents.domain.formats.context import Context
from incidents.domain.payloads import decode
from incidents.models import Alert, InboundEvent, Integration
from incidents.services import integrations
from incidents.services.receiving import Taken, take
from incidents.webhooks.requests import raw_request, webhook

__all__ = [
    "alert",
    "alerts",
    "answer",
    "integration_of",
    "request_status",
    "too_large",
    "unavailable",
    "unknown_key",
]

PRIORITIES = {"P0": "P1", "P1": "P2", "P2": "P3", "P3": "P4"}


def answer(status: int, request_id: str = "", **body: Any) -> JsonResponse:
    said = {**body, "took": 0.0, "requestId": request_id or str(uuid.uuid4())}
    return JsonResponse(said, status=status)


def too_large() -> HttpResponse:
    return answer(413, message="Request body is larger than 512 KB.")


def unavailable() -> HttpResponse:
    return answer(503, message="Nothing was stored. Please retry later.")


def unknown_key() -> HttpResponse:
    return answer(401, message="Could not authenticate")


def _not_found() -> HttpResponse:
    return answer(404, message="Alert does not exist with the given identifier.")


@webhook("POST", "GET", large=too_large, broken=unavailable)
def alerts(request: HttpRequest) -> HttpResponse:
    """`/v2/alerts`: create one; GET lists what the key opened, newest first."""
    integration = integration_of(request)
    if integration is None:
        return unknown_key()
    if request.method == "GET":
        newest = _own(integration).order_by("-pk")[:100]
        return answer(200, data=[_shown(found) for found in newest])
    context = Context(integration.kind, severity_map=integration.severity_map)
    fresh_key = str(uuid.uuid4())
    return _take(
        request,
        integration,
        lambda said: opsgenie.read_create(said, context, fresh_key=fresh_key),
    )


@webhook("POST", "PUT", "PATCH", "GET", "DELETE", large=too_large, broken=unavailable)
def alert(request: HttpRequest, identifier: str, action: str = "") -> HttpResponse:
    """`/v2/alerts/<identifier>[/<action>]`, by id, tiny id or alias."""
    integration = integration_of(request)
    if integration is None:
        return unknown_key()
    kind = request.GET.get("identifierType", "id")
    found = _find(integration, identifier, kind)
    if request.method == "GET":
        return _not_found() if found is None else answer(200, data=_shown(found))
    if found is None and kind != "alias":
        return _not_found()
    act = action or "close"
    key = identifier if found is None else found.dedup_key
    return _take(request, integration, lambda said: opsgenie.read_action(act, said, key=key))


@webhook("GET", large=too_large, broken=unavailable)
def request_status(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """`/v2/alerts/requests/<id>`: what became of a request."""
    integration = integration_of(request)
    if integration is None:
        return unknown_key()
    event = InboundEvent.objects.filter(integration=integration, uid=request_id).first()
    if event is None:
        return answer(404, message="Request does not exist with the given id.")
    found = Alert.objects.filter(log__event=event).first()
    done = event.state == InboundEvent.State.PARSED
    data = {
        "success": done,
        "isSuccess": done,
        "action": "Process",
        "processedAt": event.received_at.isoformat(),
        "integrationId": str(integration.pk),
        "status": event.problem or ("Processed" if found else "Alert does not exist"),
        "alertId": str(found.pk) if found else "",
        "alias": event.ext_id,
    }
    return answer(200, str(event.uid), data=data)


def _take(
    request: HttpRequest, integration: Integration, reader: Callable[[Any], Reading]
) -> HttpResponse:
    try:
        raw = raw_request(request)
    except InvalidInput as error:
        return answer(400, message=error.message)

    def read() -> Reading:
        return reader(decode(raw.body, "application/json") if raw.body else {})

    return _done(take(integration, raw, read, now=clock.now()))


def _done(taken: Taken) -> HttpResponse:
    request_id = str(taken.event.uid)
    if isinstance(taken.error, opsgenie.Invalid):
        message = "Request body is not processable. Please check the errors."
        return answer(422, request_id, message=message, errors=taken.error.errors)
    if taken.error is not None:
        return answer(400, request_id, message=str(taken.error))
    return answer(202, request_id, result="Request will be processed")


def integration_of(request: HttpRequest) -> Integration | None:
    return integrations.find(_key(request), Integration.Kind.OPSGENIE)


def _key(request: HttpRequest) -> str:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "geniekey":
        return given
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(given, validate=True).decode()
        except ValueError:
            return ""
        name, _, password = pair.partition(":")
        return password or name
    return request.GET.get("apiKey", "")


def _own(integration: Integration) -> QuerySet[Alert]:
    return Alert.objects.filter(integration=integration)


def _find(integration: Integration, identifier: str, kind: str) -> Alert | None:
    if kind == "alias":
        return _own(integration).filter(dedup_key=identifier).order_by("-pk").first()
    number = int(identifier) if identifier.isascii() and identifier.isdigit() else 0
    return _own(integration).filter(pk=number).first() if 0 < number < 2**63 else None


def _shown(found: Alert) -> dict[str, Any]:
    return {
        "id": str(found.pk),
        "tinyId": str(found.pk),
        "alias": found.dedup_key,
        "message": found.title,
        "description": found.detail,
        "status": "open" if found.state == Alert.State.FIRING else "closed",
        "acknowledged": found.acknowledged_at is not None,
        "owner": found.acknowledged_by,
        "priority": PRIORITIES[found.severity],
        "count": found.count,
        "createdAt": found.opened_at.isoformat(),
        "updatedAt": found.last_seen_at.isoformat(),
        "lastOccurredAt": found.last_seen_at.isoformat(),
        "source": found.source,
        "details": found.labels,
        "tags": found.facts.get("tags", []),
    }
