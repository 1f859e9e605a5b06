"""The web workers against senders who stall, trickle, go away or send too much, on real sockets."""

import http.client
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from sreportal.tests.own_worker import serving_own
from sreportal.tests.running_portal import wait_until

THREADS = 2
# What a test waits for must come long before the worker's own patience ends.
PATIENCE_S = 3.0
KEPT_S = 2
FILE_SIZE = 300_000
APPLICATION = f"""
    import io, os, time

    from sreportal import web_worker

    class Impatient(web_worker.WholeRequestWorker):
        request_s = {PATIENCE_S}
        linger_s = {PATIENCE_S}
        silence_s = {PATIENCE_S - 1}
        whole_s = {PATIENCE_S}

    def application(environ, start_response):
        path, stream = environ["PATH_INFO"], environ["wsgi.input"]
        if path == "/file":
            start_response("200 OK", [("Content-Length", str({FILE_SIZE}))])
            return environ["wsgi.file_wrapper"](open("file", "rb"))
        if path == "/pieces":
            start_response("200 OK", [])
            return iter([b"a" * 10, b"b" * 100_000, b"c"])
        if path == "/takes":
            time.sleep(float(environ["QUERY_STRING"]))
        if path == "/who":
            stream = io.BytesIO(os.getpid() * b"x")
        if path == "/nothing":
            start_response("204 No Content", [])
            return []
        if path == "/exits":
            raise SystemExit(3)
        if path == "/fails":
            raise RuntimeError
        try:
            answer = b"" if path == "/refuses" else str(len(stream.read())).encode()
        except OSError:
            path, answer = "/refuses", b"gave up"
        status = "413 Too Large" if path == "/refuses" else "200 OK"
        start_response(status, [("Content-Length", str(len(answer)))])
        return [answer]

    class Posts:
        starts = ("/",)

        def __call__(self, environ, body):
            told = []
            environ["wsgi.input"] = io.BytesIO(body)
            answer = application(environ, lambda *said: told.extend(said))
            return *told, b"".join(answer)

    application.posts = Posts()
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """One worker of two threads; its application reads bodies, or refuses them unread."""
    with serving(tmp_path_factory.mktemp("application"), workers=1) as number:
        yield number


@contextmanager
def serving(folder: Path, *, workers: int) -> Iterator[int]:
    """Serve the application until the end of the block, which it must reach in good order."""
    (folder / "file").write_bytes(FILE_SIZE * b"f")
    worker = ("--worker-class", "answering.Impatient", "--threads", str(THREADS))
    more = ("--workers", str(workers), "--log-level", "warning", "--keep-alive", str(KEPT_S))
    with serving_own(folder, APPLICATION, *worker, *more, answers=_answers) as number:
        yield number


def _answers(port: int) -> bool:
    return ask(port) == (200, b"0")


def ask(port: int, path: str = "/", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Send as a simple client does, all of it before it listens; return status and body."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request("POST" if body is not None else "GET", path, body, headers)
    answer = client.getresponse()
    said = answer.status, answer.read()
    client.close()
    return said


def began(port: int, text: str) -> socket.socket:
    """Return a connection that has sent the beginning of a request."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(text.encode())
    return connection


def heard(connection: socket.socket, ending: bytes) -> bool:
    """Read until what came ends so; False when nothing more comes."""
    said = b""
    while not said.endswith(ending):
        more = connection.recv(1000)
        if not more:
            return False
        said += more
    return True


BEGINNINGS = {
    "nothing": "",
    "half a head": "POST / HTTP/1.1\r\nHost: a",
    "no body": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n",
    "half a body": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + 50 * "x",
}


@pytest.mark.parametrize("text", BEGINNINGS.values(), ids=BEGINNINGS)
def test_stalled_senders_stop_nobody_else(port: int, text: str) -> None:
    """Many more than there are threads begin a request and fall silent; others are answered."""
    with ExitStack() as stack:
        stalled = [stack.enter_context(began(port, text)) for _ in range(10 * THREADS)]
        asked = time.monotonic()
        assert [ask(port) for _ in range(5)] == 5 * [(200, b"0")]
        assert time.monotonic() - asked < PATIENCE_S / 2
        # None is kept for ever either, and who began a request hears why.
        said = {connection.recv(100).split(b"\r\n")[0] for connection in stalled}
        assert said == ({b"HTTP/1.1 408 Request Timeout"} if text else {b""})


@pytest.mark.parametrize("text", BEGINNINGS.values(), ids=BEGINNINGS)
def test_half_a_request_is_none(port: int, text: str) -> None:
    """A sender who says that nothing more comes is not served what is half."""
    with began(port, text) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100).split(b"\r\n")[0] == (
            b"HTTP/1.1 400 Bad Request" if text else b""
        )


def test_a_stalled_large_or_chunked_body_ends(port: int) -> None:
    """What is too large to be awaited takes a thread, and loses it again when nothing comes."""
    large = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + 100_000 * "x"
    chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"
    with began(port, large) as one, began(port, chunked) as other:
        assert one.recv(100).startswith(b"HTTP/1.1 413")
        other.recv(100)
    assert ask(port) == (200, b"0")


def test_a_large_body_that_trickles_ends(port: int) -> None:
    """Nobody keeps a thread by sending a byte now and then."""
    large = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + 100_000 * "x"
    with began(port, large) as connection:
        end = time.monotonic() + 3 * PATIENCE_S
        while not select.select([connection], [], [], PATIENCE_S / 20)[0]:
            connection.sendall(b"x")
            assert time.monotonic() < end
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_pieces_come_together(port: int) -> None:
    """A request may arrive byte by byte, and its successor together with its end."""
    text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345"
    with began(port, text[:1]) as connection:
        for byte in text[1:]:
            connection.sendall(byte.encode())
        assert heard(connection, b"\r\n\r\n5")
        connection.sendall((text + text[:30]).encode())
        assert heard(connection, b"\r\n\r\n5")
        connection.sendall(text[30:].encode())
        assert heard(connection, b"\r\n\r\n5")


def test_one_connection_takes_many_requests(port: int) -> None:
    """A connection that is kept is used again, whatever was sent on it before."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for size in (0, 10, 70_000, 3_000_000, 10):
        client.request("POST", "/", b"x" * size)
        assert client.getresponse().read() == str(size).encode()
    client.close()


def test_who_waits_to_be_asked_for_the_body_is_asked(port: int) -> None:
    """Clients with a large body may wait for 100 Continue before they send it."""
    head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    with began(port, head) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"12345")
        assert heard(connection, b"\r\n\r\n5")


ANSWERS = {
    "/file": (200, FILE_SIZE * b"f"),
    "/pieces": (200, b"a" * 10 + b"b" * 100_000 + b"c"),
    "/nothing": (204, b""),
}


@pytest.mark.parametrize("path", ANSWERS)
def test_answers_of_all_kinds_come_whole_and_in_order(port: int, path: str) -> None:
    """Head and body of a file, of pieces, of nothing, one after the other on one connection."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for _ in range(3):
        client.request("GET", path)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == ANSWERS[path]
    client.close()


def test_what_ends_a_thread_of_others_ends_none_here(port: int) -> None:
    """An application that asks for the end of its process has its connection closed."""
    for _ in range(3 * THREADS):
        with began(port, "GET /exits HTTP/1.1\r\nHost: a\r\n\r\n") as connection:
            heard(connection, b"never")
    assert ask(port) == (200, b"0")


def met(port: int) -> list[int]:
    """Let eight senders come and stay; returns how many of them each process got, the most first."""
    with ExitStack() as stack:
        senders = [stack.enter_context(began(port, "")) for _ in range(8)]
        for sender in senders:
            sender.sendall(b"GET /who HTTP/1.1\r\nHost: a\r\n\r\n")
        said = Counter(sender.recv(100_000).rsplit(b"\r\n", 1)[-1] for sender in senders)
    return sorted(said.values(), reverse=True)


def test_workers_share_who_comes(tmp_path: Path) -> None:
    """Once both are there, hardly ever more than six of eight senders meet the same process."""
    with serving(tmp_path, workers=2) as number:
        wait_until(lambda: len(met(number)) == 2)
        most = sorted(met(number)[0] for _ in range(15))
    assert most[10] <= 6, most


def test_chunks_are_read(port: int) -> None:
    """A body without a length is read to its end."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request("POST", "/", iter([b"x" * 100_000] * 3), encode_chunked=True)
    assert client.getresponse().read() == b"300000"
    client.close()


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
@pytest.mark.parametrize("size", [1_000, 100_000, 12_000_000, 60_000_000])
def test_sender_of_too_much_hears_so(port: int, size: int, connection: str) -> None:
    """A body that nobody reads is taken off the line, so that a simple client gets to the answer."""
    answer = ask(port, "/refuses", b"x" * size, Connection=connection)
    assert answer == (413, b"")


@pytest.mark.parametrize("size", [1_000, 100_000, 12_000_000])
def test_who_sent_too_much_is_told_whether_to_go_on(port: int, size: int) -> None:
    """A client that sends again, on the same connection or as it was told a new one, is answered."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as client:
        for path, body, told in (("/refuses", b"x" * size, 413), ("/", b"", 200)):
            client.request("POST", path, body, {})
            answer = client.getresponse()
            assert answer.status == told
            answer.read()


def test_broken_chunks_that_nobody_reads_break_no_answer(port: int) -> None:
    """What cannot be read off the line ends the connection, after the answer."""
    sent = "POST /refuses HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    with began(port, sent) as connection:
        assert heard(connection, b"Connection: close\r\nContent-Length: 0\r\n\r\n")


def test_who_stays_on_after_its_answer_holds_nobody_up(port: int) -> None:
    """A client that asked for the connection to be closed and leaves it open is waited for aside."""
    asked = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with ExitStack() as stack:
        open_still = [stack.enter_context(began(port, asked)) for _ in range(5)]
        assert all(heard(connection, b"\r\n\r\n0") for connection in open_still)
        began_at = time.monotonic()
        assert ask(port) == (200, b"0")
        assert time.monotonic() - began_at < 1


@contextmanager
def busy(port: int, *, seconds: float) -> Iterator[None]:
    """Occupy all threads for so long."""
    asked = f"GET /takes?{seconds} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with ExitStack() as stack:
        working = [stack.enter_context(began(port, asked)) for _ in range(THREADS)]
        time.sleep(0.3)
        yield
        assert all(heard(connection, b"\r\n\r\n0") for connection in working)


def test_who_comes_while_all_threads_are_busy_is_answered_when_one_is_free(port: int) -> None:
    """However long that takes beside what an idle connection is kept for."""
    with busy(port, seconds=KEPT_S + 1.5):
        began_at = time.monotonic()
        assert ask(port, "/", b"an alert") == (200, b"8")
        assert time.monotonic() - began_at > KEPT_S


def test_who_would_wait_too_long_is_told_to_come_again(port: int) -> None:
    """Nothing of the request was read; it is a 503 that says so, never a broken connection."""
    with busy(port, seconds=KEPT_S + PATIENCE_S + 2):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        client.request("POST", "/", b"an alert")
        answer = client.getresponse()
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        client.close()
    assert ask(port, "/", b"an alert") == (200, b"8")
