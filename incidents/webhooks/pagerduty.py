"""PagerDuty's Events API, v2 and v1, with its bodies and status codes."""

import re
import uuid
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from core import clock
from core.errors import InvalidInput
from core.program_answers import json_answer
from incidents.domain.events import Reading
from incidents.domain.formats import pagerduty
from incidents.domain.formats.context import Context
from incidents.domain.payloads import Unreadable, decode, text
from incidents.models import Integration
from incidents.services import integrations
from incidents.services.receiving import RawRequest, Taken, take
from incidents.webhooks.requests import raw_request, webhook

__all__ = ["change", "create_event", "enqueue"]

Reader = Callable[[Any, Context, str], Reading]


def _invalid(errors: list[str]) -> HttpResponse:
    body = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
    return json_answer(body, status=400)


def _unrecognized() -> HttpResponse:
    body = {
        "status": "Unrecognized object",
        "message": "Event object format is unrecognized",
        "errors": ["JSON parse error"],
    }
    return json_answer(body, status=400)


def _large() -> HttpResponse:
    body = {"status": "invalid event", "message": "Event object is too large", "errors": ["512 KB"]}
    return json_answer(body, status=413)


def _broken() -> HttpResponse:
    body = {
        "status": "unavailable",
        "message": "Nothing was stored. Please retry later.",
        "errors": ["The database does not answer."],
    }
    return json_answer(body, status=503)


@webhook("POST", large=_large, broken=_broken)
def enqueue(request: HttpRequest) -> HttpResponse:
    """`/v2/enqueue`."""
    return _take(
        request,
        "routing_key",
        lambda said, context, key: pagerduty.read_v2(said, context, fresh_key=key),
        _accepted,
    )


@webhook("POST", large=_large, broken=_broken)
def change(request: HttpRequest) -> HttpResponse:
    """`/v2/change/enqueue`: tells of a deploy; nobody is called."""
    return _take(
        request,
        "routing_key",
        lambda said, context, _key: pagerduty.read_change(said, context),
        _changed,
    )


@webhook("POST", large=_large, broken=_broken)
def create_event(request: HttpRequest) -> HttpResponse:
    """`/generic/2010-04-15/create_event.json`, the API before v2."""
    return _take(
        request,
        "service_key",
        lambda said, context, key: pagerduty.read_v1(said, context, fresh_key=key),
        _accepted_v1,
    )


def _take(
    request: HttpRequest, key_field: str, reader: Reader, accepted: Callable[[Taken], HttpResponse]
) -> HttpResponse:
    try:
        raw = raw_request(request)
    except InvalidInput:
        return _unrecognized()
    said, problem = _said(raw)
    key = _key_in(raw.body, key_field) if problem else text(said.get(key_field))
    integration, revision = integrations.find_known(key, Integration.Kind.PAGERDUTY)
    if integration is None:
        if problem:
            return _large() if raw.cut else _unrecognized()
        return _invalid([_unknown(key, key_field)])
    context = Context(integration.kind, severity_map=integration.severity_map)
    fresh_key = uuid.uuid4().hex

    def read() -> Reading:
        if problem:
            raise problem
        return reader(said, context, fresh_key)

    taken = take(integration, raw, read, now=clock.now(), revision=revision)
    if isinstance(taken.error, pagerduty.Invalid):
        return _invalid(taken.error.errors)
    return _unrecognized() if taken.error else accepted(taken)


def _said(raw: RawRequest) -> tuple[dict[str, Any], Unreadable | None]:
    """Return the object that was sent, or why there is none."""
    if raw.cut:
        return {}, Unreadable(raw.cut)
    try:
        said = decode(raw.body, "application/json")
    except Unreadable as error:
        return {}, error
    if not isinstance(said, dict):
        return {}, pagerduty.Unrecognized("body: an object is wanted")
    return said, None


def _key_in(body: bytes, name: str) -> str:
    """Return the key that can be seen in a body which cannot be read, "" for none."""
    found = re.search(rb'"%b"\s*:\s*"([0-9A-Za-z-]{16,80})"' % name.encode(), body)
    return found[1].decode() if found else ""


def _unknown(key: str, name: str) -> str:
    if not key:
        return f"'{name}' is missing or blank"
    if len(key.replace("-", "")) != 32:
        return f"Length of '{name}' is incorrect (should be 32 characters)"
    return f"'{name}' is not known here"


def _accepted(taken: Taken) -> HttpResponse:
    key = pagerduty.key_told(taken.event.ext_id)
    body = {"status": "success", "message": "Event processed", "dedup_key": key}
    return json_answer(body, status=202)


def _accepted_v1(taken: Taken) -> HttpResponse:
    key = pagerduty.key_told(taken.event.ext_id)
    body = {"status": "success", "message": "Event processed", "incident_key": key}
    return json_answer(body, status=200)


def _changed(_taken: Taken) -> HttpResponse:
    return json_answer({"status": "success", "message": "Change event processed"}, status=202)
