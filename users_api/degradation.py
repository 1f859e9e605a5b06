"""What the Users API does while its database is in trouble.

    reads    the database → this process's last good answer, said to be stale → 503 + Retry-After
    writes   the database → 503 + Retry-After; never a 2xx for something that was not stored

All access goes through the database circuit breaker, so an outage costs a connection timeout only
until the breaker opens. Functions given to it neither validate nor refuse: a refusal raised inside
would count against the database.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import DatabaseError, IntegrityError, InterfaceError

from core.errors import Unavailable
from sre.circuit_breaker import CircuitOpenError, db_circuit_breaker

__all__ = ["LastGood", "Served", "write"]

T = TypeVar("T")

OUTAGE = (CircuitOpenError, DatabaseError, InterfaceError)
RETRY_AFTER_S = 5
NOT_READ = "The database does not answer and there is no recent copy. Try again shortly."
NOT_WRITTEN = "The database does not answer. Read again before you repeat this."


@dataclass(frozen=True, slots=True)
class Served(Generic[T]):
    """An answer and how long ago the database gave it (seconds; 0 = now)."""

    value: T
    age_s: float
    is_stale: bool


class LastGood:
    """The last good answers of this process, for the time the database is away.

    Args:
        max_entries: Answers kept; the least recently used go first.
        max_age_s: An older copy is not served any more, so that what was deleted elsewhere
            does not live on.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        max_entries: int = 256,
        max_age_s: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_entries = max_entries
        self._max_age_s = max_age_s
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._epoch = 0

    def read(self, key: Hashable, query: Callable[[], T]) -> Served[T]:
        """Return what `query()` reads now, or the last good answer to `key`.

        None, "there is no such thing", is never kept.

        Raises:
            Unavailable: The database does not answer and no copy is recent enough.
        """
        asked_at = self._clock()
        epoch = self._epoch
        try:
            value = db_circuit_breaker.execute_query(query)
        except OUTAGE as error:
            return self._stale(key, error)
        self._keep(key, value, asked_at, epoch)
        return Served(value, 0.0, is_stale=False)

    def revise(self, edit: Callable[[Any], Any]) -> None:
        """Bring every copy up to date with a write of this process.

        Reads that are under way may have missed the write, so they will not be kept.

        Args:
            edit: Returns what is left of one copy; None drops it.
        """
        with self._lock:
            self._epoch += 1
            edited = ((key, at, edit(value)) for key, (at, value) in self._kept.items())
            self._kept = OrderedDict(
                (key, (at, value)) for key, at, value in edited if value is not None
            )

    def clear(self) -> None:
        """Drop every copy."""
        self.revise(lambda _copy: None)

    def _keep(self, key: Hashable, value: object, at: float, epoch: int) -> None:
        with self._lock:
            if epoch != self._epoch:
                return
            if value is None:
                self._kept.pop(key, None)
                return
            self._kept[key] = (at, value)
            self._kept.move_to_end(key)
            if len(self._kept) > self._max_entries:
                self._kept.popitem(last=False)

    def _stale(self, key: Hashable, error: Exception) -> Served[Any]:
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None:
            age_s = max(0.0, self._clock() - kept[0])
            if age_s <= self._max_age_s:
                return Served(kept[1], age_s, is_stale=True)
        raise Unavailable(NOT_READ, retry_after_s=_retry_after_s(error)) from error


def write(change: Callable[[], T]) -> T:
    """Return what `change()` returns once it is committed.

    Raises:
        Unavailable: The database does not answer.
        IntegrityError: The database answered, by refusing the change.
    """
    try:
        return db_circuit_breaker.execute_query(change)
    except IntegrityError:
        raise
    except OUTAGE as error:
        raise Unavailable(NOT_WRITTEN, retry_after_s=_retry_after_s(error)) from error


def _retry_after_s(error: Exception) -> int:
    wait_s = getattr(error, "retry_after", None)
    return RETRY_AFTER_S if wait_s is None else max(1, math.ceil(wait_s))
