"""PagerDuty's own webhooks, version 3: what happens to its incidents, mirrored here.

Source: PagerDuty's developer documentation, "Webhooks" (overview, behavior, signatures). A body has
one event; new types of events may be added at any time.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from incidents.domain.events import Act, AlertEvent, Reading, key_of
from incidents.domain.formats.context import Context
from incidents.domain.payloads import Unreadable, instant, mapping, sequence, text, web_address
from incidents.domain.severities import BY_KIND, PAGERDUTY_INCIDENTS, Verdict

__all__ = ["read"]

_ABOUT_INCIDENTS = "incident."
_ACTS = {
    "triggered": Act.TRIGGER,
    "reopened": Act.TRIGGER,
    "acknowledged": Act.ACKNOWLEDGE,
    "unacknowledged": Act.UNACKNOWLEDGE,
    "resolved": Act.RESOLVE,
}
# Else an agent is a service or an integration.
_PEOPLE = frozenset({"user", "user_reference"})
_PRIORITY_UPDATED = "priority_updated"
_DETAIL = 15_000


def read(payload: Any, context: Context) -> Reading:
    """Read a webhook.

    Its incident is known by its id, whatever key its alerts had there. What people do with it there
    is done here; levels, persons and roles of there are noted only, since here others are on call.

    Raises:
        Unreadable: There is no event, or it is about an incident without an id.
    """
    event = mapping(mapping(payload).get("event"))
    if not event and "event" not in mapping(payload):
        raise Unreadable(
            "event: missing. Webhooks of version 3 come here; the Events API is at /v2/enqueue."
        )
    event_type = text(event.get("event_type"), 100)
    if not event_type:
        raise Unreadable("event.event_type: missing")
    if not event_type.startswith(_ABOUT_INCIDENTS):
        return Reading(notes=(f"A webhook about {event_type} alerts nobody.",))
    said = _said(event, event_type.removeprefix(_ABOUT_INCIDENTS), context)
    return Reading((said,), delivery_id=text(event.get("id")))


def _said(event: Mapping[str, Any], name: str, context: Context) -> AlertEvent:
    data = mapping(event.get("data"))
    at = instant(event.get("occurred_at"))
    severity, pages = _verdict(data, context)
    return AlertEvent(
        act=_ACTS.get(name, Act.NOTE),
        dedup_key=key_of("incident", _identity(data)),
        title=text(data.get("title"), 300) or f"PagerDuty incident {_identity(data)}",
        severity=severity,
        pages=pages,
        detail=text(_words(name, data), _DETAIL),
        url=web_address(data.get("html_url")),
        labels=_labels(data),
        at=at,
        is_ordered=at is not None,
        actor=(agent := _summary(event.get("agent"), 100)),
        is_person=bool(agent) and text(mapping(event.get("agent")).get("type")) in _PEOPLE,
        # An incident ends that was open, whether or not that was heard.
        fired_before=name == "resolved",
        change="priority" if name == _PRIORITY_UPDATED else "",
        facts=_facts(data),
    )


def _identity(data: Mapping[str, Any]) -> str:
    """Return the id of the incident that something is, or belongs to."""
    if text(data.get("type")) == "incident":
        if found := text(data.get("id"), 200):
            return found
        raise Unreadable("event.data.id: missing")
    if found := text(mapping(data.get("incident")).get("id"), 200):
        return found
    raise Unreadable("event.data.incident.id: missing")


def _verdict(data: Mapping[str, Any], context: Context) -> Verdict:
    """Judge by the priority, which somebody set, and else by the urgency, which a service has."""
    priority = _summary(data.get("priority"))
    known = {**BY_KIND[PAGERDUTY_INCIDENTS], **context.severity_map}
    word = priority if priority.lower() in known else text(data.get("urgency"))
    return replace(context, kind=PAGERDUTY_INCIDENTS).judge(word)


def _labels(data: Mapping[str, Any]) -> dict[str, str]:
    teams = [_summary(team) for team in sequence(data.get("teams"))]
    found = {
        "service": _summary(data.get("service"), 500),
        "team": text(", ".join(filter(None, teams)), 500),
        "urgency": text(data.get("urgency"), 100),
    }
    return {name: value for name, value in found.items() if value}


def _facts(data: Mapping[str, Any]) -> dict[str, Any]:
    assignees = [_summary(person) for person in sequence(data.get("assignees"))]
    found = {
        "number": data.get("number"),
        "priority": _summary(data.get("priority")),
        "incident_key": text(data.get("incident_key"), 1000),
        "assignees": [name for name in assignees if name],
        "escalation_policy": _summary(data.get("escalation_policy")),
        "conference_bridge": data.get("conference_bridge"),
        "created_at": text(data.get("created_at"), 100),
    }
    return {name: value for name, value in found.items() if value}


def _summary(reference: Any, limit: int = 500) -> str:
    """Return how PagerDuty calls what a reference means, "" for none."""
    return text(mapping(reference).get("summary"), limit)


def _words(name: str, data: Mapping[str, Any]) -> str:
    """Return what is noted of an event; what opens an incident has no words but its title."""
    if name in _WORDS:
        return _WORDS[name](data)
    return "" if name in _ACTS else name.replace("_", " ").replace(".", " ")


def _moved(verb: str, to: str) -> str:
    return f"{verb} to {to}." if to else f"{verb}."


def _assignees(data: Mapping[str, Any]) -> str:
    return ", ".join(filter(None, map(_summary, sequence(data.get("assignees")))))


def _priority(data: Mapping[str, Any]) -> str:
    priority = _summary(data.get("priority"))
    return f"The priority is {priority}." if priority else "It has no priority any more."


def _end(data: Mapping[str, Any]) -> str:
    reason = mapping(data.get("resolve_reason"))
    into = _summary(reason.get("incident"))
    return f"Merged into {into}." if into else ""


def _asked(data: Mapping[str, Any]) -> str:
    asked = f"{_responder(data)} was asked to help"
    message = text(data.get("message"))
    return f"{asked}: {message}" if message else f"{asked}."


def _answered(data: Mapping[str, Any]) -> str:
    state, message = text(data.get("state"), 40), text(data.get("message"))
    answered = f"{_responder(data)} answered{f' ({state})' if state else ''}"
    return f"{answered}: {message}" if message else f"{answered}."


def _responder(data: Mapping[str, Any]) -> str:
    return _summary(data.get("user")) or _summary(data.get("escalation_policy")) or "Somebody"


_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "annotated": lambda data: text(data.get("content")),
    "delegated": lambda data: _moved("Delegated", _summary(data.get("escalation_policy"))),
    "escalated": lambda data: _moved("Escalated", _assignees(data)),
    _PRIORITY_UPDATED: _priority,
    "reassigned": lambda data: _moved("Reassigned", _assignees(data)),
    "resolved": _end,
    "responder.added": _asked,
    "responder.replied": _answered,
    "status_update_published": lambda data: f"Status update: {text(data.get('message'))}",
}
