"""Senders of alerts for the benchmarks: prepared requests over connections that stay open.

They are as cheap as Python can be, since what they use is missing to the side that is measured.
"""

import contextlib
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Round", "request", "send"]

_TRIES, _PATIENCE_S = 3, 60
Make = Callable[[int], bytes]


@dataclass(frozen=True)
class Round:
    """What came of some seconds of sending.

    Args:
        per_second: Requests that were answered as wanted.
        seconds: How long each answer took, ascending.
        refused: First lines of the other answers, a few of them.
        failed: How many those were.
    """

    per_second: float
    seconds: list[float]
    refused: list[str]
    failed: int

    @property
    def p99_ms(self) -> float:
        """99th percentile of what an answer took."""
        return self.seconds[int(len(self.seconds) * 0.99)] * 1000 if self.seconds else float("inf")


def request(path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """Return the bytes of a POST with JSON."""
    return b"%b%d\r\n\r\n%b" % (_head(path, tuple((headers or {}).items())), len(body), body)


@lru_cache(maxsize=256)
def _head(path: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    lines = {"Host": "127.0.0.1", "Content-Type": "application/json", **dict(headers)}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}Content-Length: ".encode()


def send(
    port: int, make: Make, *, connections: int, seconds: float, first: int, wanted: tuple[int, ...]
) -> Round:
    """Send for some seconds over several connections, each waiting for its answer.

    One thread looks after all of them: it wakes for answers that are there, and for nothing else.

    Args:
        port: On loopback.
        make: Makes the request of a number; numbers never come twice.
        connections: How many send at once.
        seconds: For how long, each at least once.
        first: The first number.
        wanted: Statuses that count.
    """
    took: list[float] = []
    refused: list[str] = []
    failed = 0
    began = time.perf_counter()
    end = began + seconds
    with contextlib.ExitStack() as stack:
        ready = stack.enter_context(select.epoll())
        lines: dict[int, _Line] = {}
        for number in range(connections):
            line = stack.enter_context(contextlib.closing(_Line(port, ready, lines)))
            line.send(make(first + number))
        turn = first + connections
        while lines:
            events = ready.poll(_PATIENCE_S)
            if not events:
                raise TimeoutError(f"No answer within {_PATIENCE_S} seconds.")
            for number, _ in events:
                line = lines[number]
                if (answer := line.receive()) is None:
                    continue
                status, text, duration = answer
                if status in wanted:
                    took.append(duration)
                else:
                    failed += 1
                    refused += [f"{status} {text[:300]!r}"] if len(refused) < 3 else []
                if time.perf_counter() < end:
                    line.send(make(turn))
                    turn += 1
                else:
                    line.close()
    return Round(len(took) / (time.perf_counter() - began), sorted(took), refused, failed)


class _Line:
    """A connection that is opened again when the other side has closed it.

    Args:
        port: On loopback.
        ready: Gets its socket while it is open.
        lines: Gets itself, by the number of that.
    """

    def __init__(self, port: int, ready: select.epoll, lines: dict[int, "_Line"]) -> None:
        self._port = port
        self._ready = ready
        self._lines = lines
        self._socket: socket.socket | None = None
        self._sent = b""
        self._sent_at = 0.0
        self._tries = 0
        self._data = b""

    def send(self, message: bytes) -> None:
        """Begin a request."""
        self._sent, self._sent_at, self._tries = message, time.perf_counter(), 0
        self._send()

    def receive(self) -> tuple[int, bytes, float] | None:
        """Return status and body of the answer, and how long it took; None until all of it is there."""
        assert self._socket is not None
        try:
            if not (more := self._socket.recv(65536)):
                raise ConnectionError
        except OSError:
            return self._again()
        self._data += more
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self._data[:end].lower()
        begins = head.find(b"content-length:")
        length = int(head[begins + 15 :].split(b"\r\n", 1)[0]) if begins >= 0 else 0
        if len(self._data) < end + 4 + length:
            return None
        body, self._data = self._data[end + 4 : end + 4 + length], b""
        if b"connection: close" in head:
            self.close()
        return int(head[9:12]), body, time.perf_counter() - self._sent_at

    def close(self) -> None:
        """Close it, if it is open."""
        if self._socket is not None:
            del self._lines[self._socket.fileno()]
            self._socket.close()
        self._socket, self._data = None, b""

    def _send(self) -> None:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # What is sent fits into what the kernel takes; only answers are awaited.
            self._socket.settimeout(None)
            self._lines[self._socket.fileno()] = self
            self._ready.register(self._socket, select.EPOLLIN)
        self._socket.sendall(self._sent)

    def _again(self) -> tuple[int, bytes, float] | None:
        self.close()
        self._tries += 1
        if self._tries == _TRIES:
            return 0, b"no answer", 0.0
        self._send()
        return None
