"""Sentry: hooks of an internal integration, and the body of the older webhook plugin."""

from collections.abc import Mapping
from typing import Any

from incidents.domain.events import Act, AlertEvent, Reading, key_of
from incidents.domain.formats.context import Context
from incidents.domain.payloads import Unreadable, mapping, sequence, text, web_address

__all__ = ["read"]

_ISSUE_ACTS = {
    "created": Act.TRIGGER,
    "unresolved": Act.TRIGGER,
    "resolved": Act.RESOLVE,
    "archived": Act.RESOLVE,
    "ignored": Act.RESOLVE,
    "assigned": Act.NOTE,
}
_METRIC_ACTS = {"critical": Act.TRIGGER, "warning": Act.TRIGGER, "resolved": Act.RESOLVE}
# They tell of Sentry itself or of people's words.
_NOT_ALERTS = frozenset({"installation", "comment", "error"})


def read(payload: Any, context: Context) -> Reading:
    """Read a hook; `Sentry-Hook-Resource` says which.

    Raises:
        Unreadable: It is about nothing that has an id, or does not say what happened to it.
    """
    body = mapping(payload)
    resource = context.headers.get("sentry-hook-resource", "").lower()
    if resource in _NOT_ALERTS:
        return _nothing_to_do(resource)
    data = mapping(body.get("data"))
    if resource == "metric_alert" or "metric_alert" in data:
        if act := _METRIC_ACTS.get(action := _action(body)):
            return Reading((_metric(body, data, act, context),))
        return _nothing_to_do(f"a metric alert that is {action}")
    if resource == "issue" or "issue" in data:
        if act := _ISSUE_ACTS.get(action := _action(body)):
            return Reading((_issue(body, mapping(data.get("issue")), act, context),))
        return _nothing_to_do(f"an issue that is {action}")
    if resource == "event_alert" or "event" in data:
        return Reading((_event(mapping(data.get("event")), data, context),))
    return Reading((_plugin(body, context),))


def _action(body: Mapping[str, Any]) -> str:
    if action := text(body.get("action"), 40):
        return action
    raise Unreadable("action: missing")


def _nothing_to_do(what: str) -> Reading:
    return Reading(notes=(f"A hook about {what} alerts nobody.",))


def _event(event: Mapping[str, Any], data: Mapping[str, Any], context: Context) -> AlertEvent:
    issue = _id_of(event.get("issue_id") or event.get("groupID"), "data.event.issue_id")
    tags = _tags(event)
    severity, pages = context.judge(text(event.get("level")), tags)
    return AlertEvent(
        act=Act.TRIGGER,
        dedup_key=key_of("issue", issue),
        title=text(event.get("title"), 300) or f"Sentry issue {issue}",
        severity=severity,
        pages=pages,
        detail=text(event.get("message") or event.get("culprit"), 15_000),
        url=web_address(event.get("web_url")),
        labels=tags,
        facts={"rule": data["triggered_rule"]} if data.get("triggered_rule") else {},
    )


def _metric(
    body: Mapping[str, Any], data: Mapping[str, Any], act: Act, context: Context
) -> AlertEvent:
    alert = mapping(data.get("metric_alert"))
    number = _id_of(alert.get("id"), "data.metric_alert.id")
    severity, pages = context.judge(text(body.get("action")) if act is Act.TRIGGER else "")
    return AlertEvent(
        act=act,
        dedup_key=key_of("metric", number),
        title=text(data.get("description_title"), 300) or f"Sentry metric alert {number}",
        severity=severity,
        pages=pages,
        detail=text(data.get("description_text"), 15_000),
        url=web_address(data.get("web_url")),
    )


def _issue(
    body: Mapping[str, Any], issue: Mapping[str, Any], act: Act, context: Context
) -> AlertEvent:
    number, actor = _id_of(issue.get("id"), "data.issue.id"), mapping(body.get("actor"))
    severity, pages = context.judge(text(issue.get("level")))
    name = text(actor.get("name"), 100)
    return AlertEvent(
        act=act,
        dedup_key=key_of("issue", number),
        title=text(issue.get("title"), 300) or f"Sentry issue {number}",
        severity=severity,
        pages=pages,
        detail=text(issue.get("culprit"), 1000),
        url=web_address(issue.get("web_url") or issue.get("permalink")),
        actor=name,
        # Else it is Sentry itself, or another application.
        is_person=bool(name) and text(actor.get("type")) == "user",
    )


def _plugin(body: Mapping[str, Any], context: Context) -> AlertEvent:
    number = _id_of(body.get("id"), "id")
    event = mapping(body.get("event"))
    tags = _tags(event)
    severity, pages = context.judge(text(body.get("level")), tags)
    return AlertEvent(
        act=Act.TRIGGER,
        dedup_key=key_of("issue", number),
        title=text(body.get("message") or event.get("title"), 300) or f"Sentry issue {number}",
        severity=severity,
        pages=pages,
        detail=text(body.get("culprit"), 1000),
        url=web_address(body.get("url")),
        labels={**tags, "project": text(body.get("project"))},
    )


def _tags(event: Mapping[str, Any]) -> dict[str, str]:
    return {
        text(pair[0]): text(pair[1])
        for pair in sequence(event.get("tags"))
        if isinstance(pair, list) and len(pair) == 2
    }


def _id_of(value: Any, path: str) -> str:
    if found := text(value, 200):
        return found
    raise Unreadable(f"{path}: missing")
