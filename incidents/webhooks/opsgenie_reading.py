"""What Opsgenie's alert API tells of alerts: lists, counts, notes, logs and who was told."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from incidents.domain.formats import opsgenie
from incidents.models import Alert, AlertLogEntry, Integration, Page

__all__ = ["PARTS", "QueryError", "asked_for", "iso", "own_alerts", "page_of", "shown"]

_ORDERS = {
    "createdAt": "opened_at", "updatedAt": "last_seen_at", "lastOccurredAt": "last_seen_at",
    "count": "count", "tinyId": "pk", "alias": "dedup_key", "message": "title", "status": "state",
    "priority": "severity",
}  # fmt: skip
_MOST = 100


class QueryError(ValueError):
    """A search that is not understood."""


def own_alerts(integration: Integration) -> QuerySet[Alert]:
    """Return what a key opened; it sees nothing else."""
    own = Alert.objects.filter(integration=integration)
    return own.select_related("incident__assigned_to", "integration")


def asked_for(integration: Integration, query: str) -> QuerySet[Alert]:
    """Return the alerts that a search finds: `status:open AND priority:P1 disk`.

    Fields are status, alias, priority, tag, message and acknowledged; other words are looked for in
    message and description. All must hold.

    Raises:
        QueryError: It has a field that is not known, or words that join in another way.
    """
    found = own_alerts(integration)
    for word in query.split():
        if word.upper() == "AND":
            continue
        if word.upper() in {"OR", "NOT"}:
            raise QueryError(f"{word} is not understood; conditions are joined by AND.")
        name, colon, value = word.partition(":")
        value = value.strip("\"'")
        if not colon:
            found = found.filter(Q(title__icontains=word) | Q(detail__icontains=word))
        elif name.lower() in _FIELDS:
            found = found.filter(_FIELDS[name.lower()](value))
        else:
            raise QueryError(f"{name[:40]} is not one of {', '.join(_FIELDS)}.")
    return found


def _status(value: str) -> Q:
    states = {"open": Alert.State.FIRING, "closed": Alert.State.RESOLVED}
    if value.lower() not in states:
        raise QueryError("status is open or closed.")
    return Q(state=states[value.lower()])


def _priority(value: str) -> Q:
    if value.upper() not in opsgenie.SEVERITIES:
        raise QueryError("priority is P1 to P5.")
    return Q(severity=opsgenie.SEVERITIES[value.upper()])


def _acknowledged(value: str) -> Q:
    return Q(acknowledged_at__isnull=value.lower() != "true")


_FIELDS: dict[str, Callable[[str], Q]] = {
    "status": _status,
    "alias": lambda value: Q(dedup_key=value),
    "priority": _priority,
    "tag": lambda value: Q(facts__tags__icontains=f'"{value}"'),
    "message": lambda value: Q(title__icontains=value),
    "acknowledged": _acknowledged,
}


def page_of(found: QuerySet[Alert], asked: dict[str, str]) -> list[dict[str, Any]]:
    """Return the part of a list that is asked for, at most a hundred.

    Raises:
        QueryError: An offset, limit or column that cannot be.
    """
    offset, limit = _number(asked, "offset", 0), _number(asked, "limit", 20)
    column = _ORDERS.get(asked.get("sort", "createdAt"))
    if column is None:
        raise QueryError(f"sort is one of {', '.join(_ORDERS)}.")
    sign = "" if asked.get("order", "desc").lower() == "asc" else "-"
    ordered = found.order_by(f"{sign}{column}", f"{sign}pk")
    return [shown(alert) for alert in ordered[offset : offset + min(limit, _MOST)]]


def _number(asked: dict[str, str], name: str, default: int) -> int:
    given = asked.get(name, "")
    if not given:
        return default
    if given.isascii() and given.isdecimal() and len(given) <= 6:
        return int(given)
    raise QueryError(f"{name} is a whole number.")


def shown(alert: Alert) -> dict[str, Any]:
    """Return an alert as Opsgenie shows one."""
    until = alert.incident.snoozed_until if alert.incident else None
    owner = alert.incident.assigned_to if alert.incident else None
    told = {
        "id": str(alert.pk),
        "tinyId": str(alert.pk),
        "alias": alert.dedup_key,
        "message": alert.title,
        "description": alert.detail,
        "status": "open" if alert.state == Alert.State.FIRING else "closed",
        "acknowledged": alert.acknowledged_at is not None,
        "isSeen": alert.acknowledged_at is not None,
        "snoozed": until is not None,
        "owner": owner.email or owner.username if owner else alert.acknowledged_by,
        "priority": opsgenie.PRIORITIES[alert.severity],
        "count": alert.count,
        "createdAt": iso(alert.opened_at),
        "updatedAt": iso(alert.last_seen_at),
        "lastOccurredAt": iso(alert.last_seen_at),
        "source": alert.labels.get("source") or alert.source,
        "entity": alert.labels.get("entity", ""),
        "details": alert.labels,
        "tags": alert.facts.get("tags", []),
        "actions": alert.facts.get("actions", []),
        "responders": alert.facts.get("responders", []),
        "integration": {"id": str(alert.integration_id), "name": str(alert.integration)},
    }
    return {**told, **({"snoozedUntil": iso(until)} if until else {})}


def _notes(alert: Alert) -> list[dict[str, Any]]:
    return [
        {"note": entry.text, **_who_and_when(entry)}
        for entry in alert.log.order_by("pk")
        if entry.facts.get("note") or entry.facts.get("action") == "notes"
    ]


def _logs(alert: Alert) -> list[dict[str, Any]]:
    return [
        {
            "log": entry.text or entry.get_kind_display(),
            "type": "alertRecipient" if entry.kind == AlertLogEntry.Kind.ACKNOWLEDGED else "system",
            **_who_and_when(entry),
        }
        for entry in alert.log.order_by("pk")
    ]


def _recipients(alert: Alert) -> list[dict[str, Any]]:
    pages = Page.objects.filter(incident=alert.incident_id).exclude(person=None)
    return [
        {
            "user": {"id": str(page.person_id), "username": str(page.person)},
            "state": page.state,
            "method": page.channel,
            "createdAt": iso(page.created_at),
            "updatedAt": iso(page.sent_at or page.created_at),
        }
        for page in pages.select_related("person").order_by("pk")[:_MOST]
    ]


# What is told of one alert besides itself, the oldest first.
PARTS: dict[str, Callable[[Alert], list[dict[str, Any]]]] = {
    "notes": _notes,
    "logs": _logs,
    "recipients": _recipients,
}


def _who_and_when(entry: AlertLogEntry) -> dict[str, Any]:
    return {"owner": entry.actor, "createdAt": iso(entry.at), "offset": f"{entry.pk}_{entry.pk}"}


def iso(at: datetime) -> str:
    """Return an instant as Opsgenie writes one."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
