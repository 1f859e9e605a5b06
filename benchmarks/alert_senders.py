"""Senders of alerts for the benchmarks: prepared requests over connections that stay open.

They are as cheap as Python can be, since what they use is missing to the side that is measured.
"""

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Round", "request", "send"]

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
    lines = {"Host": "127.0.0.1", "Content-Type": "application/json", **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def send(
    port: int, make: Make, *, connections: int, seconds: float, first: int, wanted: tuple[int, ...]
) -> Round:
    """Send for some seconds over several connections, each waiting for its answer.

    Args:
        port: On loopback.
        make: Makes the request of a number; numbers never come twice.
        connections: How many send at once.
        seconds: For how long, each at least once.
        first: The first number.
        wanted: Statuses that count.
    """
    took: list[list[float]] = [[] for _ in range(connections)]
    refused: list[str] = []
    failures = [0] * connections
    began = time.perf_counter()
    end = began + seconds

    def one(number: int) -> None:
        turn = first + number
        line = _Line(port)
        while turn == first + number or time.perf_counter() < end:
            sent = time.perf_counter()
            status, text = line.ask(make(turn))
            turn += connections
            if status in wanted:
                took[number].append(time.perf_counter() - sent)
                continue
            failures[number] += 1
            if len(refused) < 3:
                refused.append(f"{status} {text[:300]}")
        line.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    all_ = sorted(each for own in took for each in own)
    return Round(len(all_) / (time.perf_counter() - began), all_, refused, sum(failures))


class _Line:
    """A connection that is opened again when the other side has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._left = b""

    def ask(self, message: bytes) -> tuple[int, str]:
        for _ in range(3):
            try:
                return self._ask(message)
            except OSError:
                self.close()
        return 0, "no answer"

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._left = None, b""

    def _ask(self, message: bytes) -> tuple[int, str]:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(message)
        data = self._left
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        head = data[:end].lower()
        begins = head.find(b"content-length:")
        length = int(head[begins + 15 :].split(b"\r\n", 1)[0]) if begins >= 0 else 0
        while len(data) < end + 4 + length:
            data += self._more()
        self._left = data[end + 4 + length :]
        if b"connection: close" in head:
            self.close()
        return int(head[9:12]), data[end + 4 : end + 4 + length].decode("utf-8", "replace")

    def _more(self) -> bytes:
        assert self._socket is not None
        if not (data := self._socket.recv(65536)):
            raise ConnectionError("closed")
        return data
