"""Uptime Kuma's webhook: a monitor and its last heartbeat, or words about neither.

Those are what the test button sends, and notices that a certificate or a domain will expire. By HTTP
method GET the objects come as JSON in the fields of a query string.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from incidents.domain.events import Act, AlertEvent, Reading, key_of
from incidents.domain.formats.context import Context
from incidents.domain.payloads import (
    Unreadable,
    clean,
    instant,
    mapping,
    sequence,
    text,
    web_address,
)

__all__ = ["read"]

_ACTS = {0: Act.TRIGGER, 1: Act.RESOLVE}
_CALLS_NOBODY = {2: "pending", 3: "maintenance"}
_EXPIRY = " will expire in "
_NAMED = re.compile(r"\[(?P<name>[^\]]*)\]\[(?P<url>[^\]]*)\]")


def read(payload: Any, context: Context) -> Reading:
    """Read a message.

    Raises:
        Unreadable: It names no monitor, or a status that is not known.
    """
    body = mapping(payload)
    if "msg" not in body and "monitor" not in body:
        raise Unreadable("monitor: missing")
    beat, monitor = _unfolded(body.get("heartbeat")), mapping(_unfolded(body.get("monitor")))
    if beat is None:
        return _notice(text(body.get("msg")), context, is_button="heartbeat" in body)
    heartbeat = mapping(beat)
    status = heartbeat.get("status")
    if not isinstance(status, int) or isinstance(status, bool):
        raise Unreadable("heartbeat.status: 0, 1, 2 or 3 is wanted")
    if status in _CALLS_NOBODY:
        return Reading(notes=(f"{text(monitor.get('name'), 100)} is {_CALLS_NOBODY[status]}.",))
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


def _unfolded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return clean(json.loads(value, parse_constant=str))
    except (ValueError, RecursionError):
        return value


def _notice(words: str, context: Context, *, is_button: bool) -> Reading:
    """Read words about no heartbeat: news, as that something will expire, which nothing ends, or a test.

    Args:
        words: What it says.
        context: How its severity is found.
        is_button: Whether it says itself that there is no heartbeat, as the test button does. A body
            that somebody wrote of words alone may be about anything.
    """
    # The name of the notification stands before it.
    is_test = is_button or not words or f" {words}".endswith(" Testing")
    if is_test and _EXPIRY not in words:
        return Reading(notes=(f"Test message: {text(words, 200)}",))
    severity, pages = context.judge("warning")
    named: Mapping[str, str] = found.groupdict() if (found := _NAMED.match(words)) else {}
    event = AlertEvent(
        act=Act.TRIGGER,
        # The days that are left change with each.
        dedup_key=key_of("notice", words.partition(_EXPIRY)[0]),
        title=text(words, 300),
        severity=severity,
        pages=pages,
        url=web_address(named.get("url")),
        labels={"monitor": named["name"]} if named else {},
    )
    return Reading((event,))
