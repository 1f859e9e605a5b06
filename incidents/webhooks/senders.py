"""`/integrations/v1/<kind>/<key>/`: webhooks whose senders only look at the status.

The key may stand in the header `Authorization` as well, where no log of addresses has it.
"""

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from msgspec import structs

from core import clock
from core.errors import InvalidInput
from core.program_answers import json_answer
from incidents.adapters import sns_signatures
from incidents.adapters.sns_signatures import NotVerified
from incidents.domain.events import HeartbeatPing, Reading
from incidents.domain.formats import amazon_sns
from incidents.domain.formats.context import Context
from incidents.domain.formats.registry import WEBHOOKS
from incidents.domain.payloads import Unreadable, decode
from incidents.domain.signatures import delivery_of, is_signed
from incidents.models import Integration
from incidents.services import integrations
from incidents.services.receiving import RawRequest, Taken, take
from incidents.webhooks.requests import (
    authorization,
    begun_request,
    raw_query,
    raw_request,
    webhook,
)
from oncall.domain.exports.senders import kind_called

__all__ = ["heartbeat", "receive", "receive_authorized"]

# Its webhooks can be told to put what they say into the address.
_ALSO_BY_GET = frozenset({Integration.Kind.UPTIMEKUMA})


def _large() -> HttpResponse:
    return json_answer({"status": "error", "message": "body: at most 512 KiB"}, status=413)


def _broken() -> HttpResponse:
    return json_answer({"status": "error", "message": "Nothing was stored; try again."}, status=503)


def _unknown() -> HttpResponse:
    return json_answer({"status": "error", "message": "There is no such integration."}, status=404)


def _unauthorized() -> HttpResponse:
    said = {
        "status": "error",
        "message": "Authorization: no integration of this kind has that key.",
    }
    return json_answer(said, status=401, headers={"WWW-Authenticate": "Bearer"})


def _refused(error: InvalidInput) -> HttpResponse:
    return json_answer({"status": "error", "message": f"body: {error.message}"}, status=400)


@webhook("POST", "GET", large=_large, broken=_broken)
def receive(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """Take a webhook; 200 means that it is stored. Kinds may be called as Grafana OnCall does."""
    return _received(request, kind_called(kind) or kind, key) or _unknown()


@webhook("POST", "GET", large=_large, broken=_broken)
def receive_authorized(request: HttpRequest, kind: str) -> HttpResponse:
    """Take a webhook whose key is in its header `Authorization`."""
    _, key = authorization(request)
    return _received(request, kind_called(kind) or kind, key) or _unauthorized()


def _received(request: HttpRequest, kind: str, key: str) -> HttpResponse | None:
    """Return the answer to a webhook, None where no integration of that kind has the key."""
    is_query = request.method == "GET"
    if is_query and not (kind in _ALSO_BY_GET and request.GET):
        return HttpResponseNotAllowed(["POST"])
    integration, revision = integrations.find_known(key, kind)
    if integration is None:
        return None
    try:
        raw = raw_query(request) if is_query else raw_request(request)
    except InvalidInput as error:
        return _refused(error)
    if kind == Integration.Kind.AMAZON_SNS:
        return _receive_sns(integration, raw, revision)
    if kind not in WEBHOOKS:
        return json_answer(
            {"status": "error", "message": "This kind has another address."}, status=404
        )
    return _receive(integration, raw, revision)


@webhook("HEAD", "GET", "POST", broken=_broken)
def heartbeat(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """`/integrations/v1/<kind>/<key>/heartbeat/`: Grafana OnCall's sign of life of a sender."""
    integration = integrations.find(key, kind_called(kind) or kind)
    if integration is None:
        return _unknown()
    reading = Reading(pings=(HeartbeatPing(),))
    return _answer(take(integration, begun_request(request), lambda: reading, now=clock.now()), 400)


def _receive(integration: Integration, raw: RawRequest, revision: str | None) -> HttpResponse:
    now = clock.now()
    context = Context(
        integration.kind,
        severity_map=integration.severity_map,
        mapping=integration.mapping,
        headers=raw.headers,
    )
    secret = integrations.open_secret(integration)
    forged = secret is None or (
        secret and not is_signed(integration.kind, secret, raw.body, raw.headers, now=now)
    )

    def read() -> Reading:
        if forged:
            raise Unreadable(
                "signature: missing, too old, or not by the secret of this integration"
            )
        reading = WEBHOOKS[integration.kind](decode(raw.body, raw.content_type), context)
        # Without a secret anybody may write a name, and a sender may mean another thing by it.
        named = delivery_of(integration.kind, raw.headers) or reading.delivery_id if secret else ""
        return (
            reading if named == reading.delivery_id else structs.replace(reading, delivery_id=named)
        )

    taken = take(integration, raw, read, now=now, revision=revision)
    return _answer(taken, 401 if forged else 400)


def _receive_sns(integration: Integration, raw: RawRequest, revision: str | None) -> HttpResponse:
    status = 400
    confirmed: dict[str, str] = {}

    def read() -> Reading:
        nonlocal status
        message = amazon_sns.envelope(decode(raw.body, "application/json"))
        if integration.topic_arn and message["TopicArn"] != integration.topic_arn:
            status = 403
            raise Unreadable("TopicArn: this integration takes another topic")
        try:
            sns_signatures.verify(message)
        except NotVerified as error:
            status = 503 if error.later else 403
            raise Unreadable(str(error)) from error
        if message["Type"] in amazon_sns.CONFIRMATIONS:
            confirmed.update(message)
            return Reading()
        context = Context(integration.kind, severity_map=integration.severity_map)
        return structs.replace(amazon_sns.read(message, context), delivery_id=message["MessageId"])

    taken = take(integration, raw, read, now=clock.now(), revision=revision)
    if taken.error is None and confirmed.get("Type") == "SubscriptionConfirmation":
        try:
            sns_signatures.confirm(confirmed)
        except NotVerified as error:
            message = {"status": "error", "message": str(error)}
            return json_answer(message, status=503 if error.later else 403)
    return _answer(taken, status)


def _answer(taken: Taken, refused: int) -> HttpResponse:
    if taken.error is not None:
        message = {"status": "error", "message": str(taken.error), "event": str(taken.event.uid)}
        answer = json_answer(message, status=refused)
        if refused == 503:
            answer.headers["Retry-After"] = "30"
        return answer
    body = {
        "status": "ok",
        "event": str(taken.event.uid),
        "accepted": taken.applied,
        "remarks": list(taken.remarks),
    }
    return json_answer(body, status=200)
