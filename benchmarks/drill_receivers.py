"""Those who are called in a drill: receivers of webhooks that write down what came, and may answer."""

import contextlib
import json
import random
import socket
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.drill_evidence import Journals
from benchmarks.paging_checker import Message

__all__ = ["Receivers"]

ANSWERED = 0.3


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that a kill broke is what the drill is about."""


class Receivers:
    """Webhook receivers of the people on call; some of them answer, after a while.

    Args:
        journals: Where all of them write.
        dice: Chance.
        needed: How many must answer; with one, only whoever is called first may.
    """

    def __init__(self, journals: Journals, dice: random.Random, needed: int) -> None:
        self.journals, self._dice, self._needed = journals, dice, needed
        self._answers = ThreadPoolExecutor(4)
        self._lock = threading.Lock()
        self._asked: set[tuple[int, str]] = set()
        receivers = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                # On its way for a while: with its sender it is gone.
                time.sleep(receivers.transit())
                if self._is_cut():
                    self.close_connection = True
                    return
                receivers.take(body)
                # Slow now and then, so that kills find sends in flight.
                time.sleep(receivers.pause())
                # Whoever asked may have been killed meanwhile.
                with contextlib.suppress(OSError):
                    self.send_response(204)
                    self.end_headers()

            def _is_cut(self) -> bool:
                with contextlib.suppress(BlockingIOError):
                    peek = socket.MSG_PEEK | socket.MSG_DONTWAIT
                    try:
                        return not self.connection.recv(1, peek)
                    except ConnectionError:
                        return True
                return False

            def log_message(self, *_args: object) -> None:
                return

        self.server = _QuietServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def transit(self) -> float:
        """Return how long a message takes to arrive."""
        with self._lock:
            return self._dice.choice((0, 0.02, 0.1, 0.25))

    def pause(self) -> float:
        """Return how long this answer takes."""
        with self._lock:
            return self._dice.choice((0, 0, 0, 0.02, 0.1, 0.4))

    def take(self, body: dict[str, Any]) -> None:
        """Write a message down, and perhaps answer it."""
        facts, now = body["data"], datetime.now(UTC)
        message = Message(
            key=body["id"],
            at=now,
            incident=facts["incident"],
            cycle=facts["cycle"],
            step=facts["step"],
            target=facts["target"],
            reason=facts["reason"],
            is_repeat=body["is_repeat"],
            alerts=tuple(alert["dedup_key"] for alert in facts["alerts"]),
        )
        with self._lock:
            self.journals.received.append(message)
            asked = (message.incident, message.target if self._needed > 1 else "")
            first = asked not in self._asked
            self._asked.add(asked)
            answers = first and self._dice.random() < ANSWERED
        if answers and body["acknowledge_url"]:
            self._answers.submit(
                self._answer, message.incident, message.target, body["acknowledge_url"]
            )

    def _answer(self, incident: int, target: str, url: str) -> None:
        self.journals.tried.append((incident, target))
        for _ in range(30):
            with contextlib.suppress(OSError):
                request = urllib.request.Request(url, b"", method="POST")
                with urllib.request.urlopen(request, timeout=10) as answer:
                    self._told(incident, target, answer.read())
                return
            time.sleep(0.3)

    def _told(self, incident: int, target: str, page: bytes) -> None:
        is_enough = b"Acknowledged by" in page
        if is_enough:
            self.journals.acknowledged.append(incident)
        if is_enough or b"Your answer was noted" in page:
            self.journals.answers.append((incident, target, datetime.now(UTC)))
