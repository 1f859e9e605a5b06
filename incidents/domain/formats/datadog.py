"""Datadog's webhook: the template that we recommend, and the default body with its state in words."""

import re
from collections.abc import Mapping
from typing import Any

from incidents.domain.events import Act, AlertEvent, Reading, key_of
from incidents.domain.formats.context import Context
from incidents.domain.payloads import Unreadable, instant, mapping, text, web_address

__all__ = ["TEMPLATE", "read"]

# Paste it as the webhook's payload in Datadog.
TEMPLATE: Mapping[str, str] = {
    "alert_id": "$ALERT_ID",
    "alert_cycle_key": "$ALERT_CYCLE_KEY",
    "aggreg_key": "$AGGREG_KEY",
    "alert_transition": "$ALERT_TRANSITION",
    "alert_priority": "$ALERT_PRIORITY",
    "alert_scope": "$ALERT_SCOPE",
    "title": "$EVENT_TITLE",
    "body": "$EVENT_MSG",
    "tags": "$TAGS",
    "link": "$LINK",
    "hostname": "$HOSTNAME",
    "last_updated": "$LAST_UPDATED",
}
# Possessive: what follows takes the same letters, and would be tried with each number of them.
_STATE = re.compile(
    r"^(?:\[(?P<priority>P[1-5])\]\s*)?"
    r"\[(?P<state>[A-Za-z -]++)(?:\{(?P<scope>[^}]*)\})?[^\]]*\]\s*(?P<rest>.*)$",
    re.DOTALL,
)
_MONITOR = re.compile(r"/monitors[/#](\d+)")
_WARN = frozenset({"warn", "re-warn", "warning"})


def read(payload: Any, context: Context) -> Reading:
    """Read an event of a monitor.

    Raises:
        Unreadable: Neither a title nor an id says what it is about.
    """
    body = mapping(payload)
    title = text(body.get("title"))
    found = _STATE.match(title)
    state = text(body.get("alert_transition")) or (found["state"] if found else "")
    words = found["rest"].strip() if found else title
    # A monitor of many groups has an alert for each, and only this tells them apart.
    scope = text(body.get("alert_scope")) or (found["scope"] or "" if found else "")
    key = _key(body, words, scope)
    if not key:
        raise Unreadable("title: neither a title nor an alert_id says what it is about")
    tags = _tags(f"{scope.strip('*')},{text(body.get('tags'))}")
    priority = text(body.get("alert_priority")) or (found["priority"] if found else "") or ""
    word = priority.lower() if priority.upper().startswith("P") else text(body.get("alert_type"))
    severity, pages = context.judge(_word(word, state), tags)
    event = AlertEvent(
        act=_act(state),
        dedup_key=key,
        title=_title(words, scope.strip("*")) or f"Datadog monitor {key}",
        severity=severity,
        pages=pages,
        detail=text(body.get("body"), 15_000),
        url=web_address(body.get("link")),
        labels=tags,
        at=instant(body.get("last_updated")),
    )
    return Reading((event,))


def _word(word: str, state: str) -> str:
    return word or ("warning" if state.partition(" on ")[0].strip().lower() in _WARN else "")


def _act(state: str) -> Act:
    # In a title the group follows: "Recovered on {host:web-1}".
    words = state.partition(" on ")[0].strip().lower()
    return Act.RESOLVE if words.endswith("recovered") else Act.TRIGGER


def _title(words: str, scope: str) -> str:
    return text(f"{words} ({scope})" if words and scope else words, 300)


def _key(body: Mapping[str, Any], words: str, scope: str) -> str:
    if given := text(body.get("alert_cycle_key")):
        return key_of(given)
    group = text(body.get("aggreg_key"))
    if given := text(body.get("alert_id")):
        return key_of("monitor", given, scope or group)
    if group:
        return key_of(group)
    monitor = _MONITOR.search(text(body.get("body")))
    return key_of("monitor" if monitor else "", monitor[1] if monitor else "", words, scope)


def _tags(said: str) -> dict[str, str]:
    pairs = (tag.strip().partition(":") for tag in said.split(","))
    return {name: value for name, _, value in pairs if name}
