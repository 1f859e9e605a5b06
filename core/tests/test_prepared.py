"""Prepared statements are planned anew as tables grow, so that they do not read all of them."""

import pytest
from django.db import connection

from core import prepared

pytestmark = pytest.mark.django_db

# Three rows are read faster without an index, and the database has counted them.
TABLE = """
    CREATE TEMPORARY TABLE growing (place int, number int);
    CREATE INDEX growing_of_both ON growing (place, number);
    INSERT INTO growing SELECT 1, n FROM generate_series(1, 3) AS n;
    ANALYZE growing;
"""
SQL = "SELECT count(*) FROM growing WHERE place = $1 AND number = $2"


def ask(number: int) -> int:
    """Return how many rows have a number."""
    with connection.cursor() as cursor:
        prepared.execute(cursor, SQL, ["int", "int"], [1, number])
        (count,) = cursor.fetchone()
    return int(count)


def rows_read() -> int:
    """Return how many rows the statement, as it is planned now, looks at and throws away."""
    known = prepared._known[connection.connection]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {known.names[SQL]} (1, 5)")
        ((((plan),),),) = cursor.fetchall()
    node = plan["Plan"]
    thrown = 0
    while node is not None:
        thrown += node.get("Rows Removed by Filter", 0)
        (node,) = node.get("Plans") or (None,)
    return int(thrown)


def test_a_plan_made_for_a_small_table_is_made_anew_when_it_has_grown() -> None:
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
        assert ask(3) == 1
        cursor.execute("INSERT INTO growing SELECT 1, n FROM generate_series(4, 20000) AS n")
    assert rows_read() > 10_000
    calls = prepared._known[connection.connection].calls
    for number in range(calls + 1):
        assert ask(number + 1) == 1
    assert rows_read() == 0


def test_plans_are_made_anew_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "REPLAN_EVERY", 8)
    known = prepared._known.setdefault(connection.connection, prepared._Known())
    known.calls, known.replan_at = 0, 1
    at = []
    for call in range(40):
        before = known.replan_at
        assert ask_nothing() == 1
        if known.replan_at != before:
            at.append(call)
    assert at == [1, 2, 4, 8, 16, 24, 32]


def ask_nothing() -> int:
    """Execute a statement."""
    with connection.cursor() as cursor:
        prepared.execute(cursor, "SELECT $1", ["int"], [1])
        (answer,) = cursor.fetchone()
    return int(answer)
