"""A small web server to hurt, and waiting for what should come true."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers every GET as its server says."""

    protocol_version = "HTTP/1.1"
    server: "Target"

    def do_GET(self) -> None:
        """Answer with the server's status."""
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


class Target(ThreadingHTTPServer):
    """A server on a free port of loopback."""

    daemon_threads = True
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.server_port}/health"

    def handle_error(self, request: object, client_address: object) -> None:
        """A torn connection is what the tests are about."""


@contextmanager
def serving() -> Iterator[Target]:
    """Serve until the block ends."""
    with Target() as target:
        thread = threading.Thread(target=target.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield target
        finally:
            target.shutdown()
            thread.join()


def eventually(condition: Callable[[], object], within_s: float = 10) -> float:
    """Wait until a condition holds and return how long that took (s); fail when it never does."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > within_s:
            raise AssertionError(f"not within {within_s} s")
        time.sleep(0.01)
    return time.monotonic() - start
