"""Writing down what became of messages, beside those who send: what ended meanwhile, together.

A sender that wrote by itself would wait for the disk once a message, and all of them for each other
where they note on one method that it worked.
"""

import threading
import time
from datetime import timedelta
from queue import SimpleQueue

import structlog
from django.db import DatabaseError, InterfaceError, connection

from incidents.services import sending
from incidents.services.sending import Done

__all__ = ["DOWN", "Recorder"]

log = structlog.get_logger(__name__)
# A server that restarts breaks connections in either way.
DOWN = (DatabaseError, InterfaceError)
# Below every lease: afterwards another pager may have taken the page over.
KEEPS_TRYING = timedelta(seconds=20)
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
        """Write all, or one by one where they cannot be written together."""
        if self._written(done) or len(done) == 1:
            return
        for each in done:
            self._written([each])

    def _written(self, done: list[Done]) -> bool:
        """Record; returns whether it was. While the database is away it is tried again."""
        until = time.monotonic() + KEEPS_TRYING.total_seconds()
        while True:
            try:
                sending.record(done, owner=self._owner)
            except DOWN as error:
                is_away = not connection.is_usable()
                connection.close()
                if is_away and time.monotonic() < until:
                    time.sleep(_AGAIN_AFTER_S)
                    continue
                # Its lease runs out, then it is uncertain.
                log.warning("attempts_not_recorded", pages=len(done), error=type(error).__name__)
                return False
            except Exception:
                log.exception("attempts_not_recorded", pages=len(done))
                return False
            return True
