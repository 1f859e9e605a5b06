"""A connection to PostgreSQL whose transactions begin with their first statement and may end with their last.

Django begins a transaction before its first statement and ends it after its last one, each in a journey
to the database of its own. Of a short transaction these two are nearly half.
"""

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg2 import extensions

__all__ = ["FewerJourneys", "with_its_end"]

_NONE = extensions.TRANSACTION_STATUS_IDLE


class _Cursor(extensions.cursor):
    """Begins the transaction that its connection is to begin."""

    def execute(self, query: Any, parameters: Any = None) -> None:
        """Execute text, one statement or several.

        Raises:
            RuntimeError: The transaction that this should be part of has ended.
        """
        own = self.connection
        assert isinstance(own, _Connection)
        if own.is_to_begin:
            own.is_to_begin = False
            query = f"BEGIN; {query}"
        elif own.ends and own.info.transaction_status == _NONE:
            raise RuntimeError("This comes after the last statement of its transaction")
        super().execute(query, parameters)


class _Connection(extensions.connection):
    """A connection that leaves it to us where transactions begin and end.

    Attributes:
        is_to_begin: Whether the next statement is the first one of a transaction.
        ends: Whether the transaction ends with its last statement.
    """

    is_to_begin = False
    ends = False


class FewerJourneys(DatabaseWrapper):
    """What Django knows of such a connection; statements are text, without cursors that have names."""

    def get_connection_params(self) -> dict[str, Any]:
        """Django's hook: by which classes the driver connects."""
        classes = {"connection_factory": _Connection, "cursor_factory": _Cursor}
        return {**super().get_connection_params(), **classes}

    def _set_autocommit(self, autocommit: bool) -> None:
        own = self.connection
        if not own.autocommit:
            with self.wrap_database_errors:
                own.autocommit = True
        own.is_to_begin, own.ends = not autocommit, False

    def _commit(self) -> None:
        self._end("COMMIT")

    def _rollback(self) -> None:
        self._end("ROLLBACK")

    def _end(self, word: str) -> None:
        own = self.connection
        if own is None:
            return
        own.is_to_begin = own.ends = False
        if own.info.transaction_status != _NONE:
            with self.wrap_database_errors, own.cursor() as cursor:
                cursor.execute(word)


def with_its_end(last: str) -> str:
    """Return the last statement of a transaction, with its end where the thread's connection can do that.

    Within a part that may be taken back by itself nothing ends.
    """
    here = connections[DEFAULT_DB_ALIAS]
    if not isinstance(here, FewerJourneys):
        return last
    if not here.in_atomic_block or here.savepoint_ids or here.needs_rollback:
        return last
    here.connection.ends = True
    return f"{last}; COMMIT"
