"""Rules of handing one report over: what is tried again, what never is, and what is not told."""

import logging
import socket
import threading

import pytest

from sre.delivery import HttpDelivery, RefusedError, UndeliveredError
from sre.tests.reporting_portal import TOKEN, Portal, portal

__all__ = ["portal"]


def test_a_portal_below_a_path_is_addressed_there(portal: Portal) -> None:
    """A prefix in the URL stays in front."""
    delivery = HttpDelivery(portal.url + "/ops/", TOKEN)
    delivery.deliver(b'{"requests": []}', key="k", timeout_s=5)
    assert portal.attempts[0][1] == "/ops/api/v1/telemetry/requests"


def test_delivery_tells_later_from_never_and_passes_on_retry_after(portal: Portal) -> None:
    """503 with Retry-After: 7 is later, 422 is never."""
    delivery = HttpDelivery(portal.url, TOKEN)
    portal.answers = [503, 422]
    with pytest.raises(UndeliveredError) as later:
        delivery.deliver(b"{}", key="k", timeout_s=5)
    assert later.value.retry_after == 7
    with pytest.raises(RefusedError):
        delivery.deliver(b"{}", key="k", timeout_s=5)


def test_no_time_left_is_a_failure_for_later(portal: Portal) -> None:
    """A deadline in the past connects to nobody."""
    with pytest.raises(UndeliveredError, match="deadline"):
        HttpDelivery(portal.url, TOKEN).deliver(b"{}", key="k", timeout_s=0)


def test_https_is_spoken_to_https_portals_only() -> None:
    """A server that does not speak TLS gets no token."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                received.append(connection.recv(4096))

        server = threading.Thread(target=serve)
        server.start()
        port = listener.getsockname()[1]
        with pytest.raises(UndeliveredError):
            HttpDelivery(f"https://127.0.0.1:{port}", TOKEN).deliver(b"{}", key="k", timeout_s=5)
        server.join()
    assert TOKEN.encode() not in received[0]


@pytest.mark.parametrize(
    ("url", "warns"),
    [
        ("http://portal.example.org", True),
        ("http://10.0.0.7", True),
        ("http://localhost", False),
        ("http://127.0.0.1:8000", False),
        ("http://[::1]:8000", False),
        ("https://portal.example.org", False),
    ],
)
def test_a_token_over_plain_http_is_warned_about(
    url: str, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Except on this machine itself."""
    with caplog.at_level(logging.WARNING):
        HttpDelivery(url, TOKEN)
    assert ("overheard" in caplog.text) is warns
