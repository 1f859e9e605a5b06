"""On whom the web worker gives up while its threads go on."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from unittest.mock import Mock

import pytest
from gunicorn.config import Config

from sreportal.web_worker import WholeRequestWorker, _Connection


class Overtaken(WholeRequestWorker):
    """A worker of whose connections one is answered by a thread while the main thread refuses another."""

    def __init__(self) -> None:
        self.alive = True
        self._open: dict[int, _Connection] = {}
        self._awaited: set[_Connection] = set()
        self._events = select.epoll()
        self.answered: _Connection | None = None

    def wait_for(self, line: socket.socket, *, until: float) -> _Connection:
        """Wait for what comes on a connection, no longer than that."""
        conn = _Connection(Config(), line, ("127.0.0.1", 1), None)
        conn.give_up_at = until
        self._open[conn.number] = conn
        self._awaited.add(conn)
        self._events.register(conn.number, select.EPOLLIN | select.EPOLLONESHOT)
        return conn

    def _refuse(self, conn: _Connection, status: bytes) -> None:
        super()._refuse(conn, status)
        if self.answered is not None:
            self.answered.give_up_at = time.monotonic() + 60


@pytest.fixture
def lines() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Two connections, of each the client's end and the worker's."""
    with ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(2)]
        for pair in pairs:
            for line in pair:
                stack.enter_context(line)
        yield pairs


def test_who_was_answered_meanwhile_is_waited_for_anew(
    lines: list[tuple[socket.socket, socket.socket]],
) -> None:
    worker, now = Overtaken(), time.monotonic()
    (idle, idle_line), (client, line) = lines
    worker.wait_for(idle_line, until=now - 2)
    worker.answered = worker.wait_for(line, until=now - 1)
    worker._give_up(now)
    assert idle.recv(1) == b"", "nothing came, and its time is over"
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(1)
    client.sendall(b"GET / HTTP/1.1\r\n")
    assert worker._events.poll(timeout=1, maxevents=1) == [(worker.answered.number, select.EPOLLIN)]
    worker._drop(worker.answered)
    worker._events.close()


def test_operators_read_that_threads_are_too_few(
    lines: list[tuple[socket.socket, socket.socket]],
) -> None:
    """Whoever finds none in time is told to come again, and the log says so."""
    worker, now = Overtaken(), time.monotonic()
    worker.log, worker.request_s = Mock(), 5.0
    client, line = lines[0]
    client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    conn = worker.wait_for(line, until=now)
    worker._give_up(now)
    worker.log.warning.assert_not_called()
    assert conn.give_up_at == now + worker.request_s
    worker._give_up(now + worker.request_s)
    worker.log.warning.assert_called_once()
    assert client.recv(100).startswith(b"HTTP/1.1 503 ")
    worker._drop(conn)
    worker._events.close()
