"""Uptime Kuma's webhook: a monitor and its last heartbeat; the test button sends neither."""

from typing import Any

from incidents.domain.events import Act, AlertEvent, Reading, key_of
from incidents.domain.formats.context import Context
from incidents.domain.payloads import Unreadable, instant, mapping, sequence, text, web_address

__all__ = ["read"]

_ACTS = {0: Act.TRIGGER, 1: Act.RESOLVE}
_CALLS_NOBODY = {2: "pending", 3: "maintenance"}


def read(payload: Any, context: Context) -> Reading:
    """Read a message.

    Raises:
        Unreadable: It names no monitor, or a status that is not known.
    """
    body = mapping(payload)
    if "msg" not in body and "monitor" not in body:
        raise Unreadable("monitor: missing")
    beat, monitor = body.get("heartbeat"), mapping(body.get("monitor"))
    if beat is None:
        return Reading(remarks=(f"Test message: {text(body.get('msg'), 200)}",))
    heartbeat = mapping(beat)
    status = heartbeat.get("status")
    if not isinstance(status, int) or isinstance(status, bool):
        raise Unreadable("heartbeat.status: 0, 1, 2 or 3 is wanted")
    if status in _CALLS_NOBODY:
        return Reading(remarks=(f"{text(monitor.get('name'), 100)} is {_CALLS_NOBODY[status]}.",))
    if status not in _ACTS:
        raise Unreadable("heartbeat.status: 0, 1, 2 or 3 is wanted")
    name = text(monitor.get("name"), 200)
    number = text(monitor.get("id") or heartbeat.get("monitorID"))
    if not number and not name:
        raise Unreadable("monitor.id: missing")
    tags = {
        text(mapping(tag).get("name")): text(mapping(tag).get("value"))
        for tag in sequence(monitor.get("tags"))
        if mapping(tag).get("name")
    }
    severity, pages = context.judge(tags.get("severity", ""), tags)
    # `time` is UTC without saying so; `timezoneOffset` only tells of the sender's wall clock.
    event = AlertEvent(
        act=_ACTS[status],
        dedup_key=key_of("monitor", number or name),
        title=text(f"{name or number} is down" if status == 0 else name or number, 300),
        severity=severity,
        pages=pages,
        detail=text(heartbeat.get("msg") or body.get("msg"), 5000),
        url=web_address(monitor.get("url")),
        labels={**tags, "monitor": name},
        at=instant(heartbeat.get("time")),
        facts={key: heartbeat[key] for key in ("ping", "duration") if heartbeat.get(key)},
    )
    return Reading((event,))
