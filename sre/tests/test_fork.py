"""What happens to counts and reporters when a process forks."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from sre.reporting import Report, Reporter
from sre.slo_sli import SliCalculator

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]
if not hasattr(os, "fork"):
    pytest.skip("this system has no fork", allow_module_level=True)


def in_child(work: Callable[[], object]) -> str:
    """Run `work` in a forked child and return what it returned, as text."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(work()).encode())
        finally:
            sys.stderr.flush()
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read().decode()
    os.waitpid(child, 0)
    return answer


def test_a_child_starts_empty_and_the_parent_keeps_its_counts() -> None:
    """Every request is counted by the one process that served it."""
    sli = SliCalculator()
    sli.record_request("users", 200, 10)
    sli.record_freshness("users", 1)

    def child() -> list[object]:
        sli.record_request("users", 500, 10)
        drained = sli.drain()
        return [[row.key[2] for row in drained.requests], len(drained.freshness)]

    assert in_child(child) == "[[500], 0]"
    drained = sli.drain()
    assert [row.key[2] for row in drained.requests] == [200]
    assert len(drained.freshness) == 1


def test_a_child_of_a_process_that_is_counting_does_not_hang() -> None:
    """A lock that was held at the fork has no owner in the child."""
    sli = SliCalculator()
    sli.record_request("users", 200, 10)
    now = datetime.now(UTC)

    def child() -> object:
        sli.record_request("users", 200, 10)
        return sli.calculate_availability_sli(now, now + timedelta(minutes=1))

    with sli._requests.lock, sli._freshness._lock:
        assert in_child(child) == "100.0"


def test_a_child_reports_for_itself_from_its_first_request_on() -> None:
    """The thread does not survive the fork; a request in the child brings a new one."""
    sli = SliCalculator()
    reports: list[Report] = []
    reporter = Reporter(sli, service="users-api", sink=reports.append, interval_s=30)
    reporter.start()

    def child() -> list[object]:
        idle = reporter.status().is_running
        sli.record_request("users", 200, 10)
        busy = reporter.status().is_running
        reporter.stop()
        pid = reports[-1].reporter.split(":")[1]
        return [idle, busy, len(reports[-1].requests), pid == str(os.getpid())]

    try:
        assert in_child(child) == "[False, True, 1, True]"
        assert reporter.status().is_running
    finally:
        reporter.stop()
