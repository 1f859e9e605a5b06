"""Push services by Apprise: ntfy, Gotify, Pushover, Teams, Telegram, Matrix and the like.

Apprise says yes or no and nothing more, so a no may have arrived all the same.
"""

from datetime import timedelta
from html import escape
from typing import Any

from core import http_client
from core.http_client import Deadline, OutboundError
from notifications.domain.digests import told
from notifications.domain.kinds import PUSH_SERVICES, Kind
from notifications.domain.messages import Message
from notifications.transports.base import Recipient, Transport, TransportFailed

__all__ = ["Push"]

FEATURE = "notifications"
# Those that run on a host of the address; the others have a fixed one.
_OWN_HOST = frozenset(
    {
        "gotify", "gotifys", "matrix", "matrixs", "mmost", "mmosts", "ntfy", "ntfys", "rocket",
        "rockets", "signal", "signals", "workflows",
    }
)  # fmt: skip
# Of these, the ways in which the address names no host all the same.
_HOSTED = frozenset({"cloud", "t2bot"})
_CONNECT_S, _READ_S = 4.0, 6.0
# Characters of a title and of the text of one incident, and bytes of a digest: what is longer ntfy
# shows as a file.
_TITLE, _TEXT, _DIGEST = 200, 1500, 4000


class Push(Transport):
    """One message by one service."""

    kind = Kind.APPRISE
    deadline = timedelta(seconds=15)

    def send(self, message: Message, to: Recipient) -> str:
        """Send it; there is no id."""
        import apprise  # noqa: PLC0415 loads a hundred services, for those who use one

        scheme = to.address.partition("://")[0].lower()
        if scheme not in PUSH_SERVICES:
            raise TransportFailed("That service is not used for calling people.", is_final=True)
        service: Any = apprise.Apprise.instantiate(to.address, suppress_exceptions=True)
        if service is None:
            raise TransportFailed("The address is none that Apprise understands.", is_final=True)
        if scheme in _OWN_HOST and getattr(service, "mode", None) not in _HOSTED:
            _judge(service.host, service.port, secure=service.secure)
        elif scheme == "zulip":
            _judge(f"{service.organization}.{service.hostname}", None, secure=True)
        # A host that may be asked must not send on to one that may not.
        service.redirects = False
        service.socket_connect_timeout, service.socket_read_timeout = _CONNECT_S, _READ_S
        # What is too long all the same, for what an escape adds, is sent in several.
        service.overflow_mode = "split"
        if not service.notify(
            title=message.heading[:_TITLE],
            body=_body(message, service.body_maxlen),
            notify_type="failure",
        ):
            raise TransportFailed("The service did not take it.", is_uncertain=True)
        return ""


def _body(message: Message, most: int) -> str:
    """Return what is said below the title where a service takes `most` characters of both."""
    link = message.act_url or message.url
    room = min(most, _DIGEST) - _TITLE - len(link) - 10
    text = message.text[: min(_TEXT, room)]
    if message.entries:
        text = told(message.entries, lambda body: len(escape(body).encode()) <= room)
    return "\n\n".join(part for part in (text, link) if part) or message.heading


def _judge(host: str, port: int | None, *, secure: bool) -> None:
    """Refuse a host that may not be asked, as Apprise has read it."""
    named = f"[{host}]" if ":" in host else host
    address = f"http{'s' if secure else ''}://{named}{f':{port}' if port else ''}/"
    try:
        http_client.judge(address, feature=FEATURE, deadline=Deadline(5))
    except OutboundError as error:
        raise TransportFailed.of(error) from error
