"""Writing down what became of messages, beside those who send: what ended meanwhile, together.

A sender that wrote by itself would wait for the disk once a message, and all of them for each other
where they note on one method that it worked.
"""

import threading
import time
from datetime import timedelta
from queue import SimpleQueue

import structlog
from django.db import (
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
)

from incidents.services import sending
from incidents.services.sending import Done

__all__ = ["DOWN", "Recorder"]

log = structlog.get_logger(__name__)
# A server that restarts breaks connections in either way.
DOWN = (DatabaseError, InterfaceError)
# What may pass: a lock that another holds, a database that is read-only or away for a moment.
_MAY_PASS = (OperationalError, InternalError, InterfaceError)
# Below every lease: afterwards another pager may have taken the page over.
KEEPS_TRYING = timedelta(seconds=25)
_AGAIN_AFTER_S = 0.5
_MOST = 200


class Recorder:
    """A thread that records outcomes as they come.

    Args:
        owner: Name of the pager whose claims they are of.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._queue: SimpleQueue[Done | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many outcomes are still to be written, about."""
        return self._queue.qsize()

    def put(self, done: Done) -> None:
        """Have one written down soon."""
        self._queue.put(done)

    def close(self) -> None:
        """Write what is left, and end."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        going_on = True
        while going_on:
            found = [self._queue.get()]
            while len(found) < _MOST and not self._queue.empty():
                found.append(self._queue.get())
            going_on = None not in found
            if done := [each for each in found if each is not None]:
                self._write(done)
        connection.close()

    def _write(self, done: list[Done]) -> None:
        """Write all together, or else one by one, again and again those that cannot be written now.

        What hinders one, e.g. a row that somebody holds, keeps the others waiting for one try only.
        """
        until = time.monotonic() + KEEPS_TRYING.total_seconds()
        left = done if self._tried(done) else []
        while left:
            if not connection.is_usable():
                connection.close()
            left = [each for each in left if self._tried([each])]
            if left and time.monotonic() >= until:
                # Their leases run out, then they are uncertain.
                log.warning("attempts_not_recorded", pages=len(left))
                return
            if left:
                time.sleep(_AGAIN_AFTER_S)

    def _tried(self, done: list[Done]) -> bool:
        """Record; returns whether that is to be tried again."""
        try:
            sending.record(done, owner=self._owner)
        except _MAY_PASS as error:
            log.info("attempts_not_recorded_yet", pages=len(done), error=type(error).__name__)
            return True
        except Exception:
            log.exception("attempts_not_recorded", pages=len(done))
            return len(done) > 1
        return False
