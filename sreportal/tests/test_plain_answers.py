"""Plain posts on real sockets: answered like all others, and beside them on one connection."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sreportal.tests.own_worker import serving_own
from sreportal.tests.running_portal import wait_until
from sreportal.tests.test_web_worker import ask, began, heard

MOST = 5
APPLICATION = """
    import io, os

    def application(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/plain/fails":
            raise RuntimeError
        if path == "/plain/says-nothing":
            return []
        body = environ["wsgi.input"].read()
        said = [environ["REQUEST_METHOD"], environ["REMOTE_ADDR"], environ["SERVER_PORT"], ""]
        said = " ".join(said).encode()
        start_response("200 OK", [
            ("X-Pid", str(os.getpid())), ("X-Path", path), ("Content-Length", str(len(said + body)))
        ])
        return [said, body]

    class Posts:
        starts = ("/plain",)

        def __call__(self, environ, body):
            told = []
            environ["wsgi.input"] = io.BytesIO(body)
            answer = application(environ, lambda *said: told.extend(said))
            return *told, b"".join(answer)

    application.posts = Posts()
"""
PLAIN = "POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n123"
OTHER = PLAIN.replace("/plain", "/other")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A worker of two threads."""
    with serving(tmp_path_factory.mktemp("application")) as number:
        yield number


@contextmanager
def serving(folder: Path, *options: str, most: int = 0) -> Iterator[int]:
    """Serve the application by workers that are replaced after so many requests."""
    worker = ("--worker-class", "sreportal.web_worker.WholeRequestWorker", "--threads", "2")
    more = ("--log-level", "critical", "--max-requests", str(most), *options)
    with serving_own(folder, APPLICATION, *worker, *more, answers=_answers) as number:
        yield number


def _answers(port: int) -> bool:
    return ask(port, "/other")[0] == 200


@pytest.mark.parametrize("text", [PLAIN, OTHER])
def test_both_are_told_the_same(port: int, text: str) -> None:
    """Who asked, whom, and what."""
    with began(port, text) as connection:
        assert heard(connection, f"\r\n\r\nPOST 127.0.0.1 {port} 123".encode())


def test_a_plain_post_begins_where_another_ended(port: int) -> None:
    """They come in any order on one connection, together or cut anywhere."""
    both = PLAIN + OTHER
    for cut in (0, 10, len(PLAIN) - 1, len(PLAIN), len(PLAIN) + 1, len(both) - 1):
        with began(port, both[:cut]) as connection:
            connection.sendall(both[cut:].encode())
            connection.shutdown(socket.SHUT_WR)
            said = b"".join(iter(lambda: connection.recv(1000), b""))
            assert said.count(b"123") == 2
            assert said.index(b"X-Path: /plain") < said.index(b"X-Path: /other")


def test_a_process_that_has_answered_enough_says_so(tmp_path: Path) -> None:
    """The last answer closes the connection, and the next process takes over."""
    with serving(tmp_path, most=MOST) as number:
        client = http.client.HTTPConnection("127.0.0.1", number, timeout=10)
        first, answered = pid_of(client)
        while not answered.will_close:
            pid, answered = pid_of(client)
            assert pid == first
        wait_until(lambda: pid_of(client)[0] != first)
        client.close()


def pid_of(client: http.client.HTTPConnection) -> tuple[str, http.client.HTTPResponse]:
    """Return which process answers a plain post."""
    client.request("POST", "/plain", b"123")
    answer = client.getresponse()
    assert answer.read().endswith(b"123")
    return answer.headers["X-Pid"], answer


def test_where_accesses_are_logged_plain_posts_are_too(tmp_path: Path) -> None:
    """Wherever gunicorn is told to: they go the long way then."""
    log = tmp_path / "accesses"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(10)
        to_syslog = (
            "--log-syslog",
            "--log-syslog-to",
            f"udp://127.0.0.1:{syslog.getsockname()[1]}",
        )
        for number, options in enumerate((("--access-logfile", str(log)), to_syslog)):
            folder = tmp_path / str(number)
            folder.mkdir()
            with serving(folder, *options) as port:
                assert ask(port, "/plain", b"123")[0] == 200
        wait_until(lambda: "POST /plain" in log.read_text())
        while b"POST /plain" not in syslog.recv(4000):
            pass


@pytest.mark.parametrize("path", ["/plain/fails", "/plain/says-nothing", "/other"])
def test_an_application_that_fails_is_an_error(port: int, path: str) -> None:
    """An answer all the same, and the thread goes on."""
    text = PLAIN.replace("/plain", path)
    for _ in range(4):
        with began(port, text) as connection:
            status = connection.recv(1000).split(b"\r\n")[0]
            assert status.endswith(b"200 OK" if path == "/other" else b"500 Internal Server Error")
    assert ask(port, "/plain", b"123")[0] == 200


def test_who_is_gone_before_the_answer_harms_nobody(port: int) -> None:
    """Its connection is dropped."""
    for _ in range(4):
        with began(port, PLAIN) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    with began(port, PLAIN) as connection:
        assert heard(connection, b"123")
