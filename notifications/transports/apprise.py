"""Push services by Apprise: ntfy, Gotify, Pushover, Teams, Telegram, Matrix and the like.

Apprise says yes or no and nothing more; why, its requests say (`apprise_requests`).
"""

import re
from typing import Any

from core.http_client import Deadline
from notifications.domain.digests import told
from notifications.domain.kinds import PUSH_SERVICES, Kind
from notifications.domain.messages import Message
from notifications.transports.base import Recipient, Transport, TransportFailed

__all__ = ["Push"]

# What calls everybody of a channel, in one service or another; only a name of the sender's is meant.
_CALLS_MANY = re.compile(
    r"(?<!\w)@(?=(?:everyone|here|all|channel|room)\b|\*\*|[!&]?\d)|<(?=users/)", re.IGNORECASE
)
_NOTHING_WIDE = "\u200b"
_MARKDOWN = "markdown"
# Characters of a title and of the text of one incident, and bytes of a digest: what is longer ntfy
# shows as a file.
_TITLE, _TEXT, _DIGEST = 200, 1500, 4000


class Push(Transport):
    """One message by one service."""

    kind = Kind.APPRISE

    def send(self, message: Message, to: Recipient) -> str:
        """Send it; there is no id."""
        # These load a hundred services, for those who use one.
        from notifications.transports import apprise_requests  # noqa: PLC0415

        service = _service(to.address)
        apprise_requests.exchange(type(service))
        service.throttle = apprise_requests.pause
        errand = apprise_requests.Errand(Deadline(self.deadline.total_seconds()))
        with apprise_requests.on_errand(errand):
            was_taken = _notify(service, message)
        if not was_taken:
            raise errand.failure()
        return ""


def _service(address: str) -> Any:
    """Return the service of an address; what it does by itself beside sending is off."""
    import apprise  # noqa: PLC0415

    if address.partition("://")[0].lower() not in PUSH_SERVICES:
        raise TransportFailed("That service is not used for calling people.", is_final=True)
    asset = apprise.AppriseAsset(async_mode=False, service_timeout=0)
    service: Any = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    if service is None:
        raise TransportFailed("The address is none that Apprise understands.", is_final=True)
    # A host that may be asked must not send on to one that may not.
    service.redirects = False
    service.retry, service.optional = 0, False
    # What is too long all the same, for what an escape adds, is sent in several.
    service.overflow_mode = "split"
    return service


def _notify(service: Any, message: Message) -> bool:
    import apprise  # noqa: PLC0415

    sender = apprise.Apprise(asset=service.asset)
    sender.add(service)
    return bool(
        sender.notify(
            title=_quiet(message.heading[:_TITLE]),
            body=_body(message, service),
            notify_type=apprise.NotifyType.FAILURE,
            body_format=None if _format(service) == _MARKDOWN else apprise.NotifyFormat.TEXT,
        )
    )


def _format(service: Any) -> str:
    """Return what a service is sent for a plain text.

    Those that take nothing but Markdown get texts as they are: escaping would break addresses in them.
    """
    import apprise  # noqa: PLC0415

    return str(service.resolve_format(apprise.NotifyFormat.TEXT).value)


def _body(message: Message, service: Any) -> str:
    """Return what is said below the title, as much as a service takes in one message."""
    link = message.act_url or message.url
    room = min(service.body_maxlen, _DIGEST) - _TITLE - len(link) - 10
    text = _quiet(message.text[: min(_TEXT, room)])
    if message.entries:
        text = _quiet(told(message.entries, lambda body: _size(_quiet(body), service) <= room))
    return "\n\n".join(part for part in (text, link) if part)


def _size(text: str, service: Any) -> int:
    """Return how many bytes a text has as a service gets it."""
    from apprise import NotifyFormat  # noqa: PLC0415
    from apprise.conversion import convert_between  # noqa: PLC0415

    into = _format(service)
    if into != _MARKDOWN:
        text = convert_between(NotifyFormat.TEXT, NotifyFormat(into), text)
    return len(text.encode())


def _quiet(text: str) -> str:
    """Return a text of a sender that calls nobody but whom it is for."""
    return _CALLS_MANY.sub(lambda found: found[0] + _NOTHING_WIDE, text)
