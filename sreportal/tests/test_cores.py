"""Web processes that are as many as cores have one each, also after one of them was replaced."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sreportal.cores import core_for
from sreportal.tests.own_worker import serving_own
from sreportal.tests.running_portal import wait_until
from sreportal.tests.test_web_worker import ask

APPLICATION = """
    import os

    def application(environ, start_response):
        said = f"{os.getpid()} {sorted(os.sched_getaffinity(0))}".encode()
        start_response("200 OK", [("Content-Length", str(len(said)))])
        return [said]
"""
HOOKS = """
from sreportal.cores import choose as pre_fork, keep

def post_fork(server, worker):
    keep(worker)
"""


@pytest.mark.parametrize(
    ("others", "processes", "cores", "chosen"),
    [
        ([], 2, [0, 1], 0),
        ([0], 2, [0, 1], 1),
        ([1], 2, [0, 1], 0),
        ([0, 3], 3, [0, 3], 0),
        ([0, 0, 3], 4, [0, 3], 3),
        ([None, None], 2, [5, 7], 5),
        ([0], 2, [0, 1, 2], None),
        ([], 1, [0, 1], None),
        ([], 1, [0], 0),
        ([], 4, [], None),
    ],
)
def test_a_process_gets_the_core_that_fewest_have(
    others: list[int | None], processes: int, cores: list[int], chosen: int | None
) -> None:
    """None where cores would be left without a process."""
    assert core_for(others, processes=processes, cores=cores) == chosen


@pytest.fixture
def two_cores() -> Iterator[set[int]]:
    """Let this thread, and what it starts, run on two cores at the most."""
    before = os.sched_getaffinity(0)
    few = set(sorted(before)[:2])
    os.sched_setaffinity(0, few)
    yield few
    os.sched_setaffinity(0, before)


def test_processes_keep_to_cores_of_their_own(tmp_path: Path, two_cores: set[int]) -> None:
    (tmp_path / "hooks.py").write_text(HOOKS)
    options = ("--config", "hooks.py", "--workers", str(len(two_cores)), "--log-level", "critical")
    found: dict[str, str] = {}
    wanted = {f"[{core}]" for core in two_cores}

    def have_all(port: int, without: str = "") -> bool:
        pid, kept = ask(port)[1].decode().split(" ", 1)
        found[pid] = kept
        alive = {pid: kept for pid, kept in found.items() if pid != without}
        return len(alive) == len(two_cores) and set(alive.values()) == wanted

    with serving_own(
        tmp_path, APPLICATION, *options, answers=lambda port: ask(port)[0] == 200
    ) as p:
        wait_until(lambda: have_all(p))
        killed = next(iter(found))
        os.kill(int(killed), signal.SIGKILL)
        wait_until(lambda: have_all(p, without=killed))
