"""Gunicorn's threads, given to requests that have arrived, and never to senders who may yet stall.

Gunicorn's own worker lets a thread wait for the rest of a request, and its main thread for whoever
was answered to go away. As many senders as there are threads who stop halfway, by ill will or
because their network went down, are then the end of service for everybody. Here all connections are
awaited together, by whichever threads have nothing to do: the one that something arrives for reads
it, and answers if it is a request; the next event wakes the next thread. The main thread accepts,
tells the arbiter that it lives, and gives up on whoever takes too long.
"""

import os
import re
import select
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import Any

from gunicorn import SERVER
from gunicorn.config import Config
from gunicorn.errors import ConfigError
from gunicorn.glogging import Logger
from gunicorn.http.errors import ParseException
from gunicorn.http.wsgi import base_environ
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from sreportal import plain_posts
from sreportal.plain_posts import Post

__all__ = ["WholeRequestWorker"]

AHEAD = 64 * 1024
"""Bytes of a request that are awaited; a longer one takes a thread with that much of it there."""

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
# No length to wait for, or a client that itself waits to be asked for its body.
_UNAWAITED = re.compile(rb"\r\n(transfer-encoding|expect):", re.IGNORECASE)
_TOO_LATE = b"408 Request Timeout"
_CUT_SHORT = b"400 Bad Request"
_BUSY = b"503 Service Unavailable\r\nRetry-After: 5"
_LOOK_EVERY_S = 0.5
_DRAIN_S = 0.1
# Of connections in hand, each lets a process wait so long before it takes another; more than a few count as a few.
_EACH_WAITS_S, _CROWD = 0.0003, 5
# An event goes to one thread, and none follows until the connection is awaited again.
_ONCE = select.EPOLLIN | select.EPOLLONESHOT


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


class _Line(socket.socket):
    """A socket that sends the head of an answer together with the beginning of its body."""

    _held = b""

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send, but keep a head until something follows it, or `flush`."""
        if not self._held and data[:5] == b"HTTP/" and data[-4:] == _END_OF_HEAD:
            self._held = data
            return
        if len(data) > AHEAD:
            self.flush()
        whole, self._held = (self._held + data if self._held else data), b""
        super().sendall(whole, flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file, after what was kept."""
        self.flush()
        return super().sendfile(file, offset, count)

    def flush(self) -> None:
        """Send what was kept."""
        if self._held:
            held, self._held = self._held, b""
            super().sendall(held)


def _of_posts(cfg: Config, client: Any, server: Any) -> dict[str, Any]:
    if not (isinstance(client, tuple) and isinstance(server, tuple)):
        return {}
    return {
        **base_environ(cfg),
        "wsgi.multithread": True,
        "REQUEST_METHOD": "POST",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SCRIPT_NAME": "",
        **dict(zip(("REMOTE_ADDR", "REMOTE_PORT"), map(str, client), strict=False)),
        **dict(zip(("SERVER_NAME", "SERVER_PORT"), map(str, server), strict=False)),
    }


class _Connection(TConn):
    """A connection, of which a request, the rest of one, or its end is awaited.

    Attributes:
        number: Of its file, which another one may have once this is closed.
        give_up_at: Until when (monotonic seconds).
        has_begun: Whether some of a request has arrived that is not answered yet.
        is_leaving: Whether it was answered for the last time, and its end is awaited.
        is_overdue: Whether it was kept longer once, because no thread had time for what has arrived.
        environ: What WSGI calls so, as far as it is the same for all plain posts; empty where those
            are left to gunicorn.
    """

    sock: _Line

    def __init__(self, cfg: Config, client: socket.socket, address: Any, server: Any) -> None:
        line = _Line(fileno=client.detach())
        super().__init__(cfg, line, address, server)
        self.number = line.fileno()
        self.give_up_at = 0.0
        self.has_begun = False
        self.is_leaving = False
        self.is_overdue = False
        self.environ = _of_posts(cfg, address, server)

    def has_unread(self) -> bool:
        """Whether something has arrived that no thread has read."""
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            return False


class WholeRequestWorker(ThreadWorker):
    """Serves requests on threads, each from when it has arrived.

    Attributes:
        request_s: How long a request may take to arrive, up to `AHEAD` bytes of it; and how long one
            that is there waits for a thread, beside what an idle connection is kept for.
        silence_s: How long a thread waits for the next piece of a larger one, or for the next piece
            of an answer to be taken.
        whole_s: How long a thread goes on reading a larger one, however steadily it comes.
        linger_s: How long what a sender goes on to send after its answer is thrown away.
    """

    alive: bool
    request_s = 30.0
    silence_s = 10
    whole_s = 120.0
    linger_s = 10.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._open: dict[int, _Connection] = {}
        # Whoever takes a connection out of here has it for itself.
        self._awaited: set[_Connection] = set()
        self._events: select.epoll
        self._next_look = 0.0
        # What plain posts begin with whose answers come in one piece.
        self._plain: tuple[bytes, ...] = ()
        self._trusts_scheme = "*" in self.cfg.forwarded_allow_ips

    @classmethod
    def check_config(cls, cfg: Config, log: Logger) -> None:  # noqa: ARG003 gunicorn's signature
        """Gunicorn's hook: refuse what is not served."""
        if cfg.is_ssl:
            raise ConfigError("TLS ends in a proxy in front of the portal, not in its web workers.")

    def run(self) -> None:
        """Gunicorn's hook: serve until told to stop, then what was begun."""
        self._events = select.epoll()
        if not (self.log.access_log_enabled or os.environ.get("SCRIPT_NAME")):
            starts = self.wsgi.posts.starts if getattr(self.wsgi, "posts", None) else ()
            self._plain = tuple(b"POST %b" % start.encode() for start in starts)
        for number in range(self.cfg.threads):
            threading.Thread(target=self._serve, name=f"web-{number}", daemon=True).start()
        self.poller.register(
            self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks
        )
        while self.alive:
            self.set_accept_enabled(len(self._open) < self.worker_connections)
            self._attend()
            if not self.is_parent_alive():
                break
        self.set_accept_enabled(False)
        end = time.monotonic() + self.cfg.graceful_timeout
        self._hurry(time.monotonic() + STOP_KEEPALIVE_LINGER)
        while self._open and time.monotonic() < end:
            self._attend()
        for listener in self.sockets:
            listener.close()

    def _attend(self) -> None:
        self.notify()
        self.wait_for_and_dispatch_events(timeout=1.0 if self.alive else 0.05)
        now = time.monotonic()
        if now >= self._next_look or not self.alive:
            self._next_look = now + _LOOK_EVERY_S
            self._give_up(now)

    def accept(self, listener: Any) -> None:
        """Take a new connection, the later the more there are: whichever process has fewer is first."""
        time.sleep(min(len(self._open), _CROWD) * _EACH_WAITS_S)
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        patience = struct.pack("ll", int(self.silence_s), 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        conn = _Connection(self.cfg, client, address, listener.getsockname())
        conn.init()
        conn.give_up_at = time.monotonic() + self.cfg.keepalive
        self._open[conn.number] = conn
        self._awaited.add(conn)
        self._events.register(conn.number, _ONCE)

    def _serve(self) -> None:
        while True:
            for number, _ in self._events.poll(maxevents=1):
                conn = self._open.get(number)
                if conn is None or not self._take(conn):
                    continue
                try:
                    self._go_on(conn)
                except BaseException:
                    self.log.exception("A connection failed.")
                    self._drop(conn)

    def _take(self, conn: _Connection) -> bool:
        """Take a connection for oneself; whether nobody else had."""
        try:
            self._awaited.remove(conn)
        except KeyError:
            return False
        return True

    def _await(self, conn: _Connection) -> None:
        if not self.alive:
            conn.give_up_at = min(conn.give_up_at, time.monotonic() + STOP_KEEPALIVE_LINGER)
        self._awaited.add(conn)
        # Unless the main thread gave up on it meanwhile.
        with suppress(OSError):
            self._events.modify(conn.number, _ONCE)

    def _go_on(self, conn: _Connection) -> None:
        """Do what can be done with what has arrived."""
        if conn.is_leaving:
            self._discard(conn)
            return
        received = conn.parser.unreader.take_buffered()
        try:
            piece = conn.sock.recv(AHEAD, socket.MSG_DONTWAIT)
            has_ended = not piece
        except BlockingIOError:
            piece, has_ended = b"", False
        except OSError:
            self._drop(conn)
            return
        left = self._answer_all(conn, received + piece)
        if left is None:
            self._linger(conn)
            return
        if has_ended:
            self._refuse(conn, _CUT_SHORT if left else b"")
            return
        if left:
            conn.parser.unreader.unread(left)
        self._set_limit(conn, has_begun=bool(left))
        self._await(conn)

    def _answer_all(self, conn: _Connection, received: bytes) -> bytes | None:
        """Answer requests that have arrived; returns what is left, None where the connection is not kept."""
        while received and is_whole(received):
            post = self._plain_post(received) if conn.environ else None
            if post is not None:
                received = received[post.size :]
                is_kept = self._answer_post(conn, post)
            else:
                conn.parser.unreader.unread(received)
                is_kept = self._answer(conn)
                received = conn.parser.unreader.take_buffered()
            if not is_kept:
                return None
        return received

    def _set_limit(self, conn: _Connection, *, has_begun: bool) -> None:
        if not has_begun:
            conn.give_up_at = time.monotonic() + self.cfg.keepalive
        elif not conn.has_begun:
            conn.give_up_at = time.monotonic() + self.request_s
        conn.has_begun = has_begun

    def _answer(self, conn: _Connection) -> bool:
        """Answer a request; whether the connection is kept."""
        self._begin(conn)
        is_kept = self.handle(conn)
        try:
            conn.sock.flush()
        except OSError:
            is_kept = False
        return bool(is_kept)

    def _begin(self, conn: _Connection) -> None:
        conn.has_begun = conn.is_overdue = False
        conn.give_up_at = time.monotonic() + self.whole_s

    def _plain_post(self, received: bytes) -> Post | None:
        if not received.startswith(self._plain):
            return None
        return plain_posts.read(received, trusts_scheme=self._trusts_scheme)

    def _answer_post(self, conn: _Connection, post: Post) -> bool:
        """Answer a plain post as `handle` would; whether the connection is kept."""
        self._begin(conn)
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
        is_kept = bool(self.alive and self.cfg.keepalive)
        try:
            status, headers, body = self.wsgi.posts({**conn.environ, **post.environ}, post.body)
            conn.sock.sendall(
                plain_posts.answer(status, headers, body, server=SERVER, is_kept=is_kept)
            )
            conn.sock.flush()
        except OSError:
            return False
        except Exception as error:  # noqa: BLE001 gunicorn's way of telling any of them
            self.handle_error(None, conn.sock, conn.client, error)
            return False
        return is_kept

    def _drop(self, conn: _Connection) -> None:
        # Its number may be another's already.
        if self._open.get(conn.number) is conn:
            del self._open[conn.number]
        conn.close()

    def _linger(self, conn: _Connection) -> None:
        """Say that nothing more is sent, and wait until the other side has closed too.

        To close before it has read the answer, with something of it still unread here, would throw
        the answer away.
        """
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
            return
        conn.is_leaving = True
        conn.give_up_at = time.monotonic() + self.linger_s
        self._discard(conn)

    def _discard(self, conn: _Connection) -> None:
        try:
            is_over = not conn.sock.recv(1024 * 1024, socket.MSG_DONTWAIT)
        except BlockingIOError:
            is_over = False
        except OSError:
            is_over = True
        if is_over:
            self._drop(conn)
        else:
            self._await(conn)

    def _give_up(self, now: float) -> None:
        """Give up on whoever was waited for long enough."""
        for conn in [each for each in list(self._open.values()) if each.give_up_at <= now]:
            if not self._take(conn):
                # The thread finds the end of what it reads; what it writes is not touched.
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)
            elif conn.give_up_at > now:
                # A thread was faster: it was answered since, and waits anew.
                self._await(conn)
            elif conn.is_leaving:
                self._drop(conn)
            elif conn.has_unread():
                self._keep_waiting(conn, now)
            else:
                self._refuse(conn, _TOO_LATE if conn.has_begun else b"")

    def _keep_waiting(self, conn: _Connection, now: float) -> None:
        """Wait once more until a thread has time for it; whoever waits too long is to come again.

        To close it, with its request unread, would break the connection: many senders take that for
        an answer, and come again only after one that asks them to.
        """
        if conn.is_overdue or not self.alive:
            self.log.warning("A request found no thread in time, and is told to come again.")
            self._refuse(conn, _BUSY)
            return
        conn.is_overdue = True
        conn.give_up_at = now + self.request_s
        self._await(conn)

    def _refuse(self, conn: _Connection, status: bytes) -> None:
        """Close a connection of which nothing more is expected, with an answer if anything came."""
        answer = b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status
        try:
            if status:
                conn.sock.send(answer, socket.MSG_DONTWAIT)
        except OSError:
            self._drop(conn)
            return
        if status:
            self._linger(conn)
        else:
            self._drop(conn)

    def _hurry(self, deadline: float) -> None:
        """Wait no longer than this for anybody who is not being served: the worker stops."""
        for conn in list(self._awaited):
            conn.give_up_at = min(conn.give_up_at, deadline)

    def handle_request(self, req: Any, conn: _Connection) -> bool:
        """Gunicorn's hook: answer a request, and say in the answer where the connection ends with it."""
        says_close: Callable[[], bool] = req.should_close
        is_read = cache(partial(self._is_read, conn))
        # Asked when the answer begins: whoever is told "keep-alive" may send the next alert into nothing.
        req.should_close = lambda: says_close() or not is_read()
        return bool(super().handle_request(req, conn))

    def _keepalive_after(self, conn: _Connection, keepalive: bool) -> bool:
        """Whether the connection can be used again: nothing of the request is left on it.

        What its sender is still sending is thrown away by whoever awaits its end.
        """
        return keepalive and self._is_read(conn)

    def _is_read(self, conn: _Connection) -> bool:
        """Read what is left of a request, if that is little; whether nothing is left."""
        try:
            return bool(conn.parser.finish_body(deadline=time.monotonic() + _DRAIN_S))
        except (OSError, ParseException):
            return False
