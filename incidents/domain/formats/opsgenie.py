"""Opsgenie's alert API: creating alerts, and what is done to them afterwards."""

from collections.abc import Mapping
from typing import Any

from incidents.domain.events import Act, AlertEvent, Reading
from incidents.domain.formats.context import Context
from incidents.domain.payloads import Unreadable, instant, mapping, text

__all__ = ["ACTIONS", "Invalid", "read_action", "read_create"]

PRIORITIES = ("P1", "P2", "P3", "P4", "P5")
_LIMITS = {"message": 130, "alias": 512, "description": 15_000, "entity": 512, "source": 100}
_ACTS = {
    "close": Act.RESOLVE,
    "acknowledge": Act.ACKNOWLEDGE,
    "unacknowledge": Act.UNACKNOWLEDGE,
}
# Everything else that may be done to an alert is kept in its log.
ACTIONS = (
    *_ACTS,
    "snooze",
    "escalate",
    "assign",
    "notes",
    "tags",
    "details",
    "responders",
    "message",
    "description",
    "priority",
)


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
    if priority not in PRIORITIES:
        errors["priority"] = f"Priority is not valid: use one of {', '.join(PRIORITIES)}."
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
    severity, pages = context.judge(priority, labels)
    return AlertEvent(
        act=Act.TRIGGER,
        dedup_key=key,
        # The original cuts a longer message where it refuses other fields.
        title=text(body.get("message"), _LIMITS["message"]),
        severity=severity,
        pages=pages,
        detail=text(body.get("description"), _LIMITS["description"]),
        labels=labels,
        actor=text(body.get("user"), 100),
        facts={
            name: body[name]
            for name in ("tags", "details", "responders", "actions", "note")
            if body.get(name)
        },
    )


def read_action(action: str, payload: Any, *, key: str) -> Reading:
    """Read what is done to the alert known by `key`; no body is none.

    Raises:
        Invalid: The action is unknown, or a snooze that does not say until when.
    """
    body = _object({} if payload in (None, "") else payload)
    if action not in ACTIONS:
        raise Invalid({"action": f"{action[:40]!r} is not one of {', '.join(ACTIONS)}."})
    if action == "snooze" and instant(body.get("endTime")) is None:
        raise Invalid({"endTime": "endTime must be an ISO 8601 time."})
    said = {name: value for name, value in body.items() if name not in {"user", "source"}}
    note = text(body.get("note"), 15_000)
    event = AlertEvent(
        act=_ACTS.get(action, Act.NOTE),
        dedup_key=key,
        detail=note or (action if action in _ACTS else f"{action} {text(said, 2000)}".strip()),
        actor=text(body.get("user"), 100) or text(body.get("source"), 100),
        facts={"action": action, **said},
    )
    return Reading((event,))


def _object(payload: Any) -> Mapping[str, Any]:
    if not isinstance(payload, dict):
        raise Invalid({"body": "The body must be a JSON object."})
    return payload
