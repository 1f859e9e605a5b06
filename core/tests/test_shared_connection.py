"""Threads that take turns use one connection, and have their own again afterwards."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction

from core import shared_connection
from core.shared_connection import SharedConnection

pytestmark = pytest.mark.django_db(transaction=True)


class OwnEnd(SharedConnection):
    """One that a test can close."""

    def close(self) -> None:
        """Leave nothing open that keeps the test's database from being removed."""
        if self._connection is not None:
            self._connection.close()


@pytest.fixture
def shared() -> Iterator[OwnEnd]:
    """Yield one that is open."""
    made = OwnEnd()
    made.open()
    yield made
    made.close()


def number() -> int:
    """Return by which process of the server the thread is served."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    return int(pid)


def in_a_thread(work: Any) -> Any:
    """Do something in a thread of its own, which leaves no connection open."""

    def do() -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(do).result()


def numbers(shared: SharedConnection) -> tuple[int, int, int]:
    """Return who serves a thread before, on the shared connection, and after."""
    before = number()
    with shared.in_place(), transaction.atomic():
        within = number()
    return before, within, number()


def test_threads_in_turns_are_served_by_one_process_and_then_by_their_own(shared: OwnEnd) -> None:
    found = [numbers(shared), *(in_a_thread(lambda: numbers(shared)) for _ in range(3))]
    assert len({within for _, within, _ in found}) == 1
    for before, within, after in found:
        assert before == after != within


def test_what_is_committed_on_it_others_see_at_once(shared: OwnEnd) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE turns (number int)")
        with shared.in_place(), transaction.atomic(), connection.cursor() as other:
            other.execute("INSERT INTO turns VALUES (7)")
        cursor.execute("SELECT number FROM turns")
        assert cursor.fetchall() == [(7,)]
        cursor.execute("DROP TABLE turns")


def test_until_it_is_opened_threads_keep_their_own() -> None:
    before, within, after = numbers(SharedConnection())
    assert before == within == after


def test_a_transaction_of_a_thread_stays_whole(shared: OwnEnd) -> None:
    with transaction.atomic():
        before, within, after = numbers(shared)
    assert before == within == after


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_an_error_leaves_a_thread_its_own_and_the_next_one_a_clean_connection(
    shared: OwnEnd, error: type[BaseException]
) -> None:
    own = connections["default"]
    with pytest.raises(error), shared.in_place(), transaction.atomic():
        within = number()
        raise error
    assert connections["default"] is own
    assert in_a_thread(lambda: numbers(shared))[1] == within


def test_one_that_the_server_ended_is_opened_anew_at_the_next_turn(
    shared: OwnEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, ended, _ = numbers(shared)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [ended])
    # Nobody looks meanwhile: whoever is next finds out, and whoever comes then has a new one.
    monkeypatch.setattr(shared_connection, "CHECK_EVERY_S", 3600)
    with pytest.raises(DatabaseError), shared.in_place(), transaction.atomic():
        number()
    _, within, _ = numbers(shared)
    assert within != ended


def test_one_that_the_server_ended_is_found_by_looking_from_time_to_time(
    shared: OwnEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_connection, "CHECK_EVERY_S", 0)
    _, ended, _ = numbers(shared)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [ended])
    _, within, _ = numbers(shared)
    assert within != ended


def test_a_failing_statement_does_not_open_it_anew(shared: OwnEnd) -> None:
    _, before, _ = numbers(shared)
    with suppress(DatabaseError), shared.in_place(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    assert numbers(shared)[1] == before
