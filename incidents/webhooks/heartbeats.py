"""Signs of life in Healthchecks' and Opsgenie's way."""

import uuid

from django.http import HttpRequest, HttpResponse

from core import clock
from incidents.domain.events import HeartbeatPing, Reading
from incidents.domain.heartbeats import sign_of
from incidents.models import Heartbeat, Integration
from incidents.services import heartbeats, integrations
from incidents.services.receiving import take
from incidents.webhooks import opsgenie
from incidents.webhooks.requests import MAX_BYTES, begun_request, webhook

__all__ = ["ping", "ping_opsgenie", "ping_slug"]


def _said(text: str, status: int = 200) -> HttpResponse:
    answer = HttpResponse(text, content_type="text/plain; charset=utf-8", status=status)
    answer.headers["Ping-Body-Limit"] = str(MAX_BYTES)
    # Pages may ping, too, and read what they are told.
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Access-Control-Expose-Headers"] = "Ping-Body-Limit"
    return answer


def _broken() -> HttpResponse:
    return _said("try again later", 503)


@webhook("HEAD", "GET", "POST", "PUT", broken=_broken)
def ping(request: HttpRequest, code: uuid.UUID, word: str = "") -> HttpResponse:
    """`/ping/<uuid>[/start|/fail|/log|/<exit status>]`: of a heartbeat, or an integration's key."""
    heartbeat = Heartbeat.objects.select_related("integration__service").filter(uid=code).first()
    if heartbeat is not None and heartbeat.integration.is_enabled:
        return _take(request, heartbeat.integration, heartbeat.sender_key, word)
    integration = integrations.find(code.hex, Integration.Kind.HEALTHCHECKS)
    if integration is None:
        return _said("not found", 404)
    if sign_of(word) is None:
        return _take_named(request, integration, word)
    return _take(request, integration, "", word)


@webhook("HEAD", "GET", "POST", "PUT", broken=_broken)
def ping_slug(request: HttpRequest, key: str, slug: str, word: str = "") -> HttpResponse:
    """`/ping/<ping key>/<slug>[…]`; `?create=1` makes a heartbeat that does not exist yet."""
    integration = integrations.find(key, Integration.Kind.HEALTHCHECKS)
    if integration is None:
        return _said("not found", 404)
    return _take_named(request, integration, slug, word)


@opsgenie.keyed("GET", "POST", "PUT", "PATCH")
def ping_opsgenie(request: HttpRequest, integration: Integration, name: str) -> HttpResponse:
    """`/v2/heartbeats/<name>/ping`; one that does not exist yet begins to."""
    reading = Reading(pings=(HeartbeatPing(name),))
    taken = take(integration, begun_request(request), lambda: reading, now=clock.now())
    return opsgenie.answer(202, str(taken.event.uid), result="PONG - Heartbeat received")


def _take_named(
    request: HttpRequest, integration: Integration, slug: str, word: str = ""
) -> HttpResponse:
    known = heartbeats.find(integration, slug)
    if known is None and request.GET.get("create") != "1":
        return _said("not found", 404)
    answer = _take(request, integration, slug, word)
    if known is None and answer.status_code == 200:
        return _said("Created", 201)
    return answer


def _take(request: HttpRequest, integration: Integration, name: str, word: str) -> HttpResponse:
    sign = sign_of(word)
    if sign is None:
        return _said("invalid url format", 400)
    if not _is_run(request.GET.get("rid")):
        return _said("invalid uuid format", 400)
    reading = Reading(pings=(HeartbeatPing(name, sign),))
    take(integration, begun_request(request), lambda: reading, now=clock.now())
    return _said("OK")


def _is_run(given: str | None) -> bool:
    """Whether it names a run, as all of its pings may do, or none."""
    try:
        return given is None or bool(uuid.UUID(given))
    except ValueError:
        return False
