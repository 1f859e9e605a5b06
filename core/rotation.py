"""Re-encrypting what is stored with the newest key, so that older keys can be given up.

Rows are taken in order of their key, a batch a transaction, each row locked while it is read and
written. A value that the newest key opens is left alone: a run that was cut off is completed by the
next, and a run after a complete one writes nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.db import models, transaction

from core import audit
from core.encryption import is_current, reencrypt
from core.sealed import SealedColumn, registered

__all__ = ["ColumnReport", "rotate"]

_NAMED = 20


@dataclass
class ColumnReport:
    """What was found in one column, in counts of encrypted values.

    Attributes:
        column: Its name.
        rows: Rows looked at.
        current: Values that the newest key opened already.
        rotated: Values re-encrypted; of a look only, those that would be.
        unreadable: Values that no key opens; they are left as they are.
        unreadable_rows: Primary keys of the first rows that hold such values.
    """

    column: str
    rows: int = 0
    current: int = 0
    rotated: int = 0
    unreadable: int = 0
    unreadable_rows: list[Any] = field(default_factory=list)

    def changed(self, encrypted: str) -> str:
        """Count one value and return what takes its place."""
        if is_current(encrypted):
            self.current += 1
            return encrypted
        try:
            fresh = reencrypt(encrypted)
        except InvalidToken:
            self.unreadable += 1
            return encrypted
        self.rotated += 1
        return fresh


def rotate(
    *,
    now: datetime,
    batch: int = 100,
    look_only: bool = False,
    on_batch: Callable[[ColumnReport], None] = lambda _report: None,
    columns: Iterable[SealedColumn] | None = None,
) -> list[ColumnReport]:
    """Re-encrypt every registered column and report on each.

    Args:
        now: The present, for the audit.
        batch: Rows a transaction.
        look_only: Count and change nothing.
        on_batch: Told of the column so far after each batch is committed.
        columns: Others than those registered.
    """
    reports = []
    for column in registered() if columns is None else columns:
        report, after = ColumnReport(column.name), None
        step = partial(_batch, column, report, size=batch, look_only=look_only, now=now)
        while (after := step(after)) is not None:
            on_batch(report)
        reports.append(report)
    return reports


@transaction.atomic
def _batch(
    column: SealedColumn,
    report: ColumnReport,
    after: Any,
    *,
    size: int,
    look_only: bool,
    now: datetime,
) -> Any:
    model = apps.get_model(column.model)
    rows = model._default_manager.order_by("pk").values_list("pk", column.field)
    if after is not None:
        rows = rows.filter(pk__gt=after)
    if not look_only:
        rows = rows.select_for_update()
    found, before = list(rows[:size]), report.rotated
    for key, value in found:
        _row(model, column, report, key, value, look_only=look_only)
    if report.rotated > before and not look_only:
        changes = {"values": report.rotated - before, "up_to_row": found[-1][0]}
        audit.record(
            act="encryption.rotated", subject=column.name, actor=None, now=now, changes=changes
        )
    return found[-1][0] if found else None


def _row(
    model: type[models.Model],
    column: SealedColumn,
    report: ColumnReport,
    key: Any,
    value: Any,
    *,
    look_only: bool,
) -> None:
    rotated, unreadable = report.rotated, report.unreadable
    fresh = column.replace(value, report.changed)
    report.rows += 1
    if report.unreadable > unreadable and len(report.unreadable_rows) < _NAMED:
        report.unreadable_rows.append(key)
    if report.rotated > rotated and not look_only:
        model._default_manager.filter(pk=key).update(**{column.field: fresh})
