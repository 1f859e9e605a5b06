"""PagerDuty's Events API v2, its change events and the older v1, with their own complaints."""

import re
from collections.abc import Mapping
from typing import Any

from incidents.domain.events import Act, AlertEvent, ChangeReport, Reading
from incidents.domain.formats.context import Context
from incidents.domain.formats.runbooks import runbook_in
from incidents.domain.payloads import (
    Unreadable,
    instant,
    mapping,
    sequence,
    text,
    web_address,
)

__all__ = ["Invalid", "Unrecognized", "key_told", "read_change", "read_v1", "read_v2"]

SEVERITIES = ("critical", "warning", "error", "info")
_ACTS = {"trigger": Act.TRIGGER, "acknowledge": Act.ACKNOWLEDGE, "resolve": Act.RESOLVE}
_LONGEST_KEY = 255
# Incidents that PagerDuty's webhooks mirror are `incident/…`: a client's own key of that form stands apart.
_APART = "events/"
_MIRRORED = re.compile(rf"(?:{_APART})*incident/")
_TITLE = 1024


class Unrecognized(Unreadable):
    """The body is no object."""


class Invalid(Unreadable):
    """An object that lacks what an event needs; `errors` are worded as PagerDuty words them."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


def read_v2(payload: Any, context: Context, *, fresh_key: str) -> Reading:
    """Read an event of `/v2/enqueue`; a trigger without a key gets `fresh_key`.

    Raises:
        Unrecognized: The body is no object.
        Invalid: A field that the act needs is missing or wrong.
    """
    event = _object(payload)
    errors = _missing(event, "event_action")
    act = _ACTS.get(text(event.get("event_action")))
    if act is None and not errors:
        errors.append(_not_one_of("event_action", ("trigger", "acknowledge", "resolve")))
    key = text(event.get("dedup_key"))
    if len(key) > _LONGEST_KEY:
        errors.append(f"'dedup_key' is too long (maximum is {_LONGEST_KEY} characters)")
    if act is Act.TRIGGER:
        errors += _payload_errors(event)
    elif act is not None and not key:
        errors += _missing(event, "dedup_key")
    if errors or act is None:
        raise Invalid(errors)
    return Reading((_event(event, act, _key_kept(key) or fresh_key, context),))


def key_told(kept: str) -> str:
    """Return a key as its client knows it, of the one that its alert is kept by."""
    return kept.removeprefix(_APART) if _MIRRORED.match(kept) else kept


def _key_kept(key: str) -> str:
    return f"{_APART}{key}" if _MIRRORED.match(key) else key


def _event(event: Mapping[str, Any], act: Act, key: str, context: Context) -> AlertEvent:
    payload = mapping(event.get("payload"))
    details = payload.get("custom_details")
    labels = {
        name: text(payload[name])
        for name in ("source", "component", "group", "class")
        if payload.get(name)
    }
    priority = {"priority": text(mapping(details).get("priority"))}
    severity, pages = context.judge(text(payload.get("severity")), priority)
    facts = {
        name: value
        for name, value in (
            # When it happened at the sender's; it orders nothing.
            ("timestamp", text(payload.get("timestamp"))),
            ("custom_details", details),
            ("client", event.get("client")),
            ("links", event.get("links")),
            ("images", event.get("images")),
        )
        if value
    }
    links = event.get("links")
    return AlertEvent(
        act=act,
        dedup_key=key,
        title=text(payload.get("summary"), _TITLE),
        severity=severity,
        pages=pages,
        detail=text(details) if isinstance(details, str) else "",
        url=web_address(event.get("client_url")) or _first_link(links),
        runbook_url=runbook_in(links, details),
        labels=labels,
        facts=facts,
    )


def _payload_errors(event: Mapping[str, Any]) -> list[str]:
    payload = event.get("payload")
    if not isinstance(payload, dict) or not payload:
        return ["'payload' is missing or blank"]
    errors = [
        f"'payload.{name}' is missing or blank"
        for name in ("summary", "source", "severity")
        if not text(payload.get(name))
    ]
    severity = text(payload.get("severity"))
    if severity and severity not in SEVERITIES:
        errors.append(_not_one_of("payload.severity", SEVERITIES))
    if payload.get("timestamp") and instant(payload["timestamp"]) is None:
        errors.append("'payload.timestamp' is invalid (must be an ISO 8601 timestamp)")
    return errors


def read_change(payload: Any, context: Context) -> Reading:
    """Read an event of `/v2/change/enqueue`: it tells of a change and calls nobody.

    Raises:
        Unrecognized: The body is no object.
        Invalid: It has no summary.
    """
    event = _object(payload)
    change = mapping(event.get("payload"))
    summary = text(change.get("summary"), _TITLE)
    if not summary:
        raise Invalid(["'payload.summary' is missing or blank"])
    report = ChangeReport(
        summary=summary,
        source=text(change.get("source"), 200),
        at=instant(change.get("timestamp")),
        url=_first_link(event.get("links")),
        facts={"custom_details": change["custom_details"]} if change.get("custom_details") else {},
    )
    return Reading(changes=(report,))


def read_v1(payload: Any, context: Context, *, fresh_key: str) -> Reading:
    """Read an event of the generic API of 2010, which Healthchecks still speaks.

    Raises:
        Unrecognized: The body is no object.
        Invalid: A field that the act needs is missing or wrong.
    """
    event = _object(payload)
    errors = _missing(event, "event_type")
    act = _ACTS.get(text(event.get("event_type")))
    key = text(event.get("incident_key"))
    if act is None and not errors:
        errors.append(_not_one_of("event_type", ("trigger", "acknowledge", "resolve")))
    if act is Act.TRIGGER:
        errors += _missing(event, "description")
    elif act is not None and not key:
        errors += _missing(event, "incident_key")
    if len(key) > _LONGEST_KEY:
        errors.append(f"'incident_key' is too long (maximum is {_LONGEST_KEY} characters)")
    if errors or act is None:
        raise Invalid(errors)
    details, contexts = event.get("details"), event.get("contexts")
    # v1 has no severity: every trigger calls somebody.
    severity, pages = context.judge(
        text(mapping(details).get("severity")), {"priority": text(mapping(details).get("priority"))}
    )
    found = AlertEvent(
        act=act,
        dedup_key=_key_kept(key) or fresh_key,
        title=text(event.get("description"), _TITLE),
        severity=severity,
        pages=pages,
        url=web_address(event.get("client_url")) or _first_link(contexts),
        runbook_url=runbook_in(contexts, details),
        facts={name: event[name] for name in ("details", "client", "contexts") if event.get(name)},
    )
    return Reading((found,))


def _first_link(links: Any) -> str:
    addresses = (web_address(mapping(link).get("href")) for link in sequence(links))
    return next(filter(None, addresses), "")


def _object(payload: Any) -> Mapping[str, Any]:
    if not isinstance(payload, dict):
        raise Unrecognized("body: an object is wanted")
    return payload


def _missing(event: Mapping[str, Any], name: str) -> list[str]:
    return [] if text(event.get(name)) else [f"'{name}' is missing or blank"]


def _not_one_of(name: str, words: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{word}'" for word in words[:-1])
    return f"'{name}' is invalid (must be one of the following: {listed} or '{words[-1]}')"
