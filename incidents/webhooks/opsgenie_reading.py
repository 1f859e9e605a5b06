"""What Opsgenie's alert API tells of alerts: lists, counts, notes, logs and who was told."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet

from incidents.domain.formats import opsgenie
from incidents.domain.formats.opsgenie_search import QueryError
from incidents.domain.lifecycle import Status
from incidents.domain.payloads import sequence, text
from incidents.models import Alert, AlertLogEntry, Integration, Page

__all__ = [
    "ACKNOWLEDGED",
    "NOT_ACKNOWLEDGED",
    "PARTS",
    "iso",
    "own_alerts",
    "page_of",
    "part_of",
    "shown",
]

_ORDERS = {
    "createdAt": "opened_at", "updatedAt": "last_seen_at", "lastOccurredAt": "last_seen_at",
    "count": "count", "tinyId": "pk", "alias": "dedup_key", "message": "title", "status": "state",
    "priority": "severity",
}  # fmt: skip
_MOST = 100
_OFFSET = re.compile("([0-9]{1,18})_[0-9]{1,18}")
# What is told of one alert besides itself.
PARTS = frozenset({"notes", "logs", "recipients"})
WORKED_ON = [Status.ACKNOWLEDGED, Status.MITIGATED]
_FOLLOWS_INCIDENT = Q(state=Alert.State.FIRING, incident__isnull=False)
# While an alert has an incident that people work on, theirs is what counts; else what its sender said.
ACKNOWLEDGED = Q(state=Alert.State.FIRING, incident__status__in=WORKED_ON) | (
    Q(acknowledged_at__isnull=False) & ~_FOLLOWS_INCIDENT
)
NOT_ACKNOWLEDGED = (_FOLLOWS_INCIDENT & ~Q(incident__status__in=WORKED_ON)) | (
    Q(acknowledged_at__isnull=True) & ~_FOLLOWS_INCIDENT
)


def own_alerts(integration: Integration) -> QuerySet[Alert]:
    """Return what a key opened; it sees nothing else."""
    own = Alert.objects.filter(integration=integration)
    return own.select_related("incident__assigned_to", "integration")


def page_of(found: QuerySet[Alert], asked: dict[str, str], *, address: str) -> dict[str, Any]:
    """Return the part of a list that is asked for, at most a hundred, and where the others are.

    Args:
        found: The list.
        asked: What the address asks for.
        address: Without what it asks for.

    Raises:
        QueryError: An offset, limit or column that cannot be.
    """
    offset = _number(asked, "offset", 0)
    limit = min(_number(asked, "limit", 20, least=1), _MOST)
    column = _ORDERS.get(asked.get("sort", "createdAt"))
    if column is None:
        raise QueryError(f"sort is one of {', '.join(_ORDERS)}.")
    sign = "" if asked.get("order", "desc").lower() == "asc" else "-"
    ordered = found.order_by(f"{sign}{column}", f"{sign}pk")
    offsets = _offsets(offset, limit, found.count())
    return {
        "data": [shown(alert) for alert in ordered[offset : offset + limit]],
        "paging": {
            name: f"{address}?{urlencode({**asked, 'offset': begin, 'limit': limit})}"
            for name, begin in offsets.items()
        },
    }


def _offsets(offset: int, limit: int, count: int) -> dict[str, int]:
    """Return where pages begin: the first, the last, and those beside this one where there are any."""
    offsets = {"first": 0, "last": max(count - 1, 0) // limit * limit}
    if offset:
        offsets["prev"] = max(offset - limit, 0)
    if offset + limit < count:
        offsets["next"] = offset + limit
    return offsets


def _number(asked: dict[str, str], name: str, default: int, *, least: int = 0) -> int:
    given = asked.get(name, "")
    if not given:
        return default
    if given.isascii() and given.isdecimal() and len(given) <= 9 and int(given) >= least:
        return int(given)
    raise QueryError(f"{name} is a whole number, at least {least}.")


def shown(alert: Alert) -> dict[str, Any]:
    """Return an alert as Opsgenie shows one."""
    until = alert.incident.snoozed_until if alert.incident else None
    owner = alert.incident.assigned_to if alert.incident else None
    is_worked_on = _is_acknowledged(alert)
    told = {
        "id": str(alert.pk),
        "tinyId": str(alert.pk),
        "alias": alert.dedup_key,
        "message": alert.title,
        "description": alert.detail,
        "status": "open" if alert.state == Alert.State.FIRING else "closed",
        "acknowledged": is_worked_on,
        "isSeen": is_worked_on or alert.acknowledged_at is not None,
        "snoozed": until is not None,
        "owner": _owner(alert) if is_worked_on or owner else "",
        "priority": opsgenie.PRIORITIES[alert.severity],
        "count": alert.count,
        "createdAt": iso(alert.opened_at),
        "updatedAt": iso(alert.last_seen_at),
        "lastOccurredAt": iso(alert.last_seen_at),
        "source": alert.labels.get("source") or alert.source,
        "entity": alert.labels.get("entity", ""),
        "details": alert.labels,
        "tags": [text(tag) for tag in sequence(alert.facts.get("tags"))],
        "actions": [text(action) for action in sequence(alert.facts.get("actions"))],
        "responders": opsgenie.responders_in(alert.facts.get("responders")),
        "integration": {
            "id": str(alert.integration_id),
            "name": str(alert.integration),
            "type": "API",
        },
    }
    report = _report(alert)
    return {
        **told,
        **({"snoozedUntil": iso(until)} if until else {}),
        **({"report": report} if report else {}),
    }


def _report(alert: Alert) -> dict[str, Any]:
    """Return after how many milliseconds it was acknowledged and closed, as far as it was."""
    instants = {"ackTime": alert.acknowledged_at, "closeTime": alert.resolved_at}
    spans = {
        name: (at - alert.opened_at) // timedelta(milliseconds=1)
        for name, at in instants.items()
        if at is not None
    }
    return {**spans, **({"acknowledgedBy": by} if (by := alert.acknowledged_by) else {})}


def _is_acknowledged(alert: Alert) -> bool:
    """Return whether somebody works on it, wherever that was said; see `ACKNOWLEDGED`."""
    if alert.state == Alert.State.FIRING and alert.incident is not None:
        return alert.incident.status in WORKED_ON
    return alert.acknowledged_at is not None


def _owner(alert: Alert) -> str:
    incident = alert.incident
    if incident is not None and incident.assigned_to is not None:
        return incident.assigned_to.email or incident.assigned_to.username
    return alert.acknowledged_by or (incident.acknowledged_by if incident is not None else "")


def part_of(alert: Alert, part: str, asked: dict[str, str], *, address: str) -> dict[str, Any]:
    """Return one of `PARTS` of an alert: the newest first, at most a hundred, and where the others are.

    Args:
        alert: The alert.
        part: What of it.
        asked: What the address asks for; an offset is that of an entry, those beyond it are wanted.
        address: Without what it asks for.

    Raises:
        QueryError: An offset or limit that cannot be.
    """
    if part == "recipients":
        return {"data": _recipients(alert)}
    limit = min(_number(asked, "limit", 20, least=1), _MOST)
    goes_back = asked.get("direction", "").lower() == "prev"
    is_rising = (asked.get("order", "desc").lower() == "asc") != goes_back
    entries = alert.log.order_by("pk" if is_rising else "-pk")
    if (last := _entry(asked)) is not None:
        entries = entries.filter(**{"pk__gt" if is_rising else "pk__lt": last})
    fitting = filter(_is_note, entries.iterator()) if part == "notes" else entries.iterator()
    found = list(islice(fitting, limit + 1))
    page = found[:limit][::-1] if goes_back else found[:limit]
    told = _as_note if part == "notes" else _as_log
    return {
        "data": [{**told(entry), **_who_and_when(entry)} for entry in page],
        "paging": _beside(asked, page, address=address, is_last=not goes_back and page == found),
    }


def _entry(asked: dict[str, str]) -> int | None:
    """Return which entry of a log an offset names, as `_who_and_when` tells it; None for none."""
    if not (given := asked.get("offset", "").strip()) or given == "0":
        return None
    if found := _OFFSET.fullmatch(given):
        return int(found[1])
    raise QueryError("offset is that of an entry, as it was told.")


def _beside(
    asked: dict[str, str], page: Sequence[AlertLogEntry], *, address: str, is_last: bool
) -> dict[str, str]:
    rest = {name: value for name, value in asked.items() if name not in {"offset", "direction"}}
    paging = {"first": f"{address}?{urlencode(rest)}"}
    if page and not is_last:
        beyond = {**rest, "offset": _offset(page[-1]), "direction": "next"}
        paging["next"] = f"{address}?{urlencode(beyond)}"
    return paging


def _is_note(entry: AlertLogEntry) -> bool:
    return bool(entry.facts.get("note")) or entry.facts.get("action") == "notes"


def _as_note(entry: AlertLogEntry) -> dict[str, Any]:
    return {"note": entry.text}


def _as_log(entry: AlertLogEntry) -> dict[str, Any]:
    is_acknowledged = entry.kind == AlertLogEntry.Kind.ACKNOWLEDGED
    return {
        "log": entry.text or entry.get_kind_display(),
        "type": "alertRecipient" if is_acknowledged else "system",
    }


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


def _who_and_when(entry: AlertLogEntry) -> dict[str, Any]:
    return {"owner": entry.actor, "createdAt": iso(entry.at), "offset": _offset(entry)}


def _offset(entry: AlertLogEntry) -> str:
    return f"{entry.pk}_{entry.pk}"


def iso(at: datetime) -> str:
    """Return an instant as Opsgenie writes one."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
