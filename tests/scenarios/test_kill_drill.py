"""A short run of the drill: twenty kills, and no promise about paging is broken."""

import json
import subprocess
import sys

import pytest

from sreportal.env import BASE_DIR
from sreportal.tests.running_portal import plain_environment

pytestmark = pytest.mark.scenario


def test_twenty_kills_break_no_promise() -> None:
    """Alerts answered 2xx are stored and paged, no step is skipped or doubled, repeats say so."""
    done = subprocess.run(
        [
            sys.executable,
            "benchmarks/kill_drill.py",
            "--kills",
            "20",
            "--seed",
            "7",
            "--rate",
            "10",
        ],
        cwd=BASE_DIR,
        env=plain_environment(),
        capture_output=True,
        text=True,
        timeout=420,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["ours"] == 0
