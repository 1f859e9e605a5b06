"""What each web process starts once it serves: reporters and its sign of life.

An app registers a hook in `AppConfig.ready()`; the web server calls `web_started()` in every process
that answers requests (never in the one that only forks them, where threads would be lost).
"""

import os
import threading
import time
from collections.abc import Callable

import structlog
from django.db import DatabaseError, connection

from core import ticks
from core.clock import now

log = structlog.get_logger(__name__)
HEARTBEAT_S = 15.0

Hook = Callable[[], None]

_WEB_HOOKS: list[Hook] = []
_started_in: set[int] = set()


def on_web_start(hook: Hook) -> None:
    """Have `hook()` called in each web process; registering twice changes nothing."""
    if hook not in _WEB_HOOKS:
        _WEB_HOOKS.append(hook)


def web_started() -> None:
    """Call every hook once in this process; a second call does nothing."""
    if os.getpid() in _started_in:
        return
    _started_in.add(os.getpid())
    for hook in _WEB_HOOKS:
        hook()


def sign_of_life(process: str) -> bool:
    """Leave this process's heartbeat now.

    Returns:
        False when the database does not answer: the missing mark then says what it should.
    """
    try:
        ticks.beat(process, now=now())
    except DatabaseError as error:
        log.warning("heartbeat_not_written", process=process, error=type(error).__name__)
        connection.close()
        return False
    return True


def beat_in_background(process: str) -> None:
    """Leave this process's heartbeat every 15 seconds from a thread that ends with the process."""

    def forever() -> None:
        while True:
            sign_of_life(process)
            time.sleep(HEARTBEAT_S)

    threading.Thread(target=forever, name=f"heartbeat-{process}", daemon=True).start()
