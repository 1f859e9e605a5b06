"""Apprise itself, against servers on loopback: whom it asks is ours to judge, however it is written."""

import json
import socket
import sys
import time
from datetime import timedelta
from typing import Any

import pytest
from apprise.manager_plugins import NotificationManager

from core import http_client
from core.http_client import Response
from core.tests.outside import Answer, outside, plain
from notifications.domain.kinds import PUSH_SERVICES, Kind
from notifications.domain.messages import Message
from notifications.transports import TransportFailed, transport_for
from notifications.transports.apprise import Push
from notifications.transports.base import Recipient

MESSAGE = Message(key="a" * 64, subject="Shop is down", text="L1 is called.")
ADDRESSES = [
    "gotify://localhost:{port}/token0123456789",
    "gotify://127.0.0.1:{port}/token0123456789",
    "gotify://0x7f000001:{port}/token0123456789",
    "GOTIFY://localhost:{port}/token0123456789",
    "ntfy://localhost:{port}/topic",
    "ntfy://localhost:{port}/topic?mode=private",
    "ntfy://user:secret@localhost:{port}/topic",
    "matrix://user:secret@localhost:{port}/#room",
    "matrix://user:secret@localhost:{port}/#room?mode=slack",
    "mmost://localhost:{port}/3ccdd113474722377935511fc85d3dd4",
    "rocket://user:secret@localhost:{port}/#room",
    "signal://localhost:{port}/+15551230001/+15551230002",
    "workflows://localhost:{port}/643a03ab/b2f1c0aa77?ssl=no",
    "zulip://botname@127.0.0.1/a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4/team?port={port}",
]


def send(address: str) -> None:
    """Send the message to an address."""
    transport_for(Kind.APPRISE).send(MESSAGE, Recipient(address))


@pytest.mark.parametrize("address", ADDRESSES)
def test_this_machine_is_not_asked_in_production(settings: Any, address: str) -> None:
    """Also where the host is a mere name, which everything beside the portal has in a container."""
    settings.EMBEDDED = False
    with outside(plain()) as server, pytest.raises(TransportFailed) as caught:
        send(address.format(port=server.port))
    assert server.requests == []
    assert not caught.value.is_uncertain
    assert "secret" not in str(caught.value)


def test_a_granted_server_takes_it(settings: Any) -> None:
    """The embedded portal may ask this machine, for local trials."""
    settings.EMBEDDED = True
    with outside(plain(b"{}")) as server:
        send(f"gotify://127.0.0.1:{server.port}/token0123456789")
    assert len(server.requests) == 1


def test_nobody_is_sent_on(settings: Any) -> None:
    """A server that may be asked cannot have another one asked."""
    settings.EMBEDDED = True
    with outside(plain()) as inside:
        moved = f"Location: {inside.url}/\r\n"
        with outside(plain(b"", status="307 Temporary Redirect", headers=moved)) as server:
            with pytest.raises(TransportFailed):
                send(f"gotify://127.0.0.1:{server.port}/token0123456789")
            assert len(server.requests) == 1
        assert inside.requests == []


def failure(answer: Answer, address: str = "gotify://127.0.0.1:{port}/token0123456789") -> Any:
    """Return how a server's answer fails, which it must."""
    with outside(answer) as server, pytest.raises(TransportFailed) as caught:
        send(address.format(port=server.port))
    return caught.value


def drips(head: bytes) -> Answer:
    """Return an answer that begins, and then has a byte now and then, for ever."""

    def answer(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(head)
        while True:
            time.sleep(0.05)
            connection.sendall(b"x")

    return answer


@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"],
    ids=["before the status", "in the headers", "in the body"],
)
@pytest.mark.parametrize(
    "address",
    ["gotify://127.0.0.1:{port}/token0123456789", "matrix://user:secret@127.0.0.1:{port}/#room"],
)
def test_a_server_that_drips_ends_with_the_time(
    settings: Any, monkeypatch: pytest.MonkeyPatch, address: str, head: bytes
) -> None:
    """The limit is for all that a service asks; what was asked may have been understood."""
    settings.EMBEDDED = True
    monkeypatch.setattr(Push, "deadline", timedelta(seconds=0.5))
    began = time.monotonic()
    error = failure(drips(head), address)
    assert time.monotonic() - began < 2.5
    assert error.is_uncertain
    assert not error.is_final


def test_a_name_without_an_answer_ends_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Push, "deadline", timedelta(seconds=0.3))
    monkeypatch.setattr(http_client, "resolve", lambda _host, _port: time.sleep(2))
    began = time.monotonic()
    with pytest.raises(TransportFailed, match="No answer where") as caught:
        send("gotify://sick.example/token0123456789")
    assert time.monotonic() - began < 1.5
    assert not caught.value.is_uncertain


def test_a_name_is_judged_by_the_address_that_is_asked(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server cannot show one address to whoever judges and another to whoever asks."""
    settings.EMBEDDED = False
    answers = [["93.184.215.14"], ["127.0.0.1"]]
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), 2) - 1]

    monkeypatch.setattr(http_client, "resolve", resolve)
    monkeypatch.setattr(Push, "deadline", timedelta(seconds=0.3))
    with outside(plain(b"{}")) as server, pytest.raises(TransportFailed):
        settings.OUTBOUND_PORTS = [server.port]
        send(f"gotify://two.example:{server.port}/token0123456789")
    assert asked == ["two.example"]
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "is_final", "is_uncertain"),
    [
        ("401 Unauthorized", True, False),
        ("404 Not Found", True, False),
        ("429 Too Many Requests", False, False),
        ("503 Service Unavailable", False, False),
        ("500 Internal Server Error", False, True),
        ("504 Gateway Timeout", False, True),
    ],
)
def test_what_a_no_means(settings: Any, status: str, is_final: bool, is_uncertain: bool) -> None:
    """Whoever refuses has not taken it; whose answer was lost may have."""
    settings.EMBEDDED = True
    error = failure(plain(b"{}", status=status, headers="Retry-After: 30\r\n"))
    assert status[:3] in str(error)
    assert (error.is_final, error.is_uncertain) == (is_final, is_uncertain)
    assert error.retry_after == timedelta(seconds=30)


def test_where_nobody_listens_nothing_arrived(settings: Any) -> None:
    settings.EMBEDDED = True
    with outside(plain()) as server:
        closed = server.port
    with pytest.raises(TransportFailed, match="connection refused") as caught:
        send(f"gotify://127.0.0.1:{closed}/token0123456789")
    assert not caught.value.is_uncertain
    assert not caught.value.is_final


class Service:
    """Answers yes instead of the network, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def request(self, url: str, **asked: Any) -> Response:
        self.asked.append({"url": url, **asked})
        return Response(200, {}, b'{"ok": true}', 1.0)

    @property
    def said(self) -> dict[str, Any]:
        """What the last request says."""
        return dict(json.loads(self.asked[-1]["content"]))


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    found = Service()
    monkeypatch.setattr(http_client, "request", found.request)
    return found


TELEGRAM = "tgram://123456789:AAHmZJ3xxxxxxxxxxxxxxxxxxxxxxxxxxxxx/12345/"
DISCORD = "discord://1234567890/abcdefghij_klmnop"


@pytest.mark.parametrize("address", [TELEGRAM, f"{TELEGRAM}?format=html"])
def test_telegram_is_told_words_and_no_tags(service: Service, address: str) -> None:
    """It refuses whatever looks like a tag that it does not know, and would show a sender's link."""
    link = "https://p/i/7/ack/WzE_a-b:1w_x/"
    message = Message("k", "P1 #7 a < 5 & <no value>", "<a href='https://evil'>x</a>", act_url=link)
    transport_for(Kind.APPRISE).send(message, Recipient(address))
    assert "a &lt; 5 &amp; &lt;no value&gt;" in service.said["text"]
    assert "<a href" not in service.said["text"]
    assert link in service.said["text"]


@pytest.mark.parametrize("word", ["@everyone", "@here", "@Channel", "@all", "<@&123>", "<@123>"])
def test_a_sender_cannot_call_everybody_of_a_channel(service: Service, word: str) -> None:
    message = Message("k", f"Shop {word}", f"Down {word}.")
    transport_for(Kind.APPRISE).send(message, Recipient(DISCORD))
    assert word not in service.said["content"]
    assert word.lstrip("<")[1:] in service.said["content"]


def test_addresses_of_mail_call_nobody_and_stay(service: Service) -> None:
    message = Message("k", "Disk full", "Ask ops@example.com, ops@all.example.com or @alice.")
    transport_for(Kind.APPRISE).send(message, Recipient(DISCORD))
    assert message.text in service.said["content"]


@pytest.mark.parametrize(
    "address",
    [
        DISCORD,
        "gchat://workspace/key/token",
        "wxteams://" + "a" * 80,
        "gotify://gotify.example.com/token0123456789",
        "ntfy://topic",
        TELEGRAM,
    ],
)
def test_links_stay_as_they_are(service: Service, address: str) -> None:
    link = "https://p/i/7/ack/WzE_a-b:1w_x*y*/"
    transport_for(Kind.APPRISE).send(Message("k", "P1 #7", act_url=link), Recipient(address))
    assert link in service.asked[-1]["content"].decode().replace("\\/", "/")


def test_options_of_an_address_neither_hide_a_failure_nor_repeat_it(settings: Any) -> None:
    settings.EMBEDDED = True
    with outside(plain(b"{}", status="500 Oh")) as server:
        with pytest.raises(TransportFailed):
            send(f"gotify://127.0.0.1:{server.port}/token0123456789?optional=yes&retry=3&wait=5")
        assert len(server.requests) == 1


@pytest.mark.parametrize(("option", "reads"), [("", True), ("?verify=no", False)])
def test_a_certificate_is_read_unless_the_address_says_otherwise(
    service: Service, option: str, reads: bool
) -> None:
    send(f"gotifys://gotify.example.com/token0123456789{option}")
    assert service.asked[-1]["verify"] is reads


def test_every_service_asks_by_the_portal() -> None:
    """None keeps a `requests` of its own, which would wait and look up as it likes."""
    from notifications.transports import apprise_requests  # noqa: PLC0415

    services = NotificationManager()
    services.load_modules()
    for scheme in PUSH_SERVICES:
        kind = services[scheme]
        apprise_requests.exchange(kind)
        modules = [vars(sys.modules[of.__module__]) for of in kind.__mro__]
        asking = [module["requests"] for module in modules if "requests" in module]
        assert asking, scheme
        assert set(map(type, asking)) == {apprise_requests._Requests}, scheme


def test_apprise_has_every_service_that_is_offered() -> None:
    """An address that is taken when it is entered is one that can be sent to."""
    services = NotificationManager()
    services.load_modules()
    assert sorted(set(PUSH_SERVICES) - set(services.schemas())) == []
