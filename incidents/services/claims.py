"""Due rows: several pagers side by side, each row to one of them, and none lost with it.

A claim moves `look_at` to when it runs out. Whoever dies holding it loses it then, and another
pager finds the row again; nothing has to be cleaned up. What is taken within a transaction is given
back with it (ADR 0019).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.db import connection
from django.db.models import Model

__all__ = ["LEASE", "MOST_CLAIMS", "Queue", "is_any_due"]

# Longer than firing takes as a rule, shorter than the ten seconds within which everything is out after
# an outage. A single statement may take longer (statement_timeout is 30 s, lock_timeout 5 s). The
# claim then runs out beneath a pager that lives: nothing is done twice, as a step is written only by
# whoever claimed it last, and a deadline is read again under its incident's lock. But it counts as a
# failure where another pager claims the row, and what is so slow five times is set aside.
LEASE = timedelta(seconds=6)
MOST_CLAIMS = 5
# Most rows become visible so soon after the moment that is written in them; later ones wait for the
# next full look. Claims leave dead entries too, so each look walks over those of so long.
LATE = timedelta(seconds=0.3)
SWEEP_EVERY_S = 2.0


class Queue:
    """The open rows of one table that a pager looks at when `look_at` has come.

    Dead entries of rows that were done pile up at the front of the index while another session
    holds an old snapshot, a backup for example. So most looks begin where the last one found nothing
    left; a full one follows every few seconds.

    Rows may be taken, within the transaction that does what they are about, or claimed before it. A
    claim is known of when its pager has died, so a row whose last claim ran out is claimed alone:
    that claim may have ended its pager, and what dies next must not count against those that were
    only in the same hands.

    Args:
        model: With `due_at`, `look_at` and `claims`.
        condition: Which rows are open, in SQL, as its partial index has it.
        columns: What a claim returns of each row.
    """

    def __init__(self, model: type[Model], condition: str, columns: Sequence[str]) -> None:
        self._model, self._condition = model, condition
        self._columns = columns
        self._mark: datetime | None = None
        self._next_sweep = 0.0

    def has_due(self, *, now: datetime) -> bool:
        """Return whether any row is due; where none is, the next look begins here."""
        mark = self._begins_at(now)
        if is_any_due(self._model, self._condition, ["look_at"], now=now, since=mark):
            return True
        self._all_is_done(mark, now)
        return False

    def take(
        self, *, now: datetime, limit: int, beside: type[Model], by: str, alike: Sequence[str]
    ) -> list[tuple[tuple[Any, ...], list[int], list[int]]]:
        """Take up to `limit` due rows that were never claimed, the longest due first.

        Within a transaction that does what they are about; whoever dies in it gives them back at
        once. What they belong to is locked, not they themselves: of two takers one gets the lock,
        and the other, if it gets it later, must see by the row that it was done.

        Args:
            now: The present.
            limit: Most rows.
            beside: What they belong to; rows of which another holds the lock are left to it.
            by: The column that refers to one.
            alike: Columns, `own.…` of the row and `other.…` of what is beside it.

        Returns:
            For each combination of those columns their values, the keys of the rows that have
            them, and in the same order of what they belong to.
        """
        table, other = (
            connection.ops.quote_name(model._meta.db_table) for model in (self._model, beside)
        )
        mark = self._begins_at(now)
        is_postgresql = connection.vendor == "postgresql"
        lock = " FOR UPDATE OF other SKIP LOCKED" if is_postgresql else ""
        columns = [f"{name} AS c{number}" for number, name in enumerate(alike)]
        sql = (
            f"SELECT {', '.join(columns)}, own.id AS row, other.id AS beside FROM {table} AS own"  # noqa: S608 written in the code
            f" JOIN {other} AS other ON other.id = own.{by}"
            f" WHERE own.{self._condition} AND own.claims = 0 AND own.look_at <= %s"
            f"{' AND own.look_at > %s' if mark else ''} ORDER BY own.look_at LIMIT {int(limit)}{lock}"
        )
        if is_postgresql:
            # What they have in common need not be said of each.
            listed = ", ".join(f"c{number}" for number in range(len(alike)))
            sql = f"SELECT {listed}, array_agg(row), array_agg(beside) FROM ({sql}) AS taken GROUP BY {listed}"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(
                sql, [connection.ops.adapt_datetimefield_value(at) for at in (now, mark) if at]
            )
            rows = cursor.fetchall()
        return [(row[:-2], *row[-2:]) for row in rows] if is_postgresql else _grouped(rows)

    def claim(
        self, *, now: datetime, limit: int, suspects_only: bool = False
    ) -> list[tuple[Any, ...]]:
        """Claim up to `limit` due rows, the longest due first; committed when this returns.

        Args:
            now: The present.
            limit: Most rows; one more may be a row whose last claim ran out.
            suspects_only: Whether to leave those that were never claimed.

        Returns:
            The columns of each.
        """
        if not self.has_due(now=now):
            return []
        mark = self._begins_at(now)
        rows = [] if suspects_only else self._claim("claims = 0", now, limit, mark)
        is_full = len(rows) == limit
        suspects = []
        if mark is None or not is_full:
            suspects = self._claim("claims > 0", now, 1, mark)
        if not (suspects_only or is_full or suspects):
            self._all_is_done(mark, now)
        return [*rows, *suspects]

    def _begins_at(self, now: datetime) -> datetime | None:
        is_fresh = monotonic() < self._next_sweep and self._mark and self._mark < now
        return self._mark if is_fresh else None

    def _all_is_done(self, mark: datetime | None, now: datetime) -> None:
        self._mark = now - LATE
        if mark is None:
            self._next_sweep = monotonic() + SWEEP_EVERY_S

    def _claim(
        self, which: str, now: datetime, limit: int, mark: datetime | None
    ) -> list[tuple[Any, ...]]:
        table = connection.ops.quote_name(self._model._meta.db_table)
        skip = " FOR UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else ""
        since = " AND look_at > %s" if mark else ""
        columns = ", ".join(f"{table}.{name}" for name in self._columns)
        moments = [
            connection.ops.adapt_datetimefield_value(at)
            for at in (now, *([mark] if mark else []), now + LEASE)
        ]
        with connection.cursor() as cursor:
            cursor.execute(
                f"WITH due AS MATERIALIZED (SELECT id FROM {table} WHERE {self._condition}"  # noqa: S608 written in the code
                f" AND {which} AND look_at <= %s{since} ORDER BY look_at LIMIT {int(limit)}{skip})"
                f" UPDATE {table} SET look_at = %s, claims = claims + 1"
                f" WHERE id IN (SELECT id FROM due) RETURNING due_at, id, {columns}",
                moments,
            )
            # What a statement changed comes back in any order.
            return [row[2:] for row in sorted(cursor.fetchall())]


def _grouped(rows: Sequence[tuple[Any, ...]]) -> list[tuple[tuple[Any, ...], list[int], list[int]]]:
    groups: dict[tuple[Any, ...], tuple[list[int], list[int]]] = {}
    for *alike, row, beside in rows:
        own, others = groups.setdefault(tuple(alike), ([], []))
        own.append(row)
        others.append(beside)
    return [(alike, *lists) for alike, lists in groups.items()]


def is_any_due(
    model: type[Model],
    condition: str,
    index: Sequence[str],
    *,
    now: datetime,
    since: datetime | None = None,
) -> bool:
    """Return whether a look at a table is worth it; a pager looks often, and mostly in vain.

    Asked in the order of the index: without one PostgreSQL may prefer to read the table, where its
    statistics are of a busier time.

    Args:
        model: The table.
        condition: Which rows are open, in SQL, as its partial index has it.
        index: Columns of that index; the last says when a row is due.
        now: The present.
        since: Rows that were due by then are left out.
    """
    table = connection.ops.quote_name(model._meta.db_table)
    moment = index[-1]
    later = f" AND {moment} > %s" if since else ""
    moments = [connection.ops.adapt_datetimefield_value(at) for at in (now, since) if at]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM {table} WHERE {condition} AND {moment} <= %s{later}"  # noqa: S608 written in the code
            f" ORDER BY {', '.join(index)} LIMIT 1",
            moments,
        )
        return cursor.fetchone() is not None
