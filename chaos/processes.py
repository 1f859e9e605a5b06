"""Finding and ending processes by a mark on their command line.

A process id may be another's by tomorrow, and a runner that dies right after a fork has noted
none. The mark is random and given before the process exists, so whoever reads the ledger finds
what was started, whatever was noted since.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["end_marked", "marked", "module_command", "module_environment"]

PROC = Path("/proc")
ROOT = Path(__file__).resolve().parent.parent


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this package in a fresh interpreter."""
    return [sys.executable, "-m", module, *arguments]


def module_environment(*, inherit: bool) -> dict[str, str]:
    """Return an environment in which this package is found.

    Args:
        inherit: Pass ours on, credentials included; what only burns or forwards needs none.
    """
    own = {"PYTHONPATH": str(ROOT), "PATH": os.environ.get("PATH", os.defpath)}
    return {**os.environ, **own} if inherit else own


def marked(mark: str) -> list[int]:
    """Return the ids of the living processes that have `mark` as an argument."""
    if PROC.joinpath("self", "cmdline").exists():
        return [pid for pid in _numbers() if mark in _arguments(pid)]
    return [pid for pid, arguments in _listed() if mark in arguments]


def end_marked(mark: str, *, group: bool = False, within_s: float = 5.0) -> bool:
    """Kill every process that has `mark`, and return whether none is left.

    Args:
        mark: Argument that nobody else has.
        group: Kill the groups they lead as well.
        within_s: How long to wait until the kernel has taken them away.
    """
    deadline = time.monotonic() + within_s
    while found := marked(mark):
        for pid in found:
            _kill(pid, mark, group=group)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _kill(pid: int, mark: str, *, group: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        if group and os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
            return
        if not hasattr(os, "pidfd_open"):
            os.kill(pid, signal.SIGKILL)
            return
        # Held by its descriptor, the id cannot become another's between the look and the signal.
        descriptor = os.pidfd_open(pid)
        try:
            if mark in _arguments(pid):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)


def _numbers() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _arguments(pid: int) -> Sequence[str]:
    # A process that is dead but not yet waited for has no command line any more.
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ()


def _listed() -> list[tuple[int, Sequence[str]]]:
    done = subprocess.run(
        ["ps", "-axww", "-o", "pid=,command="],  # noqa: S607 where ps is differs by system
        capture_output=True,
        text=True,
        check=False,
    )
    rows = (line.split() for line in done.stdout.splitlines())
    return [(int(row[0]), row[1:]) for row in rows if row]
