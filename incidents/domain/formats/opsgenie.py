"""Opsgenie's alert API: creating alerts, and what is done to them afterwards."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from incidents.domain.events import Act, AlertEvent, Reading
from incidents.domain.formats.context import Context
from incidents.domain.formats.runbooks import runbook_in
from incidents.domain.payloads import Unreadable, instant, mapping, sequence, text
from incidents.domain.severities import BY_KIND, is_priority

__all__ = [
    "ACTIONS",
    "LONGEST_ALIAS",
    "PRIORITIES",
    "SEVERITIES",
    "Invalid",
    "read_action",
    "read_create",
]

# What its priorities mean, where no integration says otherwise, and how ours are called there.
SEVERITIES = {word.upper(): severity for word, severity in BY_KIND["opsgenie"].items()}
PRIORITIES = {"P0": "P1", "P1": "P2", "P2": "P3", "P3": "P4"}
LONGEST_ALIAS = 512
_LIMITS = {
    "message": 130,
    "alias": LONGEST_ALIAS,
    "description": 15_000,
    "entity": 512,
    "source": 100,
    "note": 25_000,
}
_MOST = 100
_ACTS = {
    "close": Act.RESOLVE,
    "acknowledge": Act.ACKNOWLEDGE,
    "unacknowledge": Act.UNACKNOWLEDGE,
}
# They change the alert or its incident.
_CHANGES = ("snooze", "escalate", "assign", "message", "description", "priority", "tags", "details")
# The rest is kept in the alert's log. `actions` are buttons of the sender's own.
ACTIONS = (*_ACTS, *_CHANGES, "notes", "responders", "teams", "actions")


_RESPONDERS = frozenset({"team", "user", "escalation", "schedule"})


class Invalid(Unreadable):
    """A body that cannot be processed; `errors` by field."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, message in errors.items()))
        self.errors = errors


def read_create(payload: Any, context: Context, *, fresh_key: str) -> Reading:
    """Read the body of `POST /v2/alerts`; without an alias the alert is known by `fresh_key`.

    Raises:
        Invalid: Without a message, with an unknown priority, a field of the wrong kind.
    """
    body = _object(payload)
    errors: dict[str, str] = {}
    message = text(body.get("message"))
    if not message:
        errors["message"] = "Message can not be empty."
    priority = text(body.get("priority")) or "P3"
    if priority not in SEVERITIES:
        errors["priority"] = f"Priority is not valid: use one of {', '.join(SEVERITIES)}."
    alias = text(body.get("alias"))
    if len(alias) > _LIMITS["alias"]:
        errors["alias"] = f"Alias is longer than {_LIMITS['alias']} characters."
    for name, kind, wanted in (
        ("tags", list, "an array"),
        ("responders", list, "an array"),
        ("visibleTo", list, "an array"),
        ("actions", list, "an array"),
        ("details", dict, "an object"),
    ):
        if body.get(name) is not None and not isinstance(body[name], kind):
            errors[name] = f"{name} must be {wanted}."
    if errors:
        raise Invalid(errors)
    return Reading((_created(body, alias or fresh_key, priority, context),))


def _created(body: Mapping[str, Any], key: str, priority: str, context: Context) -> AlertEvent:
    labels = {name: text(value, 1000) for name, value in mapping(body.get("details")).items()}
    labels |= {name: text(body[name], 500) for name in ("entity", "source") if body.get(name)}
    # A priority that it does not name itself says less than a label.
    is_named = bool(text(body.get("priority"))) or not is_priority(labels.get("priority", ""))
    severity, pages = context.judge(priority if is_named else "", labels)
    return AlertEvent(
        act=Act.TRIGGER,
        dedup_key=key,
        # The original cuts a longer message where it refuses other fields.
        title=text(body.get("message"), _LIMITS["message"]),
        severity=severity,
        pages=pages,
        detail=text(body.get("description"), _LIMITS["description"]),
        runbook_url=runbook_in(body.get("details")),
        labels=labels,
        actor=text(body.get("user"), 100),
        facts={
            name: body[name]
            for name in ("tags", "details", "responders", "visibleTo", "actions", "note")
            if body.get(name)
        },
        note=text(body.get("note"), _LIMITS["note"]),
    )


def responders_in(given: Any) -> list[dict[str, str]]:
    """Return whom a sender named, as clients want them told: each with an id and one of four types.

    Who was only named by name has that as id; what names nobody is left out.
    """
    found = []
    for each in sequence(given):
        said = mapping(each)
        kind = text(said.get("type")).lower()
        names = {name: text(said.get(name)) for name in ("name", "username") if said.get(name)}
        identity = text(said.get("id")) or next(iter(names.values()), "")
        if kind in _RESPONDERS and identity:
            found.append({"id": identity, "type": kind, **names})
    return found


def read_action(
    action: str,
    payload: Any,
    context: Context,
    *,
    key: str,
    alert_id: int | None = None,
    removed: Sequence[str] | None = None,
) -> Reading:
    """Read what is done to the alert known by `key`; no body is none.

    Args:
        action: One of `ACTIONS`.
        payload: The body.
        context: Of the integration; it knows what a priority means.
        key: The alias.
        alert_id: The alert that is meant, open or not; None: the one of the alias that is open.
        removed: Tags or names of details that are taken away, instead of what the body adds.

    Raises:
        Invalid: The action is unknown, or lacks what it needs.
    """
    body = _object({} if payload in (None, "") else payload)
    if action not in ACTIONS:
        raise Invalid({"action": f"{action[:40]!r} is not one of {', '.join(ACTIONS)}."})
    needed = _NEEDED[action](body, removed) if action in _NEEDED else {}
    said = {name: value for name, value in body.items() if name not in {"user", "source"}}
    severity, pages = context.judge(text(body.get("priority")) or "P3", {})
    note = text(body.get("note"), _LIMITS["note"])
    words = action if action in _ACTS else f"{action} {text(needed or said, 2000)}".strip()
    user, source = text(body.get("user"), 100), text(body.get("source"), 100)
    event = AlertEvent(
        act=_ACTS.get(action, Act.NOTE),
        dedup_key=key,
        severity=severity,
        pages=pages,
        detail=note or words,
        actor=user or source,
        # Some programs name themselves as both.
        is_person=bool(user) and user.lower() != source.lower(),
        change=action if action in _CHANGES else "",
        facts={**said, **needed, "action": action},
        note=note,
        alert_id=alert_id,
    )
    return Reading((event,))


def _until(body: Mapping[str, Any], _removed: Sequence[str] | None) -> dict[str, Any]:
    until = instant(body.get("endTime"))
    if until is None:
        raise Invalid({"endTime": "endTime must be an ISO 8601 time."})
    return {"until": until.isoformat()}


def _owner(body: Mapping[str, Any], _removed: Sequence[str] | None) -> dict[str, Any]:
    owner = mapping(body.get("owner"))
    known_as = text(owner.get("username")) or text(owner.get("id"))
    if not known_as:
        raise Invalid({"owner": "owner must have a username or an id."})
    return {"to": known_as[:254]}


def _priority(body: Mapping[str, Any], _removed: Sequence[str] | None) -> dict[str, Any]:
    if text(body.get("priority")) not in SEVERITIES:
        raise Invalid({"priority": f"Priority is not valid: use one of {', '.join(SEVERITIES)}."})
    return {}


def _tags(body: Mapping[str, Any], removed: Sequence[str] | None) -> dict[str, Any]:
    given = body.get("tags") if removed is None else list(removed)
    if not isinstance(given, list) or not given:
        raise Invalid({"tags": "tags must be an array of texts."})
    return {"tags": [text(tag, 50) for tag in given[:_MOST]], "removed": removed is not None}


def _details(body: Mapping[str, Any], removed: Sequence[str] | None) -> dict[str, Any]:
    given = body.get("details") if removed is None else dict.fromkeys(removed, "")
    if not isinstance(given, dict) or not given:
        raise Invalid({"details": "details must be an object."})
    few = list(given.items())[:_MOST]
    details = {name: text(value, 1000) for name, value in few}
    return {"details": details, "removed": removed is not None}


_NEEDED: Mapping[str, Callable[[Mapping[str, Any], Sequence[str] | None], dict[str, Any]]] = {
    "snooze": _until,
    "assign": _owner,
    "priority": _priority,
    "tags": _tags,
    "details": _details,
}


def _object(payload: Any) -> Mapping[str, Any]:
    if not isinstance(payload, dict):
        raise Invalid({"body": "The body must be a JSON object."})
    return payload
