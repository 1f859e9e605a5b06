"""What a hostile environment does to a program that measures itself: nothing that users notice."""

import asyncio
import contextvars
import json
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sre.reporting import Reporter
from sre.slo_sli import OTHER_ENDPOINT, SliCalculator

ROOT = Path(__file__).parents[2]
TOKEN = "sre_secret-token"
REQUESTS = 2_000
SLOWEST_MEDIAN_S = 0.001

Serve = Callable[[socket.socket], None]


@contextmanager
def peer(serve: Serve | None) -> Iterator[str]:
    """Yield the URL of a peer that does `serve` with each connection; None refuses them all."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    if serve is None:
        listening.close()
        yield url
        return
    kept: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            kept.append(connection)
            try:
                serve(connection)
            except OSError:
                connection.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield url
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for connection in kept:
            connection.close()
        thread.join(10)


def hang(_connection: socket.socket) -> None:
    """Say nothing, ever."""


def fail(connection: socket.socket) -> None:
    """Answer 500 at once."""
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
    connection.close()


def dribble(connection: socket.socket) -> None:
    """Send a header byte by byte, so that every single read succeeds soon."""
    connection.settimeout(5)
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"z" * 200:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def talk_rubbish(connection: socket.socket) -> None:
    """Answer with what is no HTTP."""
    connection.sendall(b"\x00\xff" * 40_000)
    connection.close()


PEERS = pytest.mark.parametrize(
    "serve",
    [None, hang, fail, dribble, talk_rubbish],
    ids=["refusing", "hanging", "failing", "slow", "rubbish"],
)


@PEERS
def test_requests_do_not_notice_what_ails_the_portal(serve: Serve | None) -> None:
    """Recording takes microseconds and raises nothing, and every count is kept for later."""
    with peer(serve) as url:
        sli = SliCalculator()
        reporter = Reporter(sli, service="users-api", portal_url=url, token=TOKEN, interval_s=0.01)
        reporter.start()
        times = []
        for number in range(REQUESTS):
            started = time.perf_counter()
            sli.record_request(f"route {number % 50}", 200, 10)
            times.append(time.perf_counter() - started)
        assert sorted(times)[REQUESTS // 2] < SLOWEST_MEDIAN_S
        reporter.stop(0.2)
        assert reporter.status().delivered == 0
    in_flight = reporter._in_flight
    kept = sum(row.count for row in sli.drain(10_000).requests)
    kept += sum(row.count for row in in_flight.requests) if in_flight else 0
    assert kept == REQUESTS


@PEERS
def test_a_process_ends_within_seconds_whatever_ails_the_portal(serve: Serve | None) -> None:
    """The last report has two seconds; nobody's deployment hangs on a portal."""
    program = (
        "from sre.reporting import start_from_env\n"
        "from sre.slo_sli import sli_calculator\n"
        "start_from_env()\n"
        "sli_calculator.record_request('users', 200, 10)\n"
    )
    with peer(serve) as url:
        assert _seconds_at_exit(program, url) < 4


def test_a_process_ends_within_seconds_although_names_do_not_resolve() -> None:
    """Name resolution knows no timeout, so nobody may wait for it at the end."""
    program = (
        "import socket, time\n"
        "def resolve(*_, **__):\n"
        "    time.sleep(30)\n"
        "    raise OSError('no answer')\n"
        "socket.getaddrinfo = resolve\n"
        "from sre.reporting import start_from_env\n"
        "from sre.slo_sli import sli_calculator\n"
        "start_from_env()\n"
        "sli_calculator.record_request('users', 200, 10)\n"
    )
    assert _seconds_at_exit(program, "http://localhost:9") < 4


def _seconds_at_exit(program: str, url: str) -> float:
    """Return how long a program takes to end after its last line."""
    environment = {"SRE_PORTAL_URL": url, "SRE_PORTAL_TOKEN": TOKEN, "SRE_SERVICE": "users-api"}
    running = subprocess.Popen(
        [sys.executable, "-c", f"{program}\nprint('done', flush=True)"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == "done\n"
        started = time.monotonic()
        _, complaints = running.communicate(timeout=40)
        assert (running.returncode, "Traceback" in complaints) == (0, False), complaints
        return time.monotonic() - started
    finally:
        running.kill()


def test_100_000_distinct_endpoints_share_one_name_beyond_the_limit() -> None:
    """A path instead of a route costs its caller the distinction, not the server its memory."""
    sli = SliCalculator()
    now = datetime.now(UTC)
    tracemalloc.start()
    try:
        for number in range(100_000):
            sli.record_request(f"/users/{number}", 200, 10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * 1024 * 1024
    rows = sli.drain(100_000).requests
    assert sum(row.count for row in rows) == 100_000
    assert 501 <= len(rows) <= 2 * 501  # in one minute, or in two that follow each other
    others = sum(row.count for row in rows if row.key[0] == OTHER_ENDPOINT)
    assert others == 100_000 - 500
    assert sli.calculate_availability_sli(now, now + timedelta(minutes=5)) == 100.0


def test_100_000_distinct_sources_share_one_name_beyond_the_limit() -> None:
    """Sources of data are bounded as endpoints are, and no report of the minute is lost."""
    sli = SliCalculator()
    tracemalloc.start()
    try:
        for number in range(100_000):
            sli.record_freshness(f"table {number}", 1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * 1024 * 1024
    rows = sli.drain(100_000).freshness
    assert sum(row.count for row in rows) == 100_000
    assert OTHER_ENDPOINT in {row.key for row in rows}


def test_tasks_threads_and_contexts_of_one_loop_count_exactly() -> None:
    """Coroutines interleave in one thread and hop to others; every request counts once."""
    sli = SliCalculator()
    got: list[int] = []
    reporter = Reporter(
        sli,
        service="users-api",
        sink=lambda report: got.append(sum(row.count for row in report.requests)),
        interval_s=0.01,
    )
    reporter.start()

    async def request(number: int) -> None:
        await asyncio.sleep(0)
        sli.record_request("users", 200, 10)
        if number % 10 == 0:
            await asyncio.to_thread(sli.record_request, "users", 503, 10)
        contextvars.copy_context().run(sli.record_request, "users", 200, 10)

    async def serve() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(2_000):
                group.create_task(request(number))

    asyncio.run(serve())
    assert reporter.stop(10)
    assert sum(got) == 2_000 + 200 + 2_000


def test_the_event_loop_is_never_held_up_by_reporting() -> None:
    """With a portal that hangs, a loop that records goes on turning."""
    with peer(hang) as url:
        sli = SliCalculator()
        reporter = Reporter(sli, service="users-api", portal_url=url, token=TOKEN, interval_s=0.01)
        reporter.start()

        async def turns() -> float:
            laps = []
            for _ in range(500):
                started = time.perf_counter()
                sli.record_request("users", 200, 10)
                await asyncio.sleep(0)
                laps.append(time.perf_counter() - started)
            return sorted(laps)[250]

        assert asyncio.run(turns()) < 0.005
        reporter.stop(0.1)


FORKED = """
import multiprocessing
from sre.reporting import start_from_env
from sre.slo_sli import sli_calculator

def work(count):
    for _ in range(count):
        sli_calculator.record_request("users", 200, 10)

if __name__ == "__main__":
    start_from_env()
    work(5)
    method = multiprocessing.get_context("fork")
    children = [method.Process(target=work, args=(7,)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    work(2)
"""


def test_forked_workers_report_what_they_counted_when_they_end() -> None:
    """Children of `multiprocessing` end without the usual exit hooks, and report all the same."""
    counted: list[int] = []

    def take(connection: socket.socket) -> None:
        connection.settimeout(5)
        head, _, body = connection.recv(65_536).partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        while len(body) < length:
            body += connection.recv(65_536)
        counted.extend(row["count"] for row in json.loads(body)["requests"])
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        connection.close()

    with peer(take) as url:
        _seconds_at_exit(FORKED, url)
    assert sum(counted) == 5 + 3 * 7 + 2
