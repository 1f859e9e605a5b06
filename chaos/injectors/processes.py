"""Faults that are processes: ended by killing them, at the latest by their own alarm."""

import subprocess
import time
from collections.abc import Callable

from chaos.injectors.base import Injector, UndoError
from chaos.ledger import UndoEntry
from chaos.processes import end_marked, marked, module_command, module_environment

__all__ = ["ProcessFault", "start", "wait_until"]

READY_S = 10.0


def start(entry: UndoEntry, *arguments: str) -> None:
    """Start one process of a fault, with no more of our environment than it needs."""
    subprocess.Popen(  # noqa: S603 our own interpreter and module
        module_command("chaos.fault_process", entry.marker, f"--ttl={entry.ttl_s:.3f}", *arguments),
        env=module_environment(inherit=False),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=True,
    )


class ProcessFault(Injector):
    """A fault that is gone when its processes are."""

    def undo(self, entry: UndoEntry) -> str:
        """Kill the processes and see that none is left."""
        count = len(marked(entry.marker))
        if not end_marked(entry.marker):
            left = ", ".join(map(str, marked(entry.marker)))
            raise UndoError(f"processes {left} are still there")
        return f"{count} of its processes were ended; none is left."


def wait_until(ready: Callable[[], object], *, what: str) -> None:
    """Wait until a fault is there.

    Raises:
        TimeoutError: If it does not come to be.
    """
    deadline = time.monotonic() + READY_S
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not start within {READY_S:g} s")
        time.sleep(0.01)
