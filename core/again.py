"""Doing a transaction again that another one of the same moment crossed."""

import sqlite3
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import structlog
from django.db import IntegrityError, OperationalError, connection

__all__ = ["again_if_crossed", "is_busy", "is_deadlock"]

log = structlog.get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
_TRIES = 5
# As PostgreSQL calls it; SQLite lets one write at a time, and knows none.
_DEADLOCK = "40P01"
# What is above says why, in SQLite's extended codes.
_PRIMARY_CODE = 0xFF


def is_deadlock(error: BaseException) -> bool:
    """Return whether the database undid a transaction because it and another one waited for each other."""
    return isinstance(error, OperationalError) and (
        getattr(error.__cause__, "pgcode", None) == _DEADLOCK
    )


def is_busy(error: BaseException) -> bool:
    """Return whether somebody else wrote to the whole of the database for too long, which only SQLite knows."""
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY_CODE == sqlite3.SQLITE_BUSY


def again_if_crossed(work: Callable[P, T]) -> Callable[P, T]:
    """Do a transaction again, from its beginning, where another one of the same moment was in its way.

    That is a deadlock, or a row that the other one made first. What it then finds tells it what can
    still be done. Within a transaction of the caller it is the caller's to begin again.

    Args:
        work: The whole of a transaction, which changes nothing but the database.
    """

    @wraps(work)
    def done(*args: P.args, **kwargs: P.kwargs) -> T:
        tries = 1 if connection.in_atomic_block else _TRIES
        for again in range(tries - 1, 0, -1):
            try:
                return work(*args, **kwargs)
            except (IntegrityError, OperationalError) as error:
                if not (isinstance(error, IntegrityError) or is_deadlock(error)):
                    raise
                log.info("crossed", work=work.__qualname__, error=type(error).__name__, left=again)
        return work(*args, **kwargs)

    return done
