"""Gunicorn's threads, given to requests that have arrived, and never to senders who may yet stall.

Gunicorn's own worker lets a thread wait for the rest of a request, and its main thread for whoever
was answered to go away. As many senders as there are threads who stop halfway, by ill will or
because their network went down, are then the end of service for everybody. Here the loop that waits
for connections anyway also waits for requests, and for the ends of connections.
"""

import re
import selectors
import socket
import struct
import time
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

__all__ = ["WholeRequestWorker"]

AHEAD = 64 * 1024
"""Bytes of a request that are awaited; a longer one takes a thread with that much of it there."""

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
# No length to wait for, or a client that itself waits to be asked for its body.
_UNAWAITED = re.compile(rb"\r\n(transfer-encoding|expect):", re.IGNORECASE)
_TOO_LATE = b"408 Request Timeout"
_CUT_SHORT = b"400 Bad Request"
_LOOK_EVERY_S = 0.5
_DRAIN_S = 0.1


def is_whole(received: bytes) -> bool:
    """Whether a request has arrived, or as much of it as is awaited."""
    end = received.find(_END_OF_HEAD)
    if end < 0:
        return len(received) >= AHEAD
    head = received[: end + 2]
    if _UNAWAITED.search(head):
        return True
    length = _LENGTH.search(head)
    body = int(length[1]) if length else 0
    return len(received) >= min(end + len(_END_OF_HEAD) + body, AHEAD)


class _Connection(TConn):
    """A connection whose end is awaited aside.

    Attributes:
        give_up_at: Until when the loop waits for it (monotonic seconds).
        has_begun: Whether some of a request has arrived that is not answered yet.
    """

    def __init__(self, worker: "WholeRequestWorker", *arguments: Any) -> None:
        super().__init__(*arguments)
        self.worker = worker
        self.give_up_at = 0.0
        self.has_begun = False

    def close(self, graceful: bool = False) -> None:
        """Close at once, or where the last answer may still be on its way, when it has got there."""
        if graceful:
            self.worker.linger(self)
        else:
            super().close()


def _due(connections: set[_Connection], now: float) -> set[_Connection]:
    """Take out of these whoever was waited for long enough."""
    due = {conn for conn in connections if conn.give_up_at <= now}
    connections -= due
    return due


class WholeRequestWorker(ThreadWorker):
    """Serves requests on threads, each from when it has arrived.

    Attributes:
        request_s: How long a request may take to arrive, up to `AHEAD` bytes of it.
        silence_s: How long a thread waits for the next piece of a larger one, or for the next piece
            of an answer to be taken.
        whole_s: How long a thread goes on reading a larger one, however steadily it comes.
        linger_s: How long what a sender goes on to send after its answer is thrown away.
    """

    request_s = 30.0
    silence_s = 10
    whole_s = 120.0
    linger_s = 10.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._awaited: set[_Connection] = set()
        self._served: set[_Connection] = set()
        self._lingering: set[_Connection] = set()
        self._next_look = 0.0
        self._rubbish = bytearray(1024 * 1024)

    def accept(self, listener: Any) -> None:
        """Take a new connection."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        patience = struct.pack("ll", int(self.silence_s), 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        self.nr_conns += 1
        conn = _Connection(self, self.cfg, client, address, listener.getsockname())
        self.enqueue_req(conn)

    def enqueue_req(self, conn: _Connection) -> None:
        """Read what has arrived, without waiting; a whole request gets a thread."""
        if self.cfg.is_ssl:
            super().enqueue_req(conn)
            return
        conn.init()
        received = conn.parser.unreader.take_buffered()
        try:
            piece = conn.sock.recv(AHEAD, socket.MSG_DONTWAIT)
            has_ended = not piece
        except BlockingIOError:
            piece, has_ended = b"", False
        except OSError:
            self._drop(conn)
            return
        received += piece
        conn.parser.unreader.unread(received)
        if is_whole(received):
            self._serve(conn)
        elif has_ended:
            self._refuse(conn, _CUT_SHORT if received else b"")
        else:
            self._await_more(conn, has_begun=bool(received))

    def _serve(self, conn: _Connection) -> None:
        conn.has_begun = False
        conn.give_up_at = time.monotonic() + self.whole_s
        self._served.add(conn)
        super().enqueue_req(conn)

    def finish_request(self, conn: _Connection, fs: Any) -> None:
        """Keep the connection, or close it."""
        self._served.discard(conn)
        super().finish_request(conn, fs)

    def _await_more(self, conn: _Connection, *, has_begun: bool) -> None:
        if not has_begun:
            conn.give_up_at = time.monotonic() + self.cfg.keepalive
        elif not conn.has_begun:
            conn.has_begun = True
            conn.give_up_at = time.monotonic() + self.request_s
        self._awaited.add(conn)
        self._watch(conn, self._more_arrived)

    def _more_arrived(self, conn: _Connection, client: socket.socket) -> None:
        self.poller.unregister(client)
        self._awaited.discard(conn)
        self.enqueue_req(conn)

    def _drop(self, conn: _Connection) -> None:
        self.nr_conns -= 1
        conn.close()

    def linger(self, conn: _Connection) -> None:
        """Say that nothing more is sent, and wait until the other side has closed too.

        To close before it has read the answer, with something of it still unread here, would throw
        the answer away.
        """
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            conn.close()
            return
        self.nr_conns += 1
        conn.give_up_at = time.monotonic() + self.linger_s
        self._lingering.add(conn)
        self._watch(conn, self._discard)
        self._discard(conn, conn.sock)

    def _discard(self, conn: _Connection, client: socket.socket) -> None:
        try:
            is_over = not client.recv_into(self._rubbish, 0, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            is_over = True
        if is_over:
            self.poller.unregister(client)
            self._lingering.discard(conn)
            self._drop(conn)

    def _watch(self, conn: _Connection, act: Any) -> None:
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(act, conn))

    def murder_pending(self) -> None:
        """Give up on whoever was waited for long enough."""
        super().murder_pending()
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_EVERY_S
        for conn in _due(self._awaited, now):
            self.poller.unregister(conn.sock)
            self._refuse(conn, _TOO_LATE if conn.has_begun else b"")
        for conn in _due(self._lingering, now):
            self.poller.unregister(conn.sock)
            self._drop(conn)
        for conn in _due(self._served, now):
            # The thread finds the end of what it reads; what it writes is not touched.
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RD)

    def _refuse(self, conn: _Connection, status: bytes) -> None:
        """Close a connection of which nothing more is expected, with an answer if anything came."""
        self.nr_conns -= 1
        answer = b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status
        try:
            if status:
                conn.sock.send(answer, socket.MSG_DONTWAIT)
        except OSError:
            conn.close()
        else:
            conn.close(graceful=bool(status))

    def _cap_keepalive(self, deadline: float) -> None:
        """Wait no longer than this for anybody who is not being served: the worker stops."""
        super()._cap_keepalive(deadline)
        for conn in self._awaited | self._lingering:
            conn.give_up_at = min(conn.give_up_at, deadline)

    def _keepalive_after(self, conn: _Connection, keepalive: bool) -> bool:
        """Whether the connection can be used again: nothing of the request is left on it.

        What its sender is still sending is thrown away by the loop.
        """
        if not keepalive:
            return False
        return bool(conn.parser.finish_body(deadline=time.monotonic() + _DRAIN_S))
