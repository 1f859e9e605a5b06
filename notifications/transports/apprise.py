"""Push services by Apprise: ntfy, Gotify, Pushover, Teams, Telegram, Matrix and the like.

Apprise says yes or no and nothing more, so a no may have arrived all the same.
"""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from core import http_client
from core.http_client import Deadline, OutboundError
from notifications.domain.kinds import PUSH_SERVICES, Kind
from notifications.domain.messages import Message
from notifications.transports.base import Recipient, Transport, TransportFailed

__all__ = ["Push"]

FEATURE = "notifications"
# Those that run on a host of the address; the others have a fixed one.
_SECURE = {"gotifys", "matrixs", "mmosts", "ntfys", "rockets", "signals"}
_OWN_HOST = _SECURE | {"gotify", "matrix", "mmost", "ntfy", "rocket", "signal"}
_CONNECT_S, _READ_S = 4.0, 6.0


class Push(Transport):
    """One message by one service."""

    kind = Kind.APPRISE
    deadline = timedelta(seconds=15)

    def send(self, message: Message, to: Recipient) -> str:
        """Send it; there is no id."""
        import apprise  # noqa: PLC0415 loads a hundred services, for those who use one

        _judge(to.address)
        service: Any = apprise.Apprise.instantiate(to.address, suppress_exceptions=True)
        if service is None:
            raise TransportFailed("The address is none that Apprise understands.", is_final=True)
        service.socket_connect_timeout, service.socket_read_timeout = _CONNECT_S, _READ_S
        parts = (message.text[:1500], message.act_url or message.url)
        body = "\n\n".join(part for part in parts if part)
        if not service.notify(
            title=message.heading[:200], body=body or message.heading, notify_type="failure"
        ):
            raise TransportFailed("The service did not take it.", is_uncertain=True)
        return ""


def _judge(address: str) -> None:
    """Refuse a host that may not be asked."""
    scheme = address.partition("://")[0].lower()
    if scheme not in PUSH_SERVICES:
        raise TransportFailed("That service is not used for calling people.", is_final=True)
    parts = urlsplit(address)
    if scheme not in _OWN_HOST or not parts.hostname or "." not in parts.hostname:
        return
    web = "https" if scheme in _SECURE else "http"
    port = f":{parts.port}" if parts.port else ""
    try:
        http_client.judge(f"{web}://{parts.hostname}{port}/", feature=FEATURE, deadline=Deadline(5))
    except OutboundError as error:
        raise TransportFailed.of(error) from error
