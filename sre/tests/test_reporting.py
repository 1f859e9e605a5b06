"""Rules of reporting to a portal, against a small real HTTP server."""

import gzip
import json
import logging
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sre.delivery import HttpDelivery, RefusedError, UndeliveredError
from sre.report import Report
from sre.reporting import Reporter, _flush_at_exit, start_from_env
from sre.slo_sli import SliCalculator

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TOKEN = "sre_secret-token"


class Portal:
    """Takes reports like the real one: once per idempotency key, if it is up."""

    def __init__(self) -> None:
        self.answers: list[int | Callable[[BaseHTTPRequestHandler], None]] = []
        self.documents: dict[str, dict[str, Any]] = {}
        self.attempts: list[tuple[str, str, dict[str, str]]] = []
        self.arrived = threading.Condition()
        portal = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                portal.take(self)

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self.thread.start()

    def take(self, request: BaseHTTPRequestHandler) -> None:
        """Store the report unless told to answer something else."""
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        key = request.headers["Idempotency-Key"]
        with self.arrived:
            self.attempts.append((key, request.path, dict(request.headers)))
            answer = self.answers.pop(0) if self.answers else 202
            if answer == 202:
                self.documents.setdefault(key, json.loads(body))
            self.arrived.notify_all()
        if callable(answer):
            self.documents.setdefault(key, json.loads(body))
            answer(request)
        else:
            request.send_response(answer)
            request.send_header("Retry-After", "7")
            request.send_header("Location", "http://127.0.0.1:9/elsewhere")
            request.send_header("Content-Length", "0")
            request.end_headers()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something that has arrived makes `condition` true."""
        with self.arrived:
            assert self.arrived.wait_for(condition, timeout=10)

    def count(self) -> int:
        """How many requests the accepted reports stand for."""
        rows = [row for report in self.documents.values() for row in report["requests"]]
        return sum(row["count"] for row in rows)


@pytest.fixture
def portal() -> Iterator[Portal]:
    """A portal that is up."""
    running = Portal()
    yield running
    running.server.shutdown()
    running.server.server_close()
    running.thread.join()


class Clock:
    """A wall clock that stands at noon until it is moved."""

    def __init__(self) -> None:
        self.now = NOON.timestamp()

    def __call__(self) -> float:
        return self.now


def reporter_to(
    portal: Portal, calculator: SliCalculator, clock: Clock | None = None, **options: Any
) -> Reporter:
    """Return a reporter of the Users API that has not been started."""
    return Reporter(
        calculator,
        service="users-api",
        portal_url=portal.url,
        token=TOKEN,
        clock=clock or Clock(),
        **options,
    )


def test_a_report_has_the_documented_form(portal: Portal) -> None:
    """Service, reporter, covered minutes, bounds, requests and freshness, as deltas."""
    clock = Clock()
    sli = SliCalculator(clock=clock)
    sli.record_request("/api/users", 200, 150.5, method="GET")
    sli.record_request("/api/users", 200, 70_000, method="GET")
    sli.record_freshness("users", 7)
    assert reporter_to(portal, sli, clock).flush()
    (report,) = portal.documents.values()
    host, pid, began = report.pop("reporter").rsplit(":", 2)
    assert host
    assert pid.isdecimal()
    assert int(began) == clock.now
    minute = "2026-11-23T12:00:00Z"
    bounds_ms = [5, 10, 25, 50, 75, 100, 150, 200, 250, 300, 400, 500, 750, 1000, 1500, 2000]
    bounds_ms += [3000, 5000, 10000, 30000, 60000]
    bounds_s = [1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400]
    assert report == {
        "service": "users-api",
        "covers": [{"minute": minute}],
        "bounds_ms": bounds_ms,
        "requests": [
            {
                "endpoint": "/api/users",
                "method": "GET",
                "status": 200,
                "minute": minute,
                "count": 2,
                "sum_ms": 70_150.5,
                "buckets": [0] * 7 + [1] + [0] * 13 + [1],
            }
        ],
        "freshness": [
            {
                "source": "users",
                "minute": minute,
                "count": 1,
                "bounds_s": bounds_s,
                "buckets": [0, 0, 1] + [0] * 13,
            }
        ],
    }
    key, path, headers = portal.attempts[0]
    assert path == "/api/v1/telemetry/requests"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Content-Type"] == "application/json"
    assert len(key) == 32


def test_minutes_without_a_request_are_covered_too(portal: Portal) -> None:
    """Alive and idle is measured, and measured as nothing."""
    clock = Clock()
    reporter = reporter_to(portal, SliCalculator(clock=clock), clock)
    reporter.flush()
    clock.now += 60
    reporter.flush()
    covers = [report["covers"] for report in portal.documents.values()]
    assert covers == [[{"minute": "2026-11-23T12:00:00Z"}], [{"minute": "2026-11-23T12:01:00Z"}]]


def test_nothing_is_lost_or_doubled_over_any_kind_of_trouble(portal: Portal) -> None:
    """Down, slow, 500, 401, a redirect, then back: every request arrives once."""
    sli = SliCalculator()
    reporter = reporter_to(portal, sli)

    def taken_but_cut_off(request: BaseHTTPRequestHandler) -> None:
        request.connection.shutdown(socket.SHUT_RDWR)

    def dribble(request: BaseHTTPRequestHandler) -> None:
        for _ in range(100):
            try:
                request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: yes\r\n"[:1])
            except OSError:
                return
            time.sleep(0.05)

    for answer in (500, 401, 403, 404, 302, 503, 429, taken_but_cut_off, dribble):
        portal.answers.append(answer)
        sli.record_request("users", 200, 10)
        assert not reporter.flush(timeout_s=0.5)
    assert reporter.status().failures == 9
    assert len({key for key, _, _ in portal.attempts}) == 1
    assert reporter.flush()
    assert portal.count() == 9
    assert len(portal.documents) == 2
    status = reporter.status()
    assert (status.failures, status.last_error, status.dropped) == (0, None, 0)


def test_a_portal_that_is_down_is_survived(
    portal: Portal, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused connection keeps the report, and says so once, without the token."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    sli = SliCalculator()
    reporter = Reporter(sli, service="u", portal_url=f"http://127.0.0.1:{port}", token=TOKEN)
    sli.record_request("users", 200, 10)
    assert not reporter.flush()
    assert not reporter.flush()
    assert "not reached" in (reporter.status().last_error or "")
    assert len(caplog.records) == 1
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("answer", [400, 409, 413, 415, 422])
def test_a_refused_report_is_given_up_and_counted(portal: Portal, answer: int) -> None:
    """One unacceptable report does not hold up the next ones for ever."""
    sli = SliCalculator()
    reporter = reporter_to(portal, sli)
    sli.record_request("users", 200, 10)
    portal.answers.append(answer)
    assert reporter.flush()
    status = reporter.status()
    assert (status.refused, status.dropped, status.delivered) == (1, 1, 0)
    assert str(answer) in (status.last_error or "")
    sli.record_request("users", 200, 10)
    assert reporter.flush()
    assert portal.count() == 1


@pytest.mark.parametrize(
    ("body", "rejected"),
    [
        (b'{"accepted": 1, "rejected": [], "rejected_count": 2}', 2),
        (b'{"rejected_count": "many"}', 0),
        (b"[]", 0),
        (b"thanks", 0),
    ],
)
def test_rows_the_portal_leaves_out_are_counted(
    portal: Portal, body: bytes, rejected: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Accepted with exceptions is not silently taken for complete."""

    def accept(request: BaseHTTPRequestHandler) -> None:
        request.send_response(202)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    portal.answers.append(accept)
    reporter = reporter_to(portal, SliCalculator())
    assert reporter.flush()
    assert reporter.status().rejected == rejected
    assert ("left 2 rows out" in caplog.text) is (rejected == 2)


def test_large_reports_are_compressed_and_cut(portal: Portal) -> None:
    """A backlog of 100 rows leaves in slices; only the last one claims coverage."""
    sli = SliCalculator(clock=Clock())
    for number in range(100):
        sli.record_request(f"endpoint-{number}", 200, 10)
    assert reporter_to(portal, sli, max_rows=40).flush()
    reports = list(portal.documents.values())
    assert [len(report["requests"]) for report in reports] == [40, 40, 20]
    assert [len(report["covers"]) for report in reports] == [0, 0, 1]
    assert portal.attempts[0][2]["Content-Encoding"] == "gzip"
    assert portal.count() == 100


def test_what_outgrows_the_backlog_is_counted_and_not_claimed_as_covered(portal: Portal) -> None:
    """The oldest minutes go, the status says how many requests, the portal sees a gap."""
    clock = Clock()
    sli = SliCalculator(clock=clock, max_minutes=3)
    reporter = reporter_to(portal, sli, clock)
    portal.answers = [500] * 6
    for _ in range(6):
        sli.record_request("users", 200, 10)
        assert not reporter.flush()
        clock.now += 60
    assert reporter.flush()
    covered = [
        cover["minute"][14:16] for doc in portal.documents.values() for cover in doc["covers"]
    ]
    # 12:00 was in flight all along, 12:01 and 12:02 outgrew the three minutes kept.
    assert portal.count() == 6 - reporter.status().dropped
    assert reporter.status().dropped == 2
    assert covered == ["00", "03", "04", "05", "06"]


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


def test_a_sink_takes_reports_in_this_process_and_may_fail() -> None:
    """What a sink raises keeps the report; the same one, key included, comes again."""
    sli = SliCalculator()
    offered: list[Report] = []

    def sink(report: Report) -> None:
        offered.append(report)
        if len(offered) == 1:
            raise OSError

    reporter = Reporter(sli, service="u", sink=sink)
    sli.record_request("users", 200, 10)
    assert not reporter.flush()
    assert reporter.status().last_error == "OSError"
    assert reporter.flush()
    assert offered[0] is offered[1]
    assert offered[0].requests[0].minute.tzinfo is UTC
    assert offered[0].covers[0].second == 0


def test_collectors_run_before_each_report_and_cannot_stop_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A broken collector is logged; the others still record."""
    sli = SliCalculator()
    reports: list[Report] = []

    def broken() -> None:
        raise LookupError

    reporter = Reporter(
        sli,
        service="u",
        sink=reports.append,
        collectors=[broken, lambda: sli.record_freshness("users", 3)],
    )
    assert reporter.flush()
    assert [counts.source for counts in reports[0].freshness] == ["users"]
    assert "a collector failed" in caplog.text


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either portal_url and token"),
        ({"portal_url": "http://127.0.0.1"}, "either portal_url and token"),
        ({"portal_url": "http://127.0.0.1", "token": "t", "sink": print}, "either portal_url"),
        ({"sink": print, "service": ""}, "service"),
        ({"sink": print, "interval_s": 0}, "interval_s"),
        ({"sink": print, "interval_s": 31}, "interval_s"),
        ({"portal_url": "ftp://portal", "token": "t"}, "portal_url"),
        ({"portal_url": "https://", "token": "t"}, "portal_url"),
        ({"portal_url": "https://u:p@portal", "token": "t"}, "credentials"),
        ({"portal_url": "https://portal/?a=1", "token": "t"}, "query"),
        ({"portal_url": "https://portal", "token": "a b"}, "token"),
        ({"portal_url": "https://portal", "token": "a\r\nX: y"}, "token"),
    ],
)
def test_unusable_settings_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    """A mistake shows when the reporter is built, not as silence later."""
    with pytest.raises(ValueError, match=message):
        Reporter(SliCalculator(), **{"service": "u", **options})


def test_a_portal_below_a_path_is_addressed_there(portal: Portal) -> None:
    """A prefix in the URL stays in front."""
    delivery = HttpDelivery(portal.url + "/ops/", TOKEN)
    delivery.deliver(b'{"requests": []}', key="k", timeout_s=5)
    assert portal.attempts[0][1] == "/ops/api/v1/telemetry/requests"


def test_delivery_tells_later_from_never_and_passes_on_retry_after(portal: Portal) -> None:
    """503 with Retry-After: 7 is later, 422 is never."""
    delivery = HttpDelivery(portal.url, TOKEN)
    portal.answers = [503, 422]
    with pytest.raises(UndeliveredError) as later:
        delivery.deliver(b"{}", key="k", timeout_s=5)
    assert later.value.retry_after == 7
    with pytest.raises(RefusedError):
        delivery.deliver(b"{}", key="k", timeout_s=5)


def test_no_time_left_is_a_failure_for_later(portal: Portal) -> None:
    """A deadline in the past connects to nobody."""
    with pytest.raises(UndeliveredError, match="deadline"):
        HttpDelivery(portal.url, TOKEN).deliver(b"{}", key="k", timeout_s=0)


def test_https_is_spoken_to_https_portals_only() -> None:
    """A server that does not speak TLS gets no token."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                received.append(connection.recv(4096))

        server = threading.Thread(target=serve)
        server.start()
        port = listener.getsockname()[1]
        with pytest.raises(UndeliveredError):
            HttpDelivery(f"https://127.0.0.1:{port}", TOKEN).deliver(b"{}", key="k", timeout_s=5)
        server.join()
    assert TOKEN.encode() not in received[0]


@pytest.mark.parametrize(
    ("url", "warns"),
    [
        ("http://portal.example.org", True),
        ("http://10.0.0.7", True),
        ("http://localhost", False),
        ("http://127.0.0.1:8000", False),
        ("http://[::1]:8000", False),
        ("https://portal.example.org", False),
    ],
)
def test_a_token_over_plain_http_is_warned_about(
    url: str, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Except on this machine itself."""
    with caplog.at_level(logging.WARNING):
        HttpDelivery(url, TOKEN)
    assert ("overheard" in caplog.text) is warns


def test_the_longest_pause_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the outage, recovery is noticed within a minute."""
    sli = SliCalculator()

    def sink(_report: Report) -> None:
        raise UndeliveredError("busy", retry_after=86_400)

    reporter = Reporter(sli, service="u", sink=sink)
    for _ in range(20):
        reporter.flush()
    assert reporter._retry_at <= time.monotonic() + timedelta(minutes=1).total_seconds()


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


def test_a_process_without_news_reports_nothing() -> None:
    """A full last slice is followed by an empty look, not by an empty report."""
    sli = SliCalculator()
    reports: list[Report] = []
    reporter = Reporter(sli, service="u", sink=reports.append, max_rows=1)
    sli.record_request("users", 200, 10)
    assert reporter.flush()
    assert [(len(report.requests), len(report.covers)) for report in reports] == [(1, 0), (0, 1)]


def test_an_unfinished_backlog_stops_at_the_first_failure() -> None:
    """The slice that failed stays first in line."""
    sli = SliCalculator()
    taken: list[Report] = []

    def sink(report: Report) -> None:
        if len(taken) == 1:
            raise OSError
        taken.append(report)

    reporter = Reporter(sli, service="u", sink=sink, max_rows=1)
    sli.record_request("users", 200, 10)
    sli.record_request("orders", 200, 10)
    assert not reporter.flush()
    assert not reporter.flush()
    assert reporter.status().failures == 2


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
