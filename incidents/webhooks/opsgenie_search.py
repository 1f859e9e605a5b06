"""Which alerts a search of Opsgenie's finds."""

import json
import re
from collections.abc import Callable

from django.db.models import Q, QuerySet

from incidents.domain.formats.opsgenie import SEVERITIES
from incidents.domain.formats.opsgenie_search import Condition, QueryError, conditions
from incidents.domain.payloads import instant
from incidents.models import Alert, Integration
from incidents.webhooks.opsgenie_reading import ACKNOWLEDGED, NOT_ACKNOWLEDGED, own_alerts

__all__ = ["asked_for"]

_WHOLE = re.compile("[0-9]{1,9}")
# Python's SDK writes its example so.
_EQUAL = (":", "=")
_COMPARISONS = {":": "exact", "=": "exact", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
# Instants are told in milliseconds, and so they are compared: by these microseconds of one.
_OF_INSTANTS = {"<": ("lt", 0), "<=": ("lte", 999), ">": ("gt", 999), ">=": ("gte", 0)}


def asked_for(integration: Integration, query: str) -> QuerySet[Alert]:
    """Return the alerts of a key that a search finds; all of its conditions hold for them.

    Words without a field are looked for in message and description. An asterisk at an end of a value
    stands for any text.

    Raises:
        QueryError: It is not understood, e.g. has a field that is not known.
    """
    found = own_alerts(integration)
    for condition in conditions(query):
        found = found.filter(_of(condition))
    return found


def _of(condition: Condition) -> Q:
    if not condition.field:
        lookup = condition.way or "icontains"
        words = condition.value
        return Q(**{f"title__{lookup}": words}) | Q(**{f"detail__{lookup}": words})
    read = _BY_NAME.get(condition.field.lower())
    if read is None:
        raise QueryError(f"{condition.field[:40]} is not one of {', '.join(_FIELDS)}.")
    return read(condition)


def _only_equal(condition: Condition) -> None:
    """Refuse to compare what has no order.

    Raises:
        QueryError: With another operator than the colon, or the sign of equality that means the same.
    """
    if condition.operator not in _EQUAL:
        raise QueryError(f"{condition.field} is not compared by {condition.operator}.")


def _one_of(**allowed: Q) -> Callable[[Condition], Q]:
    """Return how a field is read that has few values."""

    def read(condition: Condition) -> Q:
        _only_equal(condition)
        value = condition.value.lower()
        if condition.way or value not in allowed:
            raise QueryError(f"{condition.field} is {' or '.join(allowed)}.")
        return allowed[value]

    return read


def _text(column: str, lookup: str) -> Callable[[Condition], Q]:
    """Return how a field is read that has text; by `lookup` where no asterisk says otherwise."""

    def read(condition: Condition) -> Q:
        _only_equal(condition)
        return Q(**{f"{column}__{condition.way or lookup}": condition.value})

    return read


def _tag(condition: Condition) -> Q:
    """Look for a tag in the JSON of those that an alert has, each of them in quotes."""
    _only_equal(condition)
    found = Q()
    # SQLite keeps letters beyond ASCII escaped, PostgreSQL as they are.
    for is_escaped in (False, True):
        text = json.dumps(condition.value, ensure_ascii=is_escaped)
        if condition.way in {"istartswith", "icontains"}:
            text = text.removesuffix('"')
        if condition.way in {"iendswith", "icontains"}:
            text = text.removeprefix('"')
        found |= Q(facts__tags__icontains=text)
    return found


def _count(condition: Condition) -> Q:
    lookup = _COMPARISONS.get(condition.operator)
    if lookup is None or condition.way or not _WHOLE.fullmatch(condition.value):
        raise QueryError("count is compared with a whole number by :, =, <, <=, > or >=.")
    return Q(**{f"count__{lookup}": int(condition.value)})


def _instant(column: str) -> Callable[[Condition], Q]:
    def read(condition: Condition) -> Q:
        at, known = instant(condition.value), _OF_INSTANTS.get(condition.operator)
        if at is None or known is None or condition.way:
            raise QueryError(
                f"{condition.field} is compared with milliseconds or an ISO 8601 time "
                "by <, <=, > or >=."
            )
        lookup, microseconds = known
        at = at.replace(microsecond=at.microsecond // 1000 * 1000 + microseconds)
        return Q(**{f"{column}__{lookup}": at})

    return read


_FIELDS: dict[str, Callable[[Condition], Q]] = {
    "status": _one_of(open=Q(state=Alert.State.FIRING), closed=Q(state=Alert.State.RESOLVED)),
    "alias": _text("dedup_key", "exact"),
    "priority": _one_of(
        **{priority.lower(): Q(severity=level) for priority, level in SEVERITIES.items()}
    ),
    "tag": _tag,
    "message": _text("title", "icontains"),
    "acknowledged": _one_of(true=ACKNOWLEDGED, false=NOT_ACKNOWLEDGED),
    "count": _count,
    "createdAt": _instant("opened_at"),
    "updatedAt": _instant("last_seen_at"),
    "lastOccurredAt": _instant("last_seen_at"),
}
# Nobody minds how they are capitalized.
_BY_NAME = {name.lower(): read for name, read in _FIELDS.items()}
