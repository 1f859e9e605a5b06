"""Opsgenie's heartbeat API: making, changing and reading what must give a sign of life."""

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from core import clock
from core.errors import InvalidInput
from incidents.domain.formats.opsgenie import PRIORITIES, SEVERITIES, Invalid
from incidents.domain.payloads import Unreadable, decode, mapping, sequence, text
from incidents.models import Heartbeat, Integration
from incidents.services.heartbeats import delete_heartbeat, find, save_heartbeat
from incidents.webhooks import opsgenie
from incidents.webhooks.opsgenie_reading import iso
from incidents.webhooks.requests import whole_request

__all__ = ["heartbeat", "heartbeats", "switch"]

_UNITS = {
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
}
# Opsgenie knows none; this is the least that the portal does.
_GRACE = timedelta(seconds=30)
_LONGEST = 100_000
_LONGEST_TEXT, _MOST_TAGS = 15_000, 100


def _not_found() -> HttpResponse:
    return opsgenie.answer(404, message="Heartbeat does not exist with the given name.")


@opsgenie.keyed("GET", "POST")
def heartbeats(request: HttpRequest, integration: Integration) -> HttpResponse:
    """`/v2/heartbeats`: all of the key's; POST makes one."""
    if request.method == "GET":
        found = _named(integration).order_by("sender_key")
        return opsgenie.answer(200, data={"heartbeats": [_shown(each) for each in found]})
    return _save(request, integration, None)


@opsgenie.keyed("GET", "PATCH", "DELETE")
def heartbeat(request: HttpRequest, integration: Integration, name: str) -> HttpResponse:
    """`/v2/heartbeats/<name>`."""
    found = find(integration, name)
    if found is None:
        return _not_found()
    if request.method == "GET":
        return opsgenie.answer(200, data=_shown(found))
    if request.method == "DELETE":
        delete_heartbeat(found, actor=integration.kind, now=clock.now())
        return opsgenie.answer(200, result="Deleted")
    return _save(request, integration, found)


@opsgenie.keyed("POST", "PUT", "PATCH")
def switch(request: HttpRequest, integration: Integration, name: str, way: str) -> HttpResponse:
    """`/v2/heartbeats/<name>/enable` and `/disable`."""
    found = find(integration, name)
    if found is None:
        return _not_found()
    fields = {"is_paused": way == "disable"}
    saved = save_heartbeat(found, fields=fields, actor=integration.kind, now=clock.now())
    return opsgenie.answer(200, data=_shown(saved))


def _named(integration: Integration) -> QuerySet[Heartbeat]:
    return Heartbeat.objects.filter(integration=integration).exclude(sender_key="")


def _save(request: HttpRequest, integration: Integration, found: Heartbeat | None) -> HttpResponse:
    try:
        body = decode(whole_request(request).body, "application/json")
        if not isinstance(body, dict):
            return opsgenie.answer(422, message="The body must be a JSON object.")
        fields = _fields(body, found)
        if found is None and find(integration, fields["name"]) is not None:
            return opsgenie.answer(409, message="There is a heartbeat of this name already.")
        target = found or Heartbeat(integration=integration)
        saved = save_heartbeat(target, fields=fields, actor=integration.kind, now=clock.now())
    except InvalidInput as error:
        return opsgenie.answer(400, message=error.message)
    except Invalid as error:
        return opsgenie.refused(error.errors)
    except Unreadable as error:
        return opsgenie.answer(400, message=str(error))
    except ValidationError as error:
        said = error.message_dict.items()
        return opsgenie.refused({name: " ".join(messages) for name, messages in said})
    return opsgenie.answer(200 if found else 201, data=_shown(saved))


def _fields(body: Mapping[str, Any], found: Heartbeat | None) -> dict[str, Any]:
    """Return what a body says in the portal's words; what it leaves out stays as it is.

    Raises:
        Invalid: With what is wrong, by field.
    """
    errors: dict[str, str] = {}
    fields: dict[str, Any] = {}
    if found is None:
        needed = ("name", "interval", "intervalUnit", "enabled")
        errors |= {
            each: f"{each} can not be empty." for each in needed if not _is_given(body, each)
        }
        fields |= {"grace": _GRACE, "name": text(body.get("name"), 101)}
    for name, read in _READERS.items():
        if _is_given(body, name) and name not in errors:
            try:
                fields |= read(body, found)
            except ValueError as error:
                errors[name] = str(error)
    if errors:
        raise Invalid(errors)
    return {**fields, "told": _told(body, found)}


def _told(body: Mapping[str, Any], found: Heartbeat | None) -> dict[str, Any]:
    given = {name: read(body[name]) for name, read in _GIVEN_BACK.items() if name in body}
    return {**(found.told if found else {}), **given}


def _is_given(body: Mapping[str, Any], name: str) -> bool:
    return body.get(name) not in (None, "")


def _interval(body: Mapping[str, Any], found: Heartbeat | None) -> dict[str, Any]:
    number = body["interval"]
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= _LONGEST:
        raise ValueError(f"interval is a whole number, 1 to {_LONGEST}.")
    unit = text(body.get("intervalUnit")) or (_rhythm(found)[1] if found else "minutes")
    return {"period": _UNITS.get(unit, _UNITS["minutes"]) * number}


def _unit(body: Mapping[str, Any], found: Heartbeat | None) -> dict[str, Any]:
    unit = text(body["intervalUnit"])
    if unit not in _UNITS:
        raise ValueError(f"intervalUnit is one of {', '.join(_UNITS)}.")
    if found is None or _is_given(body, "interval"):
        return {}
    return {"period": _UNITS[unit] * _rhythm(found)[0]}


def _enabled(body: Mapping[str, Any], _found: Heartbeat | None) -> dict[str, Any]:
    if not isinstance(body["enabled"], bool):
        raise ValueError("enabled is true or false.")  # noqa: TRY004 said to whoever sent it
    return {"is_paused": not body["enabled"]}


def _priority(body: Mapping[str, Any], _found: Heartbeat | None) -> dict[str, Any]:
    priority = text(body["alertPriority"])
    if priority not in SEVERITIES:
        raise ValueError(f"alertPriority is one of {', '.join(SEVERITIES)}.")
    return {"severity": SEVERITIES[priority]}


_READERS: Mapping[str, Callable[[Mapping[str, Any], Heartbeat | None], dict[str, Any]]] = {
    "interval": _interval,
    "intervalUnit": _unit,
    "enabled": _enabled,
    "alertPriority": _priority,
}


def _words(value: Any) -> str:
    return text(value, _LONGEST_TEXT)


def _tags(value: Any) -> list[str]:
    return [_words(tag) for tag in sequence(value)[:_MOST_TAGS]]


def _team(value: Any) -> dict[str, str]:
    return {name: _words(said) for name, said in mapping(value).items() if name in {"id", "name"}}


# Whoever keeps heartbeats as code compares what was said with what is there.
_GIVEN_BACK: Mapping[str, Callable[[Any], Any]] = {
    "description": _words,
    "intervalUnit": text,
    "ownerTeam": _team,
    "alertMessage": _words,
    "alertTags": _tags,
    "alertPriority": text,
}


def _rhythm(heartbeat: Heartbeat) -> tuple[int, str]:
    """Return an interval in the unit it was given in, else in the largest; seconds are rounded up."""
    for unit in (heartbeat.told.get("intervalUnit"), "days", "hours"):
        if unit in _UNITS and not heartbeat.period % _UNITS[unit]:
            return heartbeat.period // _UNITS[unit], unit
    return math.ceil(heartbeat.period / _UNITS["minutes"]), "minutes"


def _shown(heartbeat: Heartbeat) -> dict[str, Any]:
    number, unit = _rhythm(heartbeat)
    last = heartbeat.last_sign_at
    priority = heartbeat.told.get("alertPriority")
    if SEVERITIES.get(priority) != heartbeat.severity:
        priority = PRIORITIES[heartbeat.severity]
    told = {
        "description": "",
        **heartbeat.told,
        "name": heartbeat.sender_key,
        "interval": number,
        "intervalUnit": unit,
        "enabled": not heartbeat.is_paused,
        "expired": heartbeat.state == Heartbeat.State.DOWN,
        "alertPriority": priority,
    }
    return {**told, **({"lastPingTime": iso(last)} if last else {})}
