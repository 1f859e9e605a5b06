"""Keeping a set of processes running, and ending all of them together."""

import os
import selectors
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

from sreportal.supervisor.forks import Forked, fork, kill_group
from sreportal.supervisor.programs import Program

READY_WITHIN_S = 30.0
PROBE_EVERY_S = 0.05
STOP_WITHIN_S = 2.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
# A child that ran this long was well: its next crash is not the last one's repetition.
STEADY_AFTER_S = 60.0


class Stop(Exception):
    """Someone asked the portal to stop."""


class NotReady(Exception):
    """A process did not come up; the message says which."""


@dataclass
class Child:
    """A program and its present process."""

    program: Program
    forked: Forked | None = None
    started: float = 0.0
    crashes: int = 0
    restart_at: float | None = None
    line: bytes = field(default=b"", repr=False)

    def pause_s(self) -> float:
        """Return how long to wait before the next start: twice as long after each crash."""
        return min(FIRST_PAUSE_S * 2.0 ** max(0, self.crashes - 1), LONGEST_PAUSE_S)


class Supervisor:
    """Forks programs, passes on what they print, restarts what crashes.

    It runs no thread of its own: a fork of a process with threads is not safe.
    """

    def __init__(self, *, keep_from_children: tuple[int, ...] = (), output: TextIO | None = None):
        self._children: dict[str, Child] = {}
        self._selector = selectors.DefaultSelector()
        self._close = keep_from_children
        self._output = output or sys.stdout
        self._asked_to_stop = False
        self._stopping = False
        self._wake_reader, self._wake_writer = os.pipe()
        for end in (self._wake_reader, self._wake_writer):
            os.set_blocking(end, False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, None)

    def __enter__(self) -> "Supervisor":
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _ask_to_stop(self, *_: object) -> None:
        if not self._asked_to_stop:
            self._asked_to_stop = True
            raise Stop

    def say(self, text: str, name: str = "portal") -> None:
        """Print one line; a closed output is no reason to stop the portal."""
        try:
            self._output.write(f"{name:<7}| {text}\n")
            self._output.flush()
        except (OSError, ValueError):
            self._output = open(os.devnull, "w")  # noqa: SIM115, PTH123 lives as long as we do

    def start(self, *programs: Program) -> None:
        """Fork each program."""
        for program in programs:
            self._fork(self._children.setdefault(program.name, Child(program)))

    def _fork(self, child: Child) -> None:
        close = (*self._close, self._wake_reader, self._wake_writer)
        child.forked = fork(child.program.run, close=close)
        child.started = time.monotonic()
        child.restart_at = None
        self._selector.register(child.forked.output, selectors.EVENT_READ, child)

    def wait_until_ready(self, *programs: Program) -> None:
        """Serve all children until these are ready.

        Raises:
            NotReady: If one is not within 30 seconds.
        """
        deadline = time.monotonic() + READY_WITHIN_S
        waiting = list(programs)
        while waiting:
            self._serve(timeout=PROBE_EVERY_S)
            waiting = [program for program in waiting if not self._is_ready(program)]
            if waiting and time.monotonic() > deadline:
                names = ", ".join(program.name for program in waiting)
                raise NotReady(f"Not ready after {READY_WITHIN_S:.0f} s: {names}.")

    def _is_ready(self, program: Program) -> bool:
        forked = self._children[program.name].forked
        return forked is not None and program.is_ready(forked.pid)

    def run(self) -> None:
        """Serve all children until someone asks to stop."""
        while True:
            due = [c.restart_at for c in self._children.values() if c.restart_at is not None]
            self._serve(timeout=max(0.0, min(due) - time.monotonic()) if due else None)

    def _serve(self, *, timeout: float | None) -> None:
        """Wait for output, an ended child, a due restart or `timeout`; then do what is due."""
        # What the signal's handler raised is lost when the signal came inside a finalizer.
        if self._asked_to_stop and not self._stopping:
            raise Stop
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                os.read(self._wake_reader, 512)
            else:
                self._pass_on(key.fd, key.data)
        self._reap()
        for child in self._children.values():
            if child.restart_at is not None and child.restart_at <= time.monotonic():
                self._fork(child)

    def _pass_on(self, output: int, child: Child) -> None:
        try:
            read = os.read(output, 65536)
        except BlockingIOError:
            return
        *lines, child.line = (child.line + read).split(b"\n")
        if not read:
            lines, child.line = ([child.line] if child.line else []), b""
            self._selector.unregister(output)
            os.close(output)
        for line in lines:
            self.say(line.decode(errors="replace").rstrip("\r"), child.program.name)

    def _reap(self) -> None:
        for child in self._children.values():
            if child.forked is None:
                continue
            pid, status = os.waitpid(child.forked.pid, os.WNOHANG)
            if pid:
                # What it forked itself goes too, or it would hold the port or the queue.
                kill_group(pid, signal.SIGKILL)
                child.forked = None
                self._after_end(child, os.waitstatus_to_exitcode(status))

    def _after_end(self, child: Child, code: int) -> None:
        if self._stopping or self._asked_to_stop:
            return
        if code == 0 and child.program.may_finish:
            self.say("finished.", child.program.name)
            return
        ran_s = time.monotonic() - child.started
        child.crashes = 1 if ran_s > STEADY_AFTER_S else child.crashes + 1
        child.restart_at = time.monotonic() + child.pause_s()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        self.say(f"{child.program.name} {how}; starting it again in {child.pause_s():g} s.")

    def stop(self) -> None:
        """End every child: the youngest program last started goes first, the broker last.

        Asked politely for two seconds, then by kill: tasks and requests cut short are rows that
        the next start finds.
        """
        self._stopping = True
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        broker = [c for c in self._children.values() if c.program.name == "broker"]
        others = [c for c in self._children.values() if c not in broker]
        self._end(others, within_s=STOP_WITHIN_S)
        self._end(broker, within_s=STOP_WITHIN_S / 4)
        signal.set_wakeup_fd(-1)

    def _end(self, children: list[Child], *, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        for child in children:
            child.restart_at = None
            if child.forked:
                os.kill(child.forked.pid, signal.SIGTERM)
        while any(child.forked for child in children) and time.monotonic() < deadline:
            self._serve(timeout=PROBE_EVERY_S)
        for child in children:
            if child.forked:
                kill_group(child.forked.pid, signal.SIGKILL)
                os.waitpid(child.forked.pid, 0)
                child.forked = None
