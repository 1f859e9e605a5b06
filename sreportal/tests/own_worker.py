"""An application of a test, served by gunicorn as the portal is."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sreportal.env import BASE_DIR
from sreportal.tests.running_portal import wait_until
from tests.servers import free_port

__all__ = ["serving_own"]


@contextmanager
def serving_own(
    folder: Path, application: str, *options: str, answers: Callable[[int], bool]
) -> Iterator[int]:
    """Serve an application until the end of the block, which it must reach in good order; yields its port.

    Args:
        folder: Where its file is put, as the module `answering`.
        application: Its source.
        options: Of gunicorn.
        answers: Whether whoever serves on a port answers as it should.
    """
    (folder / "answering.py").write_text(textwrap.dedent(application))
    port = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "answering:application"),
            *("--bind", f"127.0.0.1:{port}", *options),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(BASE_DIR)},
    )
    try:
        wait_until(lambda: _accepts(port, answers))
        yield port
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def _accepts(port: int, answers: Callable[[int], bool]) -> bool:
    try:
        return answers(port)
    except OSError:
        return False
