"""Transactions that begin with their first statement and end with their last."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import (
    DatabaseError,
    IntegrityError,
    connection,
    connections,
    transaction,
)

from core import journeys
from core.journeys import FewerJourneys, with_its_end

pytestmark = pytest.mark.django_db(transaction=True)
TABLE = "core_test_of_journeys"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Use such a connection, with a table to write to; yields what it sends, journey by journey."""
    found: list[str] = []

    class Seen(journeys._Cursor):
        def execute(self, query: Any, parameters: Any = None) -> None:
            super().execute(query, parameters)
            found.append((self.query or b"").decode())

    own = connections["default"]
    monkeypatch.setattr(journeys, "_Cursor", Seen)
    made = FewerJourneys(own.settings_dict, "default")
    connections["default"] = made
    try:
        run(
            f"CREATE TABLE {TABLE} (number int UNIQUE, parent int,"
            f" FOREIGN KEY (parent) REFERENCES {TABLE} (number) DEFERRABLE INITIALLY DEFERRED)"
        )
        found.clear()
        yield found
        run(f"DROP TABLE {TABLE}")
    finally:
        made.close()
        connections["default"] = own


def run(sql: str) -> None:
    """Execute a statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql)


def put(number: int, parent: int | None = None) -> str:
    """Return the statement that stores a row."""
    return f"INSERT INTO {TABLE} VALUES ({number}, {parent or 'NULL'})"


def stored() -> list[int]:
    """Return what everybody sees."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT number FROM {TABLE} ORDER BY number")
        return [number for (number,) in cursor.fetchall()]


def test_begin_and_end_travel_along(sent: list[str]) -> None:
    with transaction.atomic():
        run(put(1))
        run(with_its_end(put(2)))
    assert sent == [f"BEGIN; {put(1)}", f"{put(2)}; COMMIT"]
    assert stored() == [1, 2]


def test_an_end_that_nobody_announced_is_a_journey_of_its_own(sent: list[str]) -> None:
    with transaction.atomic():
        run(put(1))
    assert sent == [f"BEGIN; {put(1)}", "COMMIT"]


def test_what_does_nothing_sends_nothing(sent: list[str]) -> None:
    with transaction.atomic():
        pass
    assert sent == []
    run(put(1))
    assert sent == [put(1)], "it is not in a transaction"


def test_what_fails_is_undone(sent: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        run(put(1))
        raise ZeroDivisionError
    assert sent == [f"BEGIN; {put(1)}", "ROLLBACK"]
    assert stored() == []


@pytest.mark.parametrize("ends", [False, True])
def test_what_the_database_refuses_is_undone(sent: list[str], *, ends: bool) -> None:
    """With the last statement, and before it."""
    with pytest.raises(IntegrityError), transaction.atomic():
        run(put(1))
        run(with_its_end(put(1)) if ends else put(1))
    assert stored() == []
    with transaction.atomic():
        run(with_its_end(put(1)))
    assert stored() == [1]


def test_what_the_end_refuses_is_undone(sent: list[str]) -> None:
    """Keys of others are looked at when all is done."""
    with pytest.raises(IntegrityError), transaction.atomic():
        run(put(1))
        run(with_its_end(put(2, parent=7)))
    assert sent[-1] == f"BEGIN; {put(1)}", "what failed is not noted, and nothing is left to undo"
    assert stored() == []


def test_nothing_comes_after_the_end(sent: list[str]) -> None:
    """It would be kept whatever becomes of the rest."""
    with pytest.raises(RuntimeError), transaction.atomic():
        run(with_its_end(put(1)))
        run(put(2))
    assert stored() == [1]
    with transaction.atomic():
        run(put(3))
    assert stored() == [1, 3]


def test_parts_that_are_taken_back_end_nothing(sent: list[str]) -> None:
    with transaction.atomic():
        run(put(1))
        with pytest.raises(IntegrityError), transaction.atomic():
            run(with_its_end(put(1)))
        run(with_its_end(put(2)))
    assert [each for each in sent if "COMMIT" in each] == [f"{put(2)}; COMMIT"]
    assert stored() == [1, 2]


def test_what_is_to_be_undone_is_not_ended(sent: list[str]) -> None:
    """Somebody within it failed, and somebody else did not mind."""
    with transaction.atomic():
        with pytest.raises(DatabaseError), transaction.atomic(savepoint=False):
            run(put(1))
            raise DatabaseError
        assert with_its_end("SELECT 1") == "SELECT 1"
    assert stored() == []


def test_other_connections_end_as_ever() -> None:
    with transaction.atomic():
        assert with_its_end("SELECT 1") == "SELECT 1"
