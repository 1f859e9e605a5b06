"""Apprise itself, against servers on loopback: whom it asks is ours to judge, however it is written."""

from typing import Any

import pytest
from apprise.manager_plugins import NotificationManager

from core.tests.outside import outside, plain
from notifications.domain.kinds import PUSH_SERVICES, Kind
from notifications.domain.messages import Message
from notifications.transports import TransportFailed, transport_for
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


def test_apprise_has_every_service_that_is_offered() -> None:
    """An address that is taken when it is entered is one that can be sent to."""
    services = NotificationManager()
    services.load_modules()
    assert sorted(set(PUSH_SERVICES) - set(services.schemas())) == []
