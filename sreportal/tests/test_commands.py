"""`manage.py` when it cannot do what it was asked: one line, and a status that scripts rely on."""

import subprocess
import sys
from pathlib import Path

import pytest

from sreportal.env import BASE_DIR
from sreportal.tests.running_portal import plain_environment
from tests.servers import free_port

COMMANDS = [
    ["slo_export", "--format", "openslo"],
    ["verify", "--json"],
    ["rotate_secrets", "--json"],
]


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a data folder."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env=plain_environment(SREPORTAL_DATA=str(folder), **settings),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_new_folder_is_told_to_be_prepared(tmp_path: Path, command: list[str]) -> None:
    """Whoever begins with a command instead of `make run` is told what to do."""
    done = run(tmp_path, *command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "make run" in done.stderr


def test_server_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    """A wrong address of the database is a sentence, not a stack."""
    address = f"postgres://portal:hidden-word@127.0.0.1:{free_port()}/portal"
    done = run(tmp_path, "token", "list", DATABASE_URL=address)
    assert (done.returncode, done.stdout) == (2, "")
    assert "The database does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hidden-word" not in done.stderr


def test_stack_is_shown_to_who_wants_it(tmp_path: Path) -> None:
    """Django's own option still works."""
    assert "Traceback" in run(tmp_path, "slo_lint", "--traceback").stderr


def test_command_that_does_not_exist_is_bad_usage(tmp_path: Path) -> None:
    """And what was probably meant is named."""
    done = run(tmp_path, "slo_linter")
    assert (done.returncode, done.stdout) == (2, "")
    assert "slo_lint?" in done.stderr


def test_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """`manage.py help | head -1` complains about nothing."""
    command = [sys.executable, "manage.py", "slo_windows", "--objective=0.999", "--period=30d"]
    with subprocess.Popen(
        command,
        cwd=BASE_DIR,
        env=plain_environment(SREPORTAL_DATA=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        complaints = running.stderr.read()
    assert (running.returncode, complaints) == (141, "")


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["at its end", "at once"])
def test_full_disk_is_told_in_one_line(tmp_path: Path, unbuffered: str) -> None:
    """What was to be written did not arrive: that is neither a stack nor a success."""
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "manage.py", "slo_windows", "--objective=0.999", "--period=30d"],
            cwd=BASE_DIR,
            env=plain_environment(SREPORTAL_DATA=str(tmp_path), PYTHONUNBUFFERED=unbuffered),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        2,
        "It could not be written: No space left on device.\n",
    )


def test_closed_output_stops_no_command(tmp_path: Path) -> None:
    """Daemons are started so, and `manage.py slo_windows … >&-` asks for the status alone."""
    command = f"{sys.executable} manage.py slo_windows --objective=0.999 --period=30d >&-"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=BASE_DIR,
        env=plain_environment(SREPORTAL_DATA=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
