"""Rules of the thread that reports: when it begins, pauses and ends."""

import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest

from sre.report import Report
from sre.reporting import Reporter, _flush_at_exit, start_from_env
from sre.slo_sli import SliCalculator
from sre.tests.reporting_portal import TOKEN, Portal, portal, reporter_to

__all__ = ["portal"]


def test_the_thread_reports_by_itself_and_retries_after_a_pause(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started once, it delivers; failures make it wait before it tries again."""
    monkeypatch.setattr("sre.reporting.FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr("sre.reporting.LONGEST_PAUSE_S", 0.2)
    sli = SliCalculator()
    reporter = reporter_to(portal, sli, interval_s=0.01)
    portal.answers = [500, 503]
    sli.record_request("users", 200, 10)
    reporter.start()
    reporter.start()
    portal.wait_for(lambda: portal.count() == 1)
    sli.record_request("users", 200, 10)
    portal.wait_for(lambda: portal.count() == 2)
    assert reporter.status().is_running
    assert reporter.stop()
    assert not reporter.status().is_running
    assert len({key for key, _, _ in portal.attempts[:3]}) == 1


def test_a_lazy_reporter_begins_with_the_first_request() -> None:
    """A parent that serves nobody claims no coverage; a serving process starts by itself."""
    sli = SliCalculator()
    reports: list[Report] = []
    reporter = Reporter(sli, service="u", sink=reports.append, interval_s=30)
    reporter.start(lazy=True)
    assert not reporter.status().is_running
    sli.record_request("users", 200, 10)
    assert reporter.status().is_running
    assert reporter.stop()
    assert [report.requests[0].count for report in reports] == [1]
    threading.Thread(target=sli.record_request, args=("users", 200, 10)).start()
    assert not reporter.status().is_running


def test_a_stopped_reporter_can_be_started_again() -> None:
    """Stop and start leave one running thread."""
    reporter = Reporter(SliCalculator(), service="u", sink=lambda _: None, interval_s=30)
    reporter.start()
    reporter.stop()
    reporter.start()
    assert reporter.status().is_running
    reporter.stop()


def test_a_bug_in_the_thread_is_logged_and_survived(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The thread goes on after an error nobody foresaw."""
    sli = SliCalculator()
    drained = threading.Semaphore(0)

    def drain(_max_rows: int) -> None:
        drained.release()
        raise ZeroDivisionError

    monkeypatch.setattr(sli, "drain", drain)
    reporter = Reporter(sli, service="u", sink=lambda _: None, interval_s=0.01)
    reporter.start()
    assert drained.acquire(timeout=10)
    assert drained.acquire(timeout=10)
    monkeypatch.undo()
    reporter.stop()
    assert "reporting failed" in caplog.text


def test_flush_does_not_wait_beyond_its_timeout() -> None:
    """While another thread delivers, a flush gives up in time."""
    reporter = Reporter(SliCalculator(), service="u", sink=lambda _: None)
    with reporter._delivering:
        assert not reporter.flush(timeout_s=0.01)


def test_reporting_never_breaks_a_request_when_no_thread_can_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At interpreter shutdown no thread may be started, and recording goes on."""

    def refuse(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sli = SliCalculator()
    reporter = Reporter(sli, service="u", sink=lambda _: None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        reporter.start()
        sli.record_request("users", 200, 10)
    assert "no reporter thread" in caplog.text
    assert not reporter.status().is_running


def test_two_threads_starting_it_together_get_one_thread() -> None:
    """The second one finds the first one's thread."""
    reporter = Reporter(SliCalculator(), service="u", sink=lambda _: None, interval_s=30)
    reporter._is_armed = True
    with reporter._starting:
        starters = [threading.Thread(target=reporter._ensure_running) for _ in range(2)]
        for starter in starters:
            starter.start()
    for starter in starters:
        starter.join()
    running = [thread for thread in threading.enumerate() if thread.name == "sre-reporter"]
    assert running == [reporter._thread]
    reporter.stop()


def test_counts_are_delivered_at_exit(portal: Portal) -> None:
    """A script shorter than the interval still reports what it did."""
    program = (
        "from sre.reporting import start_from_env\n"
        "from sre.slo_sli import sli_calculator\n"
        "start_from_env()\n"
        "sli_calculator.record_request('users', 200, 10)\n"
    )
    environment = {"SRE_PORTAL_URL": portal.url, "SRE_PORTAL_TOKEN": TOKEN, "SRE_SERVICE": "u"}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert portal.count() == 1


def test_an_unfinished_environment_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All three variables are needed."""
    for name in ("SRE_PORTAL_URL", "SRE_PORTAL_TOKEN", "SRE_SERVICE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SRE_PORTAL_URL", "http://127.0.0.1:9")
    assert start_from_env(SliCalculator()) is None


def test_a_process_that_never_served_says_nothing_at_exit() -> None:
    """The parent of forked servers claims no coverage; a reporter that ran reports once more."""
    reports: list[Report] = []
    reporter = Reporter(SliCalculator(), service="u", sink=reports.append, interval_s=30)
    reporter.start(lazy=True)
    _flush_at_exit(weakref.ref(reporter))
    assert reports == []
    reporter.start()
    _flush_at_exit(weakref.ref(reporter))
    assert len(reports) == 1


def test_the_thread_keeps_quiet_until_its_pause_is_over() -> None:
    """During a pause the tick only notes that it is alive."""
    reports: list[Report] = []
    reporter = Reporter(SliCalculator(), service="u", sink=reports.append)
    reporter._retry_at = time.monotonic() + 3600
    reporter._tick()
    assert reports == []
    reporter._retry_at = 0.0
    reporter._tick()
    assert len(reports) == 1


def test_a_complete_environment_starts_lazily(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reporter waits for the first request, then reports to the named portal."""
    monkeypatch.setenv("SRE_PORTAL_URL", portal.url)
    monkeypatch.setenv("SRE_PORTAL_TOKEN", TOKEN)
    monkeypatch.setenv("SRE_SERVICE", "users-api")
    sli = SliCalculator()
    reporter = start_from_env(sli)
    assert reporter is not None
    assert not reporter.status().is_running
    sli.record_request("users", 200, 10)
    assert reporter.stop()
    assert portal.count() == 1
