"""A portal started as a person would start it: `manage.py up` in a data folder of its own."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil

from sreportal.env import BASE_DIR, SETTINGS
from tests.servers import free_port

# A first start migrates; the machine may do other work at the same time.
READY_WITHIN_S = 90


def plain_environment(**more: str) -> dict[str, str]:
    """Return this process's environment without any setting of the portal, plus `more`."""
    own = {setting.name for setting in SETTINGS} | {"DJANGO_SETTINGS_MODULE"}
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return kept | {"DEMO": "0", "LOG_FORMAT": "json"} | more


def wait_until(condition: Callable[[], bool], *, within_s: float = 25) -> None:
    """Return when `condition` holds; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"{condition} did not come true in {within_s} s"
        time.sleep(0.05)


class RunningPortal:
    """One `manage.py up` and what can be asked of it."""

    def __init__(self, data: Path, port: int | None = None, **settings: str) -> None:
        self.port = port or free_port()
        self._log = data.with_suffix(".log")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=BASE_DIR,
                env=plain_environment(SREPORTAL_DATA=str(data), PORT=str(self.port), **settings),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id of the supervisor."""
        return self._process.pid

    def output(self) -> str:
        """Return all that was printed."""
        return self._log.read_text()

    def wait_until_ready(self) -> "RunningPortal":
        """Return when the address was printed."""
        wait_until(
            lambda: "Ready: " in self.output() or self._process.poll() is not None,
            within_s=READY_WITHIN_S,
        )
        assert self._process.poll() is None, self.output()
        return self

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of a page."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()

    def descendants(self) -> list[psutil.Process]:
        """Return all processes below the supervisor."""
        return list(psutil.Process(self.pid).children(recursive=True))

    def child_on(self, listening_port: int) -> psutil.Process:
        """Return the first child that listens on a port: gunicorn's master."""
        for child in psutil.Process(self.pid).children():
            if any(c.laddr.port == listening_port for c in child.net_connections("tcp") if c.laddr):
                return child
        raise AssertionError("nobody listens")

    def worker_pid(self) -> int:
        """Return the process id that the task worker left when it became ready."""
        marks = list(self._log.with_suffix("").glob("run/worker.ready"))
        return int(marks[0].read_text()) if marks else 0

    def password(self) -> str | None:
        """Return the first admin's password, if one was printed."""
        found = re.search(r"as admin with the password (\S+)", self.output())
        return found[1] if found else None

    def stop(self, number: int = signal.SIGINT) -> tuple[int, float]:
        """Send a signal and return the exit status and how long that took (seconds)."""
        began = time.monotonic()
        self._process.send_signal(number)
        return self._process.wait(20), time.monotonic() - began

    def wait(self) -> int:
        """Return the exit status once it ends by itself."""
        return self._process.wait(20)

    def has_ended(self) -> bool:
        """Return whether it does not run any more."""
        return self._process.poll() is not None

    def end(self) -> None:
        """Make sure nothing is left, whatever the test did."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def gone(processes: list[psutil.Process]) -> bool:
    """Return whether none of these runs any more."""
    return not any(map(_runs, processes))


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        # It ended between the two questions.
        return False
