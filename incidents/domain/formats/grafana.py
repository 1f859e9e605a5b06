"""Grafana: unified alerting, shaped like Alertmanager's webhook, and the legacy one up to 8."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from incidents.domain.events import Act, AlertEvent, Reading, key_of
from incidents.domain.formats import alertmanager
from incidents.domain.formats.context import Context
from incidents.domain.payloads import Unreadable, mapping, text, web_address

__all__ = ["read"]

_ORGANIZATION = re.compile(r"[?&]orgId=([0-9]{1,18})(?![0-9])")


def read(payload: Any, context: Context) -> Reading:
    """Read a message of a webhook contact point, or of a legacy notification channel.

    Raises:
        Unreadable: It is neither.
    """
    message = mapping(payload)
    if "ruleId" in message or "evalMatches" in message:
        return _legacy(message, context)
    reading = alertmanager.read(payload, context)
    by_key = {
        text(mapping(alert).get("fingerprint")): mapping(alert) for alert in message["alerts"]
    }
    return replace(
        reading,
        events=tuple(_linked(event, by_key.get(event.dedup_key, {})) for event in reading.events),
    )


def _linked(event: AlertEvent, alert: Mapping[str, Any]) -> AlertEvent:
    """Add what only Grafana says: panel, dashboard and values."""
    facts = {
        name: alert[name]
        for name in ("values", "valueString", "dashboardURL", "panelURL", "silenceURL", "imageURL")
        if alert.get(name)
    }
    url = web_address(alert.get("panelURL")) or web_address(alert.get("dashboardURL"))
    return replace(event, url=url or event.url, facts={**event.facts, **facts})


def _legacy(message: Mapping[str, Any], context: Context) -> Reading:
    state = text(message.get("state")).lower()
    acts = {"alerting": Act.TRIGGER, "no_data": Act.TRIGGER, "ok": Act.RESOLVE, "paused": Act.NOTE}
    if state not in acts:
        raise Unreadable("state: alerting, ok, no_data or paused is wanted")
    rule = text(message.get("ruleId"))
    name = text(message.get("ruleName"))
    if not rule and not name:
        raise Unreadable("ruleId: the rule is not named")
    tags = {key: text(value) for key, value in mapping(message.get("tags")).items()}
    severity, pages = context.judge(tags.get("severity", ""), tags)
    facts = {key: message[key] for key in ("evalMatches", "imageUrl") if message.get(key)}
    event = AlertEvent(
        act=acts[state],
        dedup_key=key_of("rule", _organization(message), rule or name),
        title=text(message.get("title") or name, 300),
        severity=severity,
        pages=pages,
        detail=text(message.get("message")),
        url=web_address(message.get("ruleUrl")),
        labels=tags,
        facts=facts,
    )
    return Reading((event,))


def _organization(message: Mapping[str, Any]) -> str:
    """Return whose rule it is: older bodies say so in the rule's address only."""
    if given := text(message.get("orgId")):
        return given
    found = _ORGANIZATION.search(text(message.get("ruleUrl")))
    return found[1] if found else ""
