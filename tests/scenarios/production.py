"""The portal as production runs it: every process by itself, as the Procfile says."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from sreportal.env import BASE_DIR
from sreportal.tests.running_portal import plain_environment
from tests.servers import free_port

BIN = Path(sys.executable).parent


class Production:
    """Web, worker and beat on a database and a Redis that are already there."""

    def __init__(self, data: Path, *, database_url: str, redis_url: str) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._log = data / "processes.log"
        self._env = plain_environment(
            SREPORTAL_DATA=str(data),
            DATABASE_URL=database_url,
            REDIS_URL=redis_url,
            PORT=str(self.port),
            PORTAL_URL=self.base,
            DEMO="1",
            PYTHONUNBUFFERED="1",
        )
        lines = (BASE_DIR / "Procfile").read_text().splitlines()
        self._commands = dict(line.split(": ", 1) for line in lines)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def prepare(self) -> str:
        """Run the release phase and return the first admin's password."""
        output = ""
        for command in self._commands["release"].split(" && "):
            output += self.run(*shlex.split(command)[2:])
        # The traffic generator belongs to `up`; what answers its faults is switched on by hand.
        self.run("shell", "-c", "from core import clock, demo; demo.settle(now=clock.now())")
        found = re.search(r"Password: (\S+)", output)
        assert found, output
        return found[1]

    def run(self, *arguments: str) -> str:
        """Run a management command to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=BASE_DIR,
            env=self._env,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def start(self, *names: str) -> None:
        """Start processes of the Procfile by name."""
        for name in names:
            program, *arguments = shlex.split(self._commands[name])
            with self._log.open("ab") as log:
                self._running[name] = subprocess.Popen(
                    [str(BIN / program), *arguments],
                    cwd=BASE_DIR,
                    env=self._env,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def kill(self, *names: str) -> None:
        """Kill processes and all they forked, at once."""
        for name in names:
            process = self._running.pop(name)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def stop(self) -> None:
        """End whatever still runs."""
        self.kill(*list(self._running))
