"""Any JSON: by expressions that somebody wrote for it, else by the names that most senders use.

The expressions are JMESPath (https://jmespath.org): `alert.host`, `labels.severity`,
`join(' on ', [check, host])`, `status == 'up'`. What a mapping leaves out is guessed as without one.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import prod
from typing import Any

import jmespath

from core.storable import storable
from incidents.domain.events import Act, AlertEvent, Reading, key_of
from incidents.domain.formats.context import Context
from incidents.domain.payloads import Unreadable, clean, instant, mapping, text, web_address

__all__ = ["FIELDS", "check_mapping", "read", "title_in"]

FIELDS: Mapping[str, str] = {
    "items": "The list of alerts, where one body has several.",
    "title": "One sentence about what is wrong.",
    "dedup_key": "What makes it the same alert as before.",
    "state": "Firing or resolved, in the sender's words.",
    "severity": "How bad it is, in the sender's words.",
    "detail": "The rest, in words.",
    "url": "The sender's page about it.",
    "runbook_url": "What to do about it.",
    "group_key": "What belongs together.",
    "labels": "An object of names and values.",
    "at": "When it happened; orders the events of an alert.",
}
_GUESSES: Mapping[str, tuple[str, ...]] = {
    "title": ("title", "summary", "message", "name", "subject", "text"),
    "dedup_key": ("dedup_key", "dedup", "alert_uid", "fingerprint", "incident_key", "alias", "id"),
    "state": ("state", "status", "action", "event_action"),
    "severity": ("severity", "priority", "level"),
    "detail": ("detail", "details", "description", "message", "body"),
    "url": ("url", "link", "link_to_upstream_details"),
    "runbook_url": ("runbook_url", "runbook"),
    "group_key": ("group_key", "group"),
    "labels": ("labels", "tags", "meta"),
    "at": ("timestamp", "time", "at"),
}
_ENDED = frozenset({"resolved", "resolve", "ok", "close", "closed", "up", "recovered", "recovery",
                    "normal", "inactive", "success", "healthy", "false", "0"})  # fmt: skip
_MOST = 1000
# So many times may what an expression gets be in what it makes: with pipes that doubles each time.
_MOST_COPIES = 32
_TOO_MUCH = f"makes too much: more than {_MOST_COPIES} times what it gets"
# To all others an expression is a value, which says nothing.
_TAKE_EXPRESSIONS = frozenset({"map", "sort_by", "min_by", "max_by"})
_NO_VALUE = f"has an & elsewhere than in {', '.join(sorted(_TAKE_EXPRESSIONS))}"
# Beside its own errors JMESPath lets through those of Python, of a slice without a step for one.
_BROKEN = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)


def check_mapping(expressions: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with a mapping, by field; nothing when it can be used."""
    wrong: dict[str, str] = {}
    for name, expression in expressions.items():
        if name not in FIELDS:
            wrong[name] = f"There is no such field; use {', '.join(FIELDS)}."
        elif not isinstance(expression, str) or len(expression) > _MOST:
            wrong[name] = f"A JMESPath expression of up to {_MOST} characters is wanted."
        elif not "".join(expression.split()).isprintable():
            wrong[name] = "Has characters that cannot be kept."
        elif expression.strip() and (problem := _problem(expression)):
            wrong[name] = problem
    return wrong


def _problem(expression: str) -> str:
    """Return what is wrong with an expression, "" when it can be used."""
    try:
        parsed = jmespath.compile(expression).parsed
        if storable(parsed) != parsed:
            return "Has a value that cannot be kept."
        return f"It {refusal}." if (refusal := _refusal(parsed)) else ""
    except _BROKEN as error:
        return f"Not JMESPath: {_reason(error)}"


def _refusal(parsed: Mapping[str, Any]) -> str:
    """Return why an expression is not used though it can be read, "" where it is."""
    if _is_loose(parsed):
        return _NO_VALUE
    return _TOO_MUCH if _copies(parsed) > _MOST_COPIES else ""


def _is_loose(node: Mapping[str, Any]) -> bool:
    """Return whether an expression stands somewhere for a value."""
    if node["type"] == "expref":
        return True
    parts = [child for child in node["children"] if isinstance(child, dict)]
    if node["type"] == "function_expression" and node["value"] in _TAKE_EXPRESSIONS:
        parts = [part["children"][0] if part["type"] == "expref" else part for part in parts]
    return any(map(_is_loose, parts))


def _copies(node: Mapping[str, Any]) -> int:
    """Return how many times what an expression gets may be in what it makes, at most.

    Parts that are listed beside each other add up; what each of them is handed on to multiplies.
    """
    parts = [_copies(child) for child in node["children"] if isinstance(child, dict)]
    kind = node["type"]
    if kind.startswith("multi_select") or kind in {"and_expression", "or_expression"}:
        return max(1, sum(parts))
    if kind == "function_expression":
        maps = [child["type"] == "expref" for child in node["children"]]
        each = prod(part for part, is_map in zip(parts, maps, strict=True) if is_map)
        return each * max(1, sum(p for p, is_map in zip(parts, maps, strict=True) if not is_map))
    if kind in {"comparator", "not_expression"}:
        return 1
    # The third part of a filter is what it asks.
    return prod(parts[:2] if kind == "filter_projection" else parts)


def title_in(item: Any) -> str:
    """Return what the names that most senders use say it is about, "" for nothing."""
    return text(_field("title", item, {}))


def read(payload: Any, context: Context) -> Reading:
    """Read any body, by the mapping of the integration.

    Raises:
        Unreadable: No title is found in it, nor the key of what ended, or an expression does not fit.
    """
    if isinstance(payload, str):
        payload = {"title": payload.partition("\n")[0], "detail": payload}
    items = _items(payload, context.mapping)
    events, remarks = [], []
    for index, item in enumerate(items):
        try:
            events.append(_event(item, context))
        except Unreadable as error:
            if len(items) == 1:
                raise
            remarks.append(f"items[{index}].{error}")
    return Reading(tuple(events), remarks=tuple(remarks))


def _items(payload: Any, expressions: Mapping[str, Any]) -> list[Any]:
    if expression := expressions.get("items"):
        found = _search("items", expression, payload)
        if not isinstance(found, list):
            raise Unreadable("items: the expression finds no list")
        return found
    return payload if isinstance(payload, list) else [payload]


def _event(item: Any, context: Context) -> AlertEvent:
    said = {name: _field(name, item, context.mapping) for name in FIELDS if name != "items"}
    title, key = text(said["title"], 300), text(said["dedup_key"])
    act = Act.RESOLVE if text(said["state"]).lower() in _ENDED else Act.TRIGGER
    if not title and (act is Act.TRIGGER or not key):
        raise Unreadable(
            "title: none is found; map it, or send one of " + ", ".join(_GUESSES["title"])
        )
    labels = _labels(said["labels"])
    severity, pages = context.judge(text(said["severity"]), labels)
    return AlertEvent(
        act=act,
        dedup_key=key_of(key or title),
        title=title,
        severity=severity,
        pages=pages,
        detail=text(said["detail"], 15_000),
        url=web_address(said["url"]),
        runbook_url=web_address(said["runbook_url"]),
        labels=labels,
        group_key=text(said["group_key"], 500),
        at=instant(said["at"]),
        # A guess may be when it began, which says nothing of what came later.
        is_ordered=bool(context.mapping.get("at")),
        facts={"image_url": image}
        if (image := web_address(mapping(item).get("image_url")))
        else {},
    )


def _labels(said: Any) -> dict[str, str]:
    """Return an object of names and values, or what forms write as `name=value`."""
    if isinstance(said, dict):
        return {key: text(value) for key, value in said.items()}
    given = said if isinstance(said, list) else [said]
    pairs = (each.partition("=") for each in given if isinstance(each, str))
    return {name.strip(): value.strip() for name, sign, value in pairs if sign and name.strip()}


def _field(name: str, item: Any, expressions: Mapping[str, Any]) -> Any:
    if expression := expressions.get(name):
        return _search(name, expression, item)
    body = mapping(item)
    return next((body[guess] for guess in _GUESSES[name] if text(body.get(guess))), None)


def _search(name: str, expression: str, item: Any) -> Any:
    try:
        compiled, refusal = _compiled(expression)
        found = None if refusal else compiled.search(item)
    except _BROKEN as error:
        raise Unreadable(f"{name}: {_reason(error)}") from error
    if refusal:
        raise Unreadable(f"{name}: the expression {refusal}")
    # A literal of the expression is none of the body.
    return clean(found)


@lru_cache(maxsize=512)
def _compiled(expression: str) -> tuple[Any, str]:
    """Return an expression to search with, and why it is not used, "" where it is."""
    compiled = jmespath.compile(expression)
    return compiled, _refusal(compiled.parsed)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    return str(error).partition("\n")[0]
