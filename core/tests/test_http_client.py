"""Requests that leave the portal, against real sockets on loopback."""

import socket
import ssl
import threading
import time

import pytest

from core import http_client
from core.http_client import (
    AnswerTooLarge,
    BadAnswer,
    Deadline,
    NotResolved,
    OutboundError,
    Refused,
    Response,
    TimedOut,
    Unreachable,
    check_address,
)
from core.tests.outside import outside, plain


@pytest.fixture(autouse=True)
def _loopback_is_open(settings) -> None:
    settings.EMBEDDED = True
    settings.OUTBOUND_ALLOW = []
    settings.OUTBOUND_PORTS = []


def ask(url: str, *, seconds: float = 5, **options) -> Response:
    """Ask as a probe would."""
    return http_client.request(url, feature="probe", deadline=Deadline(seconds), **options)


def names(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name resolve to these addresses; returns the list of names asked for."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return list(addresses)

    monkeypatch.setattr(http_client, "resolve", resolve)
    return asked


def test_answer_is_returned_whatever_its_status() -> None:
    """A 503 is an answer: status, headers and body come back, nothing is raised."""
    with outside(plain(b"busy", status="503 Busy", headers="Retry-After: 5\r\n")) as server:
        answer = ask(f"{server.url}/health?full=1")
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (503, b"busy", "5")
    assert server.requests[0].startswith(b"GET /health?full=1 HTTP/1.1")
    assert answer.elapsed_ms > 0


def test_name_is_resolved_once_and_kept_as_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to the judged address while the Host header stays the name."""
    asked = names(monkeypatch, "127.0.0.1")
    with outside(plain()) as server:
        ask(f"http://service.example:{server.port}/")
    assert asked == ["service.example"]
    assert f"Host: service.example:{server.port}".encode() in server.requests[0]


@pytest.mark.parametrize("denied", ["10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fc00::1"])
def test_one_denied_answer_refuses_all(monkeypatch: pytest.MonkeyPatch, denied: str) -> None:
    """A name that leads to one allowed and one denied address is not asked at all."""
    with outside(plain()) as server:
        names(monkeypatch, "127.0.0.1", denied)
        with pytest.raises(Refused) as refused:
            ask(f"http://service.example:{server.port}/")
    assert refused.value.ours
    assert server.requests == []


def test_refusal_says_how_an_admin_opens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the setting with the feature."""
    names(monkeypatch, "10.0.0.1")
    with pytest.raises(Refused, match="OUTBOUND_ALLOW=probe="):
        ask("http://service.example/")


def test_grant_is_for_the_named_feature_only(settings) -> None:
    """What is opened to Prometheus stays closed to probes."""
    settings.EMBEDDED = False
    with outside(plain()) as server:
        settings.OUTBOUND_ALLOW = ["prometheus=127.0.0.0/8"]
        settings.OUTBOUND_PORTS = [server.port]
        with pytest.raises(Refused):
            ask(server.url)
        answer = http_client.request(server.url, feature="prometheus", deadline=Deadline(5))
    assert answer.status == 200


def test_production_closes_loopback(settings) -> None:
    """Without the embedded default this machine's own servers are out of reach."""
    settings.EMBEDDED = False
    with outside(plain()) as server, pytest.raises(Refused):
        ask(server.url)


@pytest.mark.parametrize("url", ["http://2130706433/", "http://0177.0.0.1/", "ftp://example.com/"])
def test_ambiguous_address_is_not_asked(url: str) -> None:
    """Strict reading comes before anything else."""
    with pytest.raises(Refused):
        ask(url)
    assert check_address(url, feature="probe")


def test_metadata_address_is_known_before_it_is_asked() -> None:
    """A form can refuse it on save."""
    assert "metadata" in check_address("http://169.254.169.254/latest/", feature="probe")
    assert check_address("http://example.com/", feature="probe") == ""


def test_redirect_is_not_followed() -> None:
    """A redirect is an answer like any other; where it leads is not asked."""
    with outside(plain()) as inner:
        moved = plain(b"", status="302 Found", headers=f"Location: {inner.url}/secret\r\n")
        with outside(moved) as server:
            answer = ask(server.url)
    assert answer.status == 302
    assert inner.requests == []


def test_proxy_and_netrc_of_the_environment_are_ignored(monkeypatch, tmp_path) -> None:
    """Neither HTTP_PROXY nor ~/.netrc changes where a request goes or what it carries."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login root password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with outside(plain(b"proxy")) as proxy, outside(plain(b"direct")) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert ask(server.url).body == b"direct"
    assert b"Authorization" not in server.requests[0]


def drip(head: bytes, step: bytes):
    """Answer with `head` and then a byte now and then, for ever."""

    def answer(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(head)
        pause = threading.Event()
        while not pause.wait(0.05):
            connection.sendall(step)

    return answer


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
    ],
    ids=["before the status", "in the headers", "in the body"],
)
def test_dripping_answer_ends_at_the_deadline(head: bytes) -> None:
    """The limit is for the whole, so bytes that keep coming do not lengthen it."""
    started = time.monotonic()
    with outside(drip(head, b"x")) as server, pytest.raises(TimedOut):
        ask(server.url, seconds=0.4)
    assert time.monotonic() - started < 2


def test_silent_server_ends_at_the_deadline() -> None:
    """A connection without an answer is a time-out."""
    silence = threading.Event()
    with outside(lambda *_: silence.wait(5)) as server, pytest.raises(TimedOut):  # type: ignore[arg-type]
        ask(server.url, seconds=0.3)
    silence.set()


def test_slow_resolver_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that does not answer is our trouble, and is waited for no longer than allowed."""
    done = threading.Event()
    monkeypatch.setattr(http_client, "resolve", lambda host, port: done.wait(5))
    with pytest.raises(NotResolved) as failed:
        ask("http://service.example/", seconds=0.3)
    done.set()
    assert failed.value.ours


def test_unknown_name_is_the_targets_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not exist is said, and is not the portal's fault."""

    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(http_client, "resolve", resolve)
    with pytest.raises(NotResolved, match="leads nowhere") as failed:
        ask("http://nowhere.invalid/")
    assert not failed.value.ours


def test_body_beyond_the_cap_is_refused() -> None:
    """64 KiB by default; the largest allowed is read whole."""
    with outside(plain(b"x" * http_client.BODY_CAP)) as server:
        assert len(ask(server.url).body) == http_client.BODY_CAP
    with outside(plain(b"x" * (http_client.BODY_CAP + 1))) as server, pytest.raises(AnswerTooLarge):
        ask(server.url)


def test_endless_body_stops_at_the_cap() -> None:
    """Without a length the reading stops as well, long before memory does."""

    def endless(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with outside(endless) as server:
        with pytest.raises(AnswerTooLarge):
            ask(server.url)
        assert len(ask(server.url, truncate=True).body) == http_client.BODY_CAP


def test_compressed_body_is_refused() -> None:
    """A bomb is not opened: no compression was asked for."""
    with (
        outside(plain(b"\x1f\x8b", headers="Content-Encoding: gzip\r\n")) as server,
        pytest.raises(BadAnswer),
    ):
        ask(server.url)
    assert b"Accept-Encoding: identity" in server.requests[0]


def test_what_is_not_http_is_said() -> None:
    """A server that speaks something else gives no usable answer."""
    with (
        outside(lambda connection, _: connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")) as server,
        pytest.raises(BadAnswer),
    ):
        ask(server.url)


def test_closed_port_is_unreachable() -> None:
    """Connection refused is the target's trouble, in words."""
    with outside(plain()) as server:
        url = server.url
    with pytest.raises(Unreachable, match="connection refused") as failed:
        ask(url)
    assert not failed.value.ours


def test_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with two addresses is reached by the second when the first does not answer."""
    names(monkeypatch, "127.0.0.2", "127.0.0.1")
    with outside(plain()) as server:
        assert ask(f"http://service.example:{server.port}/").status == 200


def test_tls_asks_for_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is told the name, not the judged address, so it can show its certificate."""
    names(monkeypatch, "127.0.0.1")
    listener = socket.create_server(("127.0.0.1", 0))
    seen: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def note(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int:
        seen.append(name)
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    context.sni_callback = note

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, pytest.raises(ssl.SSLError):
            context.wrap_socket(connection, server_side=True)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with pytest.raises(Unreachable, match="TLS"):
        ask(f"https://service.example:{listener.getsockname()[1]}/")
    thread.join(5)
    listener.close()
    assert seen == ["service.example"]


def test_what_never_left_is_told_from_what_may_have_been_understood() -> None:
    """A port that nobody listens on was told nothing."""
    with outside(plain()) as server:
        closed = server.url
    with pytest.raises(Unreachable) as refused:
        ask(closed)
    assert not refused.value.sent


def test_a_handshake_without_an_end_told_nothing() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with pytest.raises(TimedOut) as silent:
        ask(f"https://127.0.0.1:{listener.getsockname()[1]}/", seconds=0.3)
    listener.close()
    assert not silent.value.sent


@pytest.mark.parametrize("how", ["gone", "drips", "no HTTP", "too large"])
def test_what_was_asked_and_not_answered_may_have_been_understood(how: str) -> None:
    answers = {
        "gone": lambda connection, _request: connection.close(),
        "drips": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"),
        "no HTTP": lambda connection, _request: connection.sendall(b"SSH-2.0\r\n\r\n"),
        "too large": plain(b"x" * (http_client.BODY_CAP + 1)),
    }
    with outside(answers[how]) as server, pytest.raises(OutboundError) as failed:
        ask(server.url, seconds=0.4)
    assert failed.value.sent


def test_a_name_without_an_answer_is_looked_up_once_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many ask for it, others are still looked up: threads are few."""
    done = threading.Event()
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        if host == "sick.example":
            done.wait(5)
        return ["127.0.0.1"]

    monkeypatch.setattr(http_client, "resolve", resolve)
    for _ in range(50):
        with pytest.raises(NotResolved):
            http_client.resolve_within("sick.example", 80, Deadline(0.01))
    assert http_client.resolve_within("well.example", 80, Deadline(2)) == ["127.0.0.1"]
    done.set()
    assert asked == ["sick.example", "well.example"]
