"""`manage.py up`, with real processes: what a person sees who starts, stops and kills it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sreportal.env import BASE_DIR
from sreportal.tests.running_portal import RunningPortal, gone, plain_environment, wait_until

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a space in its name, used by every start of this module."""
    return tmp_path_factory.mktemp("portal") / "my data"


@pytest.fixture(scope="module")
def first_output(data: Path) -> str:
    """What the very first start printed; it serves a page and is stopped by Ctrl-C."""
    portal = RunningPortal(data).wait_until_ready()
    try:
        status, body = portal.get("/accounts/login/")
        assert status == 200
        assert "<form" in body
        children = portal.descendants()
        code, took_s = portal.stop(signal.SIGINT)
    finally:
        portal.end()
    assert code == 0
    assert took_s < 3
    assert gone(children)
    assert not (data / "address").exists(), "commands would go on to name it"
    return portal.output()


@pytest.fixture(scope="module")
def running(first_output: str) -> Iterator[list[RunningPortal]]:
    """The portal that the tests pass on to each other, once there is one."""
    portals: list[RunningPortal] = []
    yield portals
    for portal in portals:
        portal.end()


@pytest.fixture
def portal(data: Path, running: list[RunningPortal]) -> RunningPortal:
    """A portal on the data folder that was used before; a new one when a test has ended the last."""
    if not running or running[-1].has_ended():
        running.append(RunningPortal(data).wait_until_ready())
    return running[-1]


def test_first_start_prints_the_password_and_the_address(first_output: str) -> None:
    """Whoever starts it first can sign in with what the terminal shows; the database is made once."""
    assert first_output.count("First start: making the database") == 1
    assert "sign in as admin with the password" in first_output
    assert "Ready: http://127.0.0.1:" in first_output


def test_later_start_keeps_the_password_to_itself(portal: RunningPortal, data: Path) -> None:
    """The password is shown once; a second portal on the folder is refused in one line."""
    assert portal.password() is None
    second = RunningPortal(data)
    assert second.wait() == 1
    assert len(second.output().splitlines()) == 1
    assert "already running" in second.output()
    assert portal.get("/health/live")[0] == 200


def test_commands_beside_it_know_its_address(portal: RunningPortal, data: Path) -> None:
    """What they print leads to the port that the portal was started on."""
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json"],
        cwd=BASE_DIR, env=plain_environment(SREPORTAL_DATA=str(data)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"served as http://127.0.0.1:{portal.port}" in done.stdout


def test_busy_port_is_one_clear_line(tmp_path: Path) -> None:
    """A port that is taken is named before anything is made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        portal = RunningPortal(tmp_path / "data", port=taken.getsockname()[1])
        assert portal.wait() == 1
    assert len(portal.output().splitlines()) == 1
    assert f"Port {portal.port} is already in use" in portal.output()
    assert not (tmp_path / "data" / "sreportal.sqlite3").exists()


def test_killed_worker_is_started_again_and_sigterm_stops_all(portal: RunningPortal) -> None:
    """A crash of one process costs that process only; SIGTERM ends all with status 0."""
    worker = portal.worker_pid()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: portal.worker_pid() not in {0, worker})
    assert "worker was killed by signal 9" in portal.output()
    assert portal.get("/health/live")[0] == 200
    children = portal.descendants()
    code, took_s = portal.stop(signal.SIGTERM)
    assert code == 0
    assert took_s < 3
    assert gone(children)


def test_killed_portal_leaves_no_orphan(portal: RunningPortal) -> None:
    """Even kill -9 of the supervisor takes the broker, the workers and their children along."""
    children = portal.descendants()
    assert len(children) >= 5
    os.kill(portal.pid, signal.SIGKILL)
    wait_until(lambda: gone(children), within_s=5)


def test_killed_web_server_frees_its_port(portal: RunningPortal) -> None:
    """Gunicorn's own children go with it, and the next one answers."""
    master = portal.child_on(portal.port)
    workers = master.children()
    assert workers
    master.send_signal(signal.SIGKILL)
    wait_until(lambda: gone([master, *workers]), within_s=5)
    wait_until(lambda: _answers(portal))


def _answers(portal: RunningPortal) -> bool:
    try:
        return portal.get("/health/live")[0] == 200
    except OSError:
        return False


def test_processes_stay_small(portal: RunningPortal) -> None:
    """The whole portal, idle, holds 400 MB of memory at most."""
    everyone = [psutil.Process(portal.pid), *portal.descendants()]
    if not hasattr(everyone[0].memory_full_info(), "pss"):
        return
    assert sum(p.memory_full_info().pss for p in everyone) < 400 * 1024 * 1024
