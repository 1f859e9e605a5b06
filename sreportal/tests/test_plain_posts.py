"""Posts read in short, beside what gunicorn reads: the same, or left to it."""

import io
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import create
from hypothesis import example, given
from hypothesis import strategies as st

from sreportal import gunicorn_conf
from sreportal.plain_posts import answer, read

PEER, SERVER = ("192.0.2.7", 4711), ("127.0.0.1", 8000)
# What a connection knows, and what nobody here reads.
OF_CONNECTION = {
    "REMOTE_ADDR", "REMOTE_PORT", "REQUEST_METHOD", "SCRIPT_NAME", "SERVER_NAME", "SERVER_PORT",
    "SERVER_PROTOCOL", "SERVER_SOFTWARE", "gunicorn.socket", "wsgi.early_hints", "wsgi.errors",
    "wsgi.file_wrapper", "wsgi.input", "wsgi.input_terminated", "wsgi.multiprocess",
    "wsgi.multithread", "wsgi.run_once", "wsgi.version",
}  # fmt: skip
PLAIN = (
    b"POST /v2/enqueue?a=%20b&c HTTP/1.1\r\nHost: portal.example.org\r\nUser-Agent: Alertmanager/0.28\r\n"
    b"Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
)
NAMES = st.sampled_from([
    "Accept-Encoding", "Authorization", "Connection", "connection", "Content-Encoding", "Content-Length",
    "content-type", "Expect", "Host", "Keep-Alive", "Referer", "Transfer-Encoding", "TE", "Upgrade",
    "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Ssl", "X_Forwarded_Proto",
    "Script_Name", "Script-Name", "Proxy", "X-Request-ID", "Content_Length", "Cookie", "X ", " X", "",
])  # fmt: skip
VALUES = st.sampled_from([
    "", " ", "0", "2", "02", "+2", "2, 2", "²", "chunked", "close", "keep-alive", "Keep-Alive", "upgrade",
    "100-continue", "https", "http", "on", "ssl", "gzip", "a\tb", "a\x00", "a\nb", "a\rb", "\x7f", "ü",
    "portal.example.org", "Key a-b-c", "x" * 500,
])  # fmt: skip
PATHS = st.one_of(
    st.sampled_from(
        ["/v2/enqueue", "/v2/../x", "/v2/a%2Fb", "/v2/#a", "//v2", "*", "/v2/a b", "/v2/~.-_"]
    ),
    st.text(alphabet="/av2?#%&=+;\"<>'{}", max_size=12).map("/v2/".__add__),
)
SPACES = st.sampled_from(["", " ", "\t", "  "])
BODIES = st.binary(max_size=6)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Requests that are nearly as a program would send them."""
    path = draw(PATHS)
    version = draw(st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0"]))
    body, rest = draw(st.tuples(BODIES, BODIES))
    headers = [("Host", "portal"), ("Content-Length", str(len(body)))]
    headers += draw(st.lists(st.tuples(NAMES, VALUES), max_size=3))
    headers = draw(st.permutations(headers))
    lines = [f"{name}:{draw(SPACES)}{value}{draw(SPACES)}\r\n" for name, value in headers]
    head = f"POST {path} {version}\r\n{''.join(lines)}\r\n"
    sent: bytes = head.encode("latin-1") + body + rest
    return sent


def by_gunicorn(received: bytes, trusts: str = "") -> tuple[dict[str, Any], bytes, bool]:
    """Return what gunicorn reads: environ, body and whether the connection closes."""
    config = Config()
    config.set("forwarded_allow_ips", trusts)
    request = next(RequestParser(config, iter([received]), PEER))
    _, environ = create(request, None, PEER, SERVER, config)
    body: bytes = environ["wsgi.input"].read()
    return environ, body, request.should_close()


def agree(received: bytes, *, trusts: bool) -> None:
    """Assert that a request is left to gunicorn, or read as it does."""
    found = read(received, trusts_scheme=trusts)
    if found is None:
        return
    environ, body, closes = by_gunicorn(received, "*" if trusts else "")
    assert found.environ == {k: v for k, v in environ.items() if k not in OF_CONNECTION}
    assert found.body == body
    assert received[: found.size].endswith(b"\r\n\r\n" + body)
    assert not closes


def test_a_plain_post_is_read() -> None:
    """It is not left to gunicorn, and what follows it is not its."""
    found = read(PLAIN + b"POST", trusts_scheme=False)
    assert found is not None
    assert (found.body, found.size) == (b"{}", len(PLAIN))
    assert found.environ["PATH_INFO"] == "/v2/enqueue"
    assert found.environ["QUERY_STRING"] == "a=%20b&c"
    agree(PLAIN, trusts=False)


@given(requests(), st.booleans())
@example(PLAIN.replace(b"Host", b"X-Forwarded-Proto: https\r\nHost"), True)
def test_it_reads_as_gunicorn_does_or_not_at_all(received: bytes, trusts: bool) -> None:
    """Two readers of one request who differ are how requests are smuggled."""
    agree(received, trusts=trusts)


@given(st.data())
def test_no_byte_makes_the_two_differ(data: st.DataObject) -> None:
    """Any bytes put anywhere into a plain post."""
    at = data.draw(st.integers(0, len(PLAIN)))
    until = data.draw(st.integers(at, min(len(PLAIN), at + 3)))
    agree(PLAIN[:at] + data.draw(BODIES) + PLAIN[until:], trusts=data.draw(st.booleans()))


@pytest.mark.parametrize(
    "changed",
    [
        PLAIN[:-1],
        PLAIN.replace(b"POST", b"PUT"),
        PLAIN.replace(b"/1.1", b"/1.0"),
        PLAIN.replace(b"enqueue", b"a%2fb"),
        PLAIN.replace(b"Length: 2", b"Length: +2"),
        PLAIN.replace(b"Length: 2", b"Length: 2\r\nContent-Length: 2"),
        PLAIN.replace(b"Length: 2", b"Length: 2\r\nTransfer-Encoding: chunked"),
        PLAIN.replace(b"Length: 2", b"Length: 2\r\nExpect: 100-continue"),
        PLAIN.replace(b"Length: 2", b"Length: 2\r\nConnection: close"),
        PLAIN.replace(b"Length: 2", b"Length: 2\r\nX-Forwarded-Proto: https"),
        PLAIN.replace(b"Length: 2", b"Length: 2\r\nX_Real: a"),
        PLAIN.replace(b"Length: 2", b"Length: 2\r\n folded"),
        PLAIN.replace(b"Host: portal.example.org\r\n", b""),
        PLAIN.replace(b"Alertmanager", b"A" * 5000),
        PLAIN.replace(b"\r\n", b"\n"),
        PLAIN.replace(b"Host", b"".join(b"X-%d: a\r\n" % each for each in range(100)) + b"Host"),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left(changed: bytes) -> None:
    """Whatever has to be judged, or is not there to its end."""
    assert read(changed, trusts_scheme=False) is None


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Ssl: on", "X-Forwarded-Protocol: ssl", "X-Forwarded-Proto: ssh"]
)
def test_other_words_of_a_trusted_proxy_are_left(header: str) -> None:
    """Gunicorn weighs them against each other."""
    changed = PLAIN.replace(b"Host", header.encode() + b"\r\nHost")
    assert read(changed, trusts_scheme=True) is None


def test_the_scheme_of_a_trusted_proxy_is_taken() -> None:
    """Behind a proxy that ends TLS, all come so."""
    found = read(PLAIN.replace(b"Host", b"X-Forwarded-Proto: https\r\nHost"), trusts_scheme=True)
    assert found is not None
    assert found.environ["wsgi.url_scheme"] == "https"


class _Sink:
    """A socket that keeps what is sent."""

    def __init__(self) -> None:
        self.sent = io.BytesIO()

    def sendall(self, data: bytes) -> None:
        self.sent.write(data)


ANSWERS: list[tuple[str, list[tuple[str, str]], bytes]] = [
    ("202 Accepted", [("Content-Type", "application/json"), ("Content-Length", "2")], b"{}"),
    ("204 No Content", [("Content-Length", "0"), ("Vary", "Cookie")], b""),
    ("304 Not Modified", [("ETag", '"a"')], b""),
    ("400 Bad Request", [("Content-Length", "0")], b""),
    ("429 Too Many", [("Retry-After", "5"), ("Server", "x"), ("Content-Length", "1")], b"a"),
    ("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Length", "1")], b"\xff"),
]


@pytest.mark.parametrize(("status", "headers", "body"), ANSWERS)
@pytest.mark.parametrize("is_kept", [True, False])
def test_answers_are_those_of_gunicorn(
    status: str, headers: list[tuple[str, str]], body: bytes, is_kept: bool
) -> None:
    """Line by line, but for their order and the date."""
    config, sink = Config(), _Sink()
    request = next(RequestParser(config, iter([PLAIN]), PEER))
    response, _ = create(request, sink, PEER, SERVER, config)
    if not is_kept:
        response.force_close()
    response.start_response(status, headers)
    response.write(body)
    response.close()
    own = answer(status, headers, body, server="gunicorn", is_kept=is_kept)
    assert _lines(own) == _lines(sink.sent.getvalue())


def _lines(sent: bytes) -> tuple[bytes, set[bytes], int, bytes]:
    head, _, body = sent.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert any(line.startswith(b"Date: ") for line in lines)
    told = {line for line in lines if not line.startswith(b"Date: ")}
    return first, told, len(lines), body


def test_nobody_moves_the_portal_below_a_prefix_by_a_header() -> None:
    """A proxy passes on what clients send, and links would lead where they say."""
    config = Config()
    config.set("forwarded_allow_ips", "*")
    config.set("forwarder_headers", gunicorn_conf.forwarder_headers)
    moved = PLAIN.replace(b"Host", b"SCRIPT_NAME: /v2\r\nHost")
    _, environ = create(
        next(RequestParser(config, iter([moved]), PEER)), None, PEER, SERVER, config
    )
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", "/v2/enqueue")
