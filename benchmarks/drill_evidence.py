"""What is known about a drill: journals of those outside, and the evidence views of the portal."""

import random
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2

from benchmarks.paging_checker import Evidence, Message, PageRow, Sent

__all__ = ["Journals", "Views", "evidence"]

SABOTAGED = 0.01


@dataclass
class Journals:
    """What everybody outside the portal wrote down; lists are only ever appended to."""

    sent: list[Sent] = field(default_factory=list)
    received: list[Message] = field(default_factory=list)
    tried: list[tuple[int, str]] = field(default_factory=list)
    answers: list[tuple[int, str, datetime]] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)


class Views:
    """Reads the evidence views, and nothing else, of either database."""

    def __init__(self, env: dict[str, str], sqlite: Path) -> None:
        self._url, self._sqlite = env["DATABASE_URL"], sqlite

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        connection = self._connect()
        try:
            cursor = connection.cursor()
            cursor.execute(query)
            return list(cursor.fetchall())
        finally:
            connection.close()

    def sabotage(self, dice: random.Random) -> int:
        """Stop one escalation in a hundred behind the portal's back, as a bug or an operator would.

        Returns:
            How many; none while the database is away.
        """
        try:
            connection = self._connect()
        except psycopg2.OperationalError:
            return 0
        try:
            cursor = connection.cursor()
            cursor.execute(
                "SELECT id FROM incidents_escalationrun WHERE state = 'running' AND position = 1"
            )
            chosen = [row[0] for row in cursor.fetchall() if dice.random() < SABOTAGED]
            for pk in chosen:
                cursor.execute(
                    "UPDATE incidents_escalationrun SET state = 'stopped' WHERE position = 1"
                    f" AND state = 'running' AND id = {int(pk)}"
                )
            connection.commit()
            return len(chosen)
        finally:
            connection.close()

    def _connect(self) -> Any:
        if self._url:
            return psycopg2.connect(self._url)
        return sqlite3.connect(self._sqlite, timeout=20)


def _at(value: Any) -> datetime:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def evidence(
    views: Views, journals: Journals, levels: Sequence[Sequence[str]], needed: int
) -> Evidence:
    """Return all that is known, read once.

    Args:
        views: Of the portal.
        journals: Of everybody else.
        levels: Whom each step calls, in order.
        needed: How many must answer.
    """
    answers: dict[int, dict[str, datetime]] = defaultdict(dict)
    for incident, target, at in list(journals.answers):
        answers[incident][target] = at
    attempts: dict[str, list[str]] = defaultdict(list)
    for key, outcome in views.rows("SELECT key, outcome FROM ev_attempt ORDER BY key, n"):
        attempts[key].append(outcome)
    pages = views.rows(
        "SELECT key, incident_id, cycle, step, target, channel, state, attempts, created_at"
        " FROM ev_page"
    )
    incidents = {
        pk: _at(acked) if acked else None
        for pk, acked in views.rows("SELECT id, acked_at FROM ev_incident")
    }
    # After the incidents: an answer is noted before it is given. What was told is read before them.
    tried: dict[int, set[str]] = defaultdict(set)
    for incident, target in list(journals.tried):
        tried[incident].add(target)
    return Evidence(
        sent=list(journals.sent),
        received=list(journals.received),
        acknowledged=frozenset(journals.acknowledged),
        answers=answers,
        tried=tried,
        receipts=frozenset(row[0] for row in views.rows("SELECT ext_id FROM ev_receipt")),
        incidents=incidents,
        pages=[PageRow(*(*row[:8], _at(row[8]))) for row in pages],
        attempts=attempts,
        steps=[[f"user:{name}" for name in people] for people in levels],
        needed=needed,
    )
