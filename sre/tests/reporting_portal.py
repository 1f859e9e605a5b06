"""A small real HTTP server that takes reports as a portal does, and a reporter to it."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sre.reporting import Reporter
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
