"""Email against a real SMTP server that answers as each test tells it to, or does not."""

import socket
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Any

import pytest
from django.core import mail

from notifications.domain.kinds import Kind
from notifications.domain.messages import Message
from notifications.transports import TransportFailed, transport_for
from notifications.transports.base import Recipient
from tests.servers import free_port

LIMIT_S = 0.6
MESSAGE = Message(key="a" * 64, subject="Shop is down", text="L1 is called.")
Script = dict[str, str]
# Instead of a reply: nothing, one byte now and then, or the end of the connection.
SILENCE, DRIPS, GOODBYE = "silence", "drips", "goodbye"
WELL: Script = {
    "": "220 ready",
    "EHLO": "250 here",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go ahead",
    ".": "250 taken",
    "RSET": "250 ok",
    "QUIT": "221 bye",
}


class MailServer:
    """One mail server; `script` says what it replies to each command, `taken` what it took."""

    def __init__(self) -> None:
        self.script: Script = dict(WELL)
        self.taken: list[str] = []
        self._is_over = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        Thread(target=self._serve, daemon=True).start()

    def end(self) -> None:
        """Let go of every connection."""
        self._is_over.set()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            try:
                self._say(connection, "")
                while line := lines.readline().decode().strip():
                    verb = line.split()[0].upper()
                    if self._say(connection, verb).startswith("354"):
                        self.taken.append(self._content(lines))
                        self._say(connection, ".")
            except OSError:
                pass

    def _content(self, lines: Any) -> str:
        return "".join(iter(lambda: lines.readline().decode(), ".\r\n"))

    def _say(self, connection: socket.socket, verb: str) -> str:
        reply = self.script.get(verb, "502 what?")
        if reply == GOODBYE:
            raise ConnectionResetError
        if reply == SILENCE:
            self._is_over.wait()
        while reply == DRIPS and not self._is_over.wait(LIMIT_S / 20):
            connection.sendall(b"2")
        connection.sendall(f"{reply}\r\n".encode())
        return reply


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    """A mail server, and a portal that sends by it."""
    one = MailServer()
    settings.EMAIL_BACKEND = "core.mail.TimedEmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "localhost", one.port
    settings.EMAIL_TIMEOUT = LIMIT_S
    yield one
    one.end()


def send() -> str:
    """Send the message by email."""
    return transport_for(Kind.EMAIL).send(MESSAGE, Recipient("ann@example.org"))


def failure(of: Callable[[], object] = send) -> TransportFailed:
    """Return how it fails, which it must."""
    with pytest.raises(TransportFailed) as caught:
        of()
    return caught.value


def test_what_is_sent_carries_its_key(server: MailServer) -> None:
    """A mail program knows a repeat by its Message-ID."""
    name = send()
    assert len(server.taken) == 1
    assert f"Message-ID: {name}" in server.taken[0]
    assert "L1 is called." in server.taken[0]


@pytest.mark.parametrize("how", [SILENCE, DRIPS])
@pytest.mark.parametrize("where", ["", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_slow_server_ends_with_the_time(server: MailServer, where: str, how: str) -> None:
    """The limit is for all of it; what never left is not in doubt, and may be tried again."""
    server.script[where] = how
    began = time.monotonic()
    error = failure()
    assert time.monotonic() - began < 3 * LIMIT_S
    assert not error.is_uncertain
    assert not error.is_final
    assert server.taken == []


@pytest.mark.parametrize("how", [SILENCE, DRIPS, GOODBYE])
def test_no_word_about_the_message_leaves_it_in_doubt(server: MailServer, how: str) -> None:
    """It may have arrived: who must be called at most once is not sent it again."""
    server.script["."] = how
    began = time.monotonic()
    error = failure()
    assert time.monotonic() - began < 3 * LIMIT_S
    assert error.is_uncertain
    assert len(server.taken) == 1


@pytest.mark.parametrize("how", [SILENCE, DRIPS, GOODBYE, "500 no"])
def test_a_bad_goodbye_undoes_nothing(server: MailServer, how: str) -> None:
    """The server has taken the message, so it is sent."""
    server.script["QUIT"] = how
    assert send()
    assert len(server.taken) == 1


@pytest.mark.parametrize(
    ("where", "reply", "is_final"),
    [
        ("RCPT", "450 greylisted, come again", False),
        ("RCPT", "550 nobody of this name", True),
        ("MAIL", "451 later", False),
        ("MAIL", "550 not from there", True),
        ("DATA", "451 later", False),
        (".", "452 full", False),
        (".", "554 looks like spam", True),
        ("", "421 busy", False),
        ("", "554 not for you", True),
    ],
)
def test_only_what_is_refused_for_good_is_not_tried_again(
    server: MailServer, where: str, reply: str, is_final: bool
) -> None:
    """The first digit of a reply says whether another time may be better; its text stays out."""
    server.script[where] = reply
    error = failure()
    assert error.is_final is is_final
    assert not error.is_uncertain
    assert reply[:3] in str(error)
    assert reply[4:] not in str(error)


def test_nobody_listens(server: MailServer, settings: Any) -> None:
    """A server that is away may be back for the next try."""
    settings.EMAIL_PORT = free_port()
    error = failure()
    assert not error.is_final
    assert not error.is_uncertain


def test_other_mail_goes_the_same_way(server: MailServer) -> None:
    """Whatever Django sends has the limit, a new password for one."""
    server.script["EHLO"] = SILENCE
    began = time.monotonic()
    with pytest.raises(OSError):
        mail.send_mail("Subject", "Text", None, ["ann@example.org"])
    assert time.monotonic() - began < 3 * LIMIT_S
