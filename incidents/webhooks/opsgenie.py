"""Opsgenie's alert API, as far as senders use it, with its bodies and status codes."""

import uuid
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from core import clock
from core.errors import InvalidInput
from core.program_answers import json_answer
from incidents.domain.encoded_slashes import restored
from incidents.domain.events import Reading
from incidents.domain.formats import opsgenie
from incidents.domain.formats.context import Context
from incidents.domain.formats.opsgenie_search import QueryError
from incidents.domain.payloads import clean, decode, text
from incidents.models import Alert, InboundEvent, Integration
from incidents.services import integrations
from incidents.services.receiving import Taken, take
from incidents.webhooks import opsgenie_reading as reading
from incidents.webhooks.opsgenie_requests import told_of
from incidents.webhooks.opsgenie_search import asked_for
from incidents.webhooks.requests import View, authorization, raw_request, webhook

__all__ = ["alert", "alerts", "answer", "count", "keyed", "part", "refused", "request_status"]

# By what name in the address something is taken away from an alert.
_TAKEN_AWAY = {"tags": "tags", "details": "keys"}


def answer(status: int, request_id: str = "", **body: Any) -> HttpResponse:
    said = {**body, "took": 0.0, "requestId": request_id or str(uuid.uuid4())}
    return json_answer(said, status=status)


def refused(errors: Mapping[str, str], request_id: str = "") -> HttpResponse:
    """Answer a body that was read and cannot be done, with what is wrong by field."""
    message = "Request body is not processable. Please check the errors."
    return answer(422, request_id, message=message, errors=errors)


def keyed(*methods: str) -> Callable[[View], View]:
    """Make a view for who has a key of this kind; it is given the integration after the request.

    Names in the address come to it as those in bodies do: without blanks around them.

    Args:
        methods: HTTP methods that are answered.
    """

    def decorate(view: View) -> View:
        @webhook(*methods, large=_too_large, broken=_unavailable)
        @wraps(view)
        def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            integration = integrations.find(_key(request), Integration.Kind.OPSGENIE)
            if integration is None:
                return answer(401, message="Could not authenticate")
            names = {each: text(clean(restored(name))) for each, name in kwargs.items()}
            if not all(names.values()):
                return answer(404, message="A name in the address is empty.")
            return view(request, integration, *args, **names)

        return answered

    return decorate


def _too_large() -> HttpResponse:
    return answer(413, message="Request body is larger than 512 KB.")


def _unavailable() -> HttpResponse:
    return answer(503, message="Nothing was stored. Please retry later.")


def _not_found() -> HttpResponse:
    return answer(404, message="Alert does not exist with the given identifier.")


@keyed("POST", "GET")
def alerts(request: HttpRequest, integration: Integration) -> HttpResponse:
    """`/v2/alerts`: create one; GET lists what the key opened, newest first."""
    if request.method == "GET":
        return _list(request, integration)
    context = Context(integration.kind, severity_map=integration.severity_map)
    fresh_key = str(uuid.uuid4())
    return _take(
        request,
        integration,
        lambda said: opsgenie.read_create(said, context, fresh_key=fresh_key),
    )


def _list(request: HttpRequest, integration: Integration) -> HttpResponse:
    address = request.build_absolute_uri(request.path)
    try:
        found = _found(request, integration)
        return answer(200, **reading.page_of(found, request.GET.dict(), address=address))
    except QueryError as error:
        return _not_understood(error)


def _found(request: HttpRequest, integration: Integration) -> QuerySet[Alert]:
    """Return the alerts that a request asks for.

    Raises:
        QueryError: It is not understood; a saved search is no query that finds everything.
    """
    if request.GET.get("searchIdentifier"):
        raise QueryError("there are no saved searches here; send a query.")
    return asked_for(integration, clean(request.GET.get("query", "")))


@keyed("GET")
def count(request: HttpRequest, integration: Integration) -> HttpResponse:
    """`/v2/alerts/count?query=…`: how many of the key's alerts a search finds."""
    try:
        found = _found(request, integration)
    except QueryError as error:
        return _not_understood(error)
    return answer(200, data={"count": found.count()})


@keyed("GET", "DELETE")
def alert(request: HttpRequest, integration: Integration, identifier: str) -> HttpResponse:
    """`/v2/alerts/<identifier>`, by id, tiny id or alias; deleting one closes it."""
    return _answer_one(request, integration, identifier)


@keyed("POST", "PUT", "PATCH", "GET", "DELETE")
def missing(
    _request: HttpRequest, _integration: Integration, part: str, **_names: str
) -> HttpResponse:
    """Attachments and saved searches: what is not kept here is never said to be done."""
    return answer(404, message=f"There are no {part} here.")


@keyed("POST", "PUT", "PATCH", "GET", "DELETE")
def part(
    request: HttpRequest, integration: Integration, identifier: str, action: str, button: str = ""
) -> HttpResponse:
    """`/v2/alerts/<identifier>/<action>`: what is done to one, and what is told of it."""
    if request.method == "DELETE" and action not in _TAKEN_AWAY:
        return answer(405, message=f"{action} can not be deleted.")
    return _answer_one(request, integration, identifier, action, button)


def _answer_one(
    request: HttpRequest,
    integration: Integration,
    identifier: str,
    action: str = "",
    button: str = "",
) -> HttpResponse:
    kind = request.GET.get("identifierType", "id").lower()
    found = _find(integration, identifier, kind)
    if request.method == "GET":
        return _told(request, found, action)
    if found is None and (kind != "alias" or len(identifier) > opsgenie.LONGEST_ALIAS):
        return _not_found()
    context = Context(integration.kind, severity_map=integration.severity_map)
    key = identifier if found is None else found.dedup_key
    alert_id = found.pk if found is not None and _is_one(found, kind) else None
    removed = _removed(request, action)
    beside, pressed = _said_in_address(request), {"button": button} if button else {}

    def read(said: Any) -> Reading:
        body = {**beside, **said, **pressed} if isinstance(said, dict) else said
        return opsgenie.read_action(
            action or "close", body, context, key=key, alert_id=alert_id, removed=removed
        )

    return _take(request, integration, read)


def _is_one(found: Alert, kind: str) -> bool:
    """Return whether this one is meant, and not whichever is open when it is done."""
    is_of_sender = found.source == Integration.Kind.OPSGENIE
    return kind != "alias" or found.state != Alert.State.FIRING or not is_of_sender


def _told(request: HttpRequest, found: Alert | None, action: str) -> HttpResponse:
    if found is None or action not in {"", *reading.PARTS}:
        return _not_found()
    if not action:
        return answer(200, data=reading.shown(found))
    # As it came, where the server tells it: a slash in an alias is not one of the address.
    path, _, _ = (request.META.get("RAW_URI") or request.get_full_path()).partition("?")
    address = request.build_absolute_uri(path)
    try:
        return answer(200, **reading.part_of(found, action, request.GET.dict(), address=address))
    except QueryError as error:
        return _not_understood(error)


def _removed(request: HttpRequest, action: str) -> list[str] | None:
    """Return what of tags or details is taken away, None where something is done instead."""
    name = _TAKEN_AWAY.get(action)
    if request.method != "DELETE" or name is None:
        return None
    return [each.strip() for each in clean(request.GET.get(name, "")).split(",") if each.strip()]


def _said_in_address(request: HttpRequest) -> dict[str, str]:
    """Return who takes something away, and why: there is no body to say it in."""
    if request.method != "DELETE":
        return {}
    names = ("user", "source", "note")
    return {name: clean(request.GET[name]) for name in names if name in request.GET}


def _not_understood(error: QueryError) -> HttpResponse:
    return answer(422, message=f"The search is not understood: {error}")


@keyed("GET")
def request_status(request: HttpRequest, integration: Integration, request_id: str) -> HttpResponse:
    """`/v2/alerts/requests/<id>`: what became of a request."""
    event = InboundEvent.objects.filter(integration=integration, uid=request_id).first()
    if event is None:
        return answer(404, message="Request does not exist with the given id.")
    return answer(200, str(event.uid), data=told_of(event))


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
        return refused(taken.error.errors, request_id)
    if taken.error is not None:
        return answer(400, request_id, message=str(taken.error))
    return answer(202, request_id, result="Request will be processed")


def _key(request: HttpRequest) -> str:
    scheme, key = authorization(request)
    return key if scheme in {"geniekey", "basic"} else request.GET.get("apiKey", "")


def _find(integration: Integration, identifier: str, kind: str) -> Alert | None:
    """Return an alert by id, tiny id or alias: of that the one that is open, or else the newest."""
    own = reading.own_alerts(integration)
    if kind == "alias":
        known = own.filter(dedup_key=identifier)
        return known.filter(state=Alert.State.FIRING).first() or known.order_by("-pk").first()
    is_number = identifier.isascii() and identifier.isdigit() and len(identifier) < 19
    return own.filter(pk=int(identifier)).first() if is_number else None
