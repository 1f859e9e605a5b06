"""One connection to the database for what threads do one after the other."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from core.bulk import on_postgresql
from core.journeys import FewerJourneys

__all__ = ["SharedConnection"]

CHECK_EVERY_S = 1.0
_ALIAS = "default"


class SharedConnection:
    """A connection that a thread uses in the place of its own while it is its turn (ADR 0022).

    A server keeps plans, what it knows of tables and what it last read for each connection. Where
    threads take turns, each with a connection of its own, none of it is at hand when it is needed.
    """

    def __init__(self) -> None:
        self._is_open = False
        self._connection: BaseDatabaseWrapper | None = None
        self._check_at = 0.0

    def open(self) -> None:
        """Use it from now on; until then each thread keeps to its own."""
        self._is_open = True

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put it in the place of the thread's own connection until the end of the block.

        Within a transaction of its own a thread keeps to that. Whoever calls sees to it that no two
        threads are here at a time.
        """
        own = connections[_ALIAS]
        if not self._is_open or own.in_atomic_block:
            yield
            return
        connections[_ALIAS] = self._ready()
        try:
            yield
        finally:
            connections[_ALIAS] = own

    def _ready(self) -> BaseDatabaseWrapper:
        """Return the connection; from time to time a broken or an old one is opened anew."""
        if self._connection is None:
            self._connection = _new_connection()
            self._connection.inc_thread_sharing()
        now = time.monotonic()
        if now >= self._check_at or self._connection.errors_occurred:
            self._check_at = now + CHECK_EVERY_S
            self._connection.close_if_unusable_or_obsolete()
        return self._connection


def _new_connection() -> BaseDatabaseWrapper:
    if on_postgresql():
        return FewerJourneys(connections[_ALIAS].settings_dict, _ALIAS)
    return connections.create_connection(_ALIAS)
