"""Starting a child so that it can never outlive its parent."""

import contextlib
import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD}


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent` ends, even by kill -9 (Linux).

    Other systems have no such call; there a forked server notices by its parent's id.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended between fork and prctl.
    if os.getppid() != parent:
        os._exit(1)


@dataclass(frozen=True)
class Forked:
    """A running child: its process id, which is its group's too, and the pipe it prints to."""

    pid: int
    output: int


def fork(run: Callable[[], None], *, close: tuple[int, ...] = ()) -> Forked:
    """Run `run` in a child with its own process group, its output in a pipe and no input.

    Args:
        run: What the child does; when it returns, the child exits with 0.
        close: File descriptors that the child must not keep.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    parent = os.getpid()
    # A signal between fork and the child's own handlers would run the parent's handler in it.
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    pid = os.fork()
    if pid == 0:
        _become_child(parent, writer, (reader, *close))
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
        _run_and_exit(run)
    # Both sides set the group: whichever is first, nobody sees the child without it.
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpgid(pid, pid)
    signal.pthread_sigmask(signal.SIG_SETMASK, previous)
    os.close(writer)
    os.set_blocking(reader, False)
    return Forked(pid, reader)


def run_apart(run: Callable[[], None]) -> bool:
    """Run `run` in a child and wait for it, so that the memory it takes is given back.

    Returns:
        Whether it came to its end; a child that failed has said why.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    pid = os.fork()
    if pid == 0:
        die_with_parent(parent)
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
        _run_and_exit(run)
    signal.pthread_sigmask(signal.SIG_SETMASK, previous)
    _, status = os.waitpid(pid, 0)
    return status == 0


def _become_child(parent: int, writer: int, close: tuple[int, ...]) -> None:
    os.setpgid(0, 0)
    die_with_parent(parent)
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    for descriptor in {nothing, writer, *close}:
        os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _run_and_exit(run: Callable[[], None]) -> None:
    status = 1
    try:
        run()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException:  # noqa: BLE001 the last stop of a child: say it, then end
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit: what the parent registered to happen at its own exit is not the child's.
        os._exit(status)


def replace_by(program: Path | str, *arguments: str) -> Callable[[], None]:
    """Return a `run` that turns the child into another program."""
    return lambda: os.execv(program, [str(program), *arguments])  # noqa: S606 no shell is meant


def kill_group(pid: int, number: int) -> None:
    """Send a signal to a child and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
