"""What happened to an object, whatever changed it: the audit's rows and those of Django's admin."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Exists, F, Model, OuterRef, QuerySet, Value
from django.db.models.functions import Concat

from core import audit
from core.models import AuditEntry

__all__ = ["HistoryRow", "history_of", "rows_of"]

# Rows that one request writes of one act lie no further apart.
_TOGETHER = timedelta(seconds=5)
_OF_AUDIT, _OF_ADMIN = "audit", "admin"


@dataclass(frozen=True)
class HistoryRow:
    """One act.

    Attributes:
        at: When.
        actor: Who, as the audit names them, e.g. `user:alice`.
        act: What was done, e.g. `schedule.changed`.
        changes: What changed, a line each.
    """

    at: datetime
    actor: str
    act: str
    changes: Sequence[str]


def history_of(row: Model) -> QuerySet[Any, Any]:
    """Return the acts upon a row, newest first, as references for `rows_of`.

    Django's admin writes down each act of its own, too; what the audit tells of comes once.
    """
    acts = AuditEntry.objects.filter(subject=audit.subject_name(row)).order_by()
    told = acts.filter(
        actor=OuterRef("by"),
        at__gte=OuterRef("action_time") - _TOGETHER,
        at__lte=OuterRef("action_time") + _TOGETHER,
    )
    others = (
        LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(row), object_id=str(row.pk)
        )
        .annotate(by=Concat(Value("user:"), "user__username"))
        .filter(~Exists(told))
        .order_by()
    )
    return (
        acts.annotate(when=F("at"), key=F("seq"), of=Value(_OF_AUDIT))
        .values("when", "key", "of")
        .union(
            others.annotate(when=F("action_time"), key=F("pk"), of=Value(_OF_ADMIN)).values(
                "when", "key", "of"
            ),
            all=True,
        )
        .order_by("-when", "-key")
    )


def rows_of(references: Sequence[Mapping[str, Any]]) -> list[HistoryRow]:
    """Return what a part of `history_of` refers to, in its order."""
    acts = AuditEntry.objects.in_bulk(_keys(references, _OF_AUDIT))
    others = LogEntry.objects.select_related("user").in_bulk(_keys(references, _OF_ADMIN))
    return [
        _of_audit(acts[one["key"]]) if one["of"] == _OF_AUDIT else _of_admin(others[one["key"]])
        for one in references
    ]


def _keys(references: Sequence[Mapping[str, Any]], of: str) -> list[int]:
    return [one["key"] for one in references if one["of"] == of]


def _of_audit(entry: AuditEntry) -> HistoryRow:
    return HistoryRow(entry.at, entry.actor, entry.act, list(_lines(entry.changes)))


def _of_admin(entry: LogEntry) -> HistoryRow:
    said = entry.get_change_message()
    act = entry.get_action_flag_display().lower()
    actor = f"user:{entry.user.get_username()}"
    return HistoryRow(entry.action_time, actor, act, [said] if said else [])


def _lines(changes: Mapping[str, Any]) -> Iterator[str]:
    for name, value in changes.items():
        words = name.replace("_", " ")
        if isinstance(value, list) and len(value) == 2:
            before, after = (_spelt(each) for each in value)
            yield f"{words}: {before} → {after}"
        else:
            yield f"{words}: {_spelt(value)}"


def _spelt(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
