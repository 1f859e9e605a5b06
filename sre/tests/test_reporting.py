"""Rules of reporting to a portal, against a small real HTTP server."""

import socket
import time
from datetime import UTC, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from sre.delivery import UndeliveredError
from sre.report import Report
from sre.reporting import Reporter
from sre.slo_sli import SliCalculator
from sre.tests.reporting_portal import TOKEN, Clock, Portal, portal, reporter_to

__all__ = ["portal"]


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


def test_the_longest_pause_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the outage, recovery is noticed within a minute."""
    sli = SliCalculator()

    def sink(_report: Report) -> None:
        raise UndeliveredError("busy", retry_after=86_400)

    reporter = Reporter(sli, service="u", sink=sink)
    for _ in range(20):
        reporter.flush()
    assert reporter._retry_at <= time.monotonic() + timedelta(minutes=1).total_seconds()


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
