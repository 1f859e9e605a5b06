"""Web push: a notification in a browser that allowed it, also when the portal is not open in it."""

import json
import time
from bisect import bisect_right
from datetime import timedelta
from email.utils import parseaddr

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from py_vapid import Vapid02

from core import http_client
from core.http_client import Deadline, OutboundError
from notifications.domain.digests import as_many, told
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message
from notifications.domain.web_push import Subscription, read_subscription
from notifications.transports.base import Recipient, Transport, TransportFailed

__all__ = ["WebPush", "payload_of"]

FEATURE = "notifications"
# Bytes. Push services take 4,096 of all of it, of which header, tag and delimiter of the encryption
# (RFC 8188) are 103.
_MOST, _MOST_TITLE, _MOST_TEXT = 4096 - 103, 400, 2000
_KEPT_FOR = timedelta(hours=1)
_SIGNED_FOR = timedelta(hours=12)
_GONE = {404, 410}
_FINAL = {400, 401, 403, 413}


class WebPush(Transport):
    """One push; the browser shows it at once, or within an hour when it wakes up."""

    kind = Kind.WEB_PUSH

    def send(self, message: Message, to: Recipient) -> str:
        """Hand it to the browser's push service; returns the address that it gave the message."""
        subscription = read_subscription(to.address)
        body = http_ece.encrypt(
            payload_of(message),
            private_key=ec.generate_private_key(ec.SECP256R1()),
            dh=subscription.public,
            auth_secret=subscription.auth,
            version="aes128gcm",
        )
        try:
            answer = http_client.request(
                subscription.endpoint,
                feature=FEATURE,
                deadline=Deadline(self.deadline.total_seconds()),
                method="POST",
                headers=_headers(message, subscription, to.secret),
                content=body,
                truncate=True,
            )
        except OutboundError as error:
            raise TransportFailed.of(error) from error
        if answer.status in _GONE:
            raise TransportFailed(
                "The browser no longer listens; add it again.", is_final=True, is_gone=True
            )
        if not 200 <= answer.status < 300:
            raise TransportFailed.refused(
                f"The push service answered {answer.status}.",
                answer,
                is_final=answer.status in _FINAL,
            )
        return answer.headers.get("location", "").rpartition("/")[2][:200]


def payload_of(message: Message) -> bytes:
    """Return what the browser is told, as JSON that push services take: long texts are cut."""
    shown = {
        "title": _cut(message.heading, _MOST_TITLE),
        "body": "",
        "url": message.url,
        "acknowledge_url": message.act_url,
        "key": message.key,
    }
    left = _MOST - len(_encoded(shown))
    return _encoded({**shown, "body": _body(message, left)})


def _body(message: Message, left: int) -> str:
    """Return what is told below the title in `left` bytes; a digest names every incident."""
    if not message.entries:
        return _cut(message.text, min(left, _MOST_TEXT))

    def fits(text: str) -> bool:
        return len(_encoded(text)) - 2 <= left

    body = told(message.entries, fits)
    return body if fits(body) else as_many(message.entries, fits)


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _cut(text: str, most: int) -> str:
    """Return the longest beginning of a text that is within `most` bytes, as JSON without quotes."""
    # Every character is one byte at least.
    lengths = range(1, min(len(text), max(most, 0)) + 1)
    return text[: bisect_right(lengths, most, key=lambda n: len(_encoded(text[:n])) - 2)]


def _headers(message: Message, subscription: Subscription, private: str) -> dict[str, str]:
    key = ec.derive_private_key(int(private, 16), ec.SECP256R1())
    claims = {
        "aud": subscription.origin,
        "exp": int(time.time() + _SIGNED_FOR.total_seconds()),
        "sub": f"mailto:{parseaddr(settings.DEFAULT_FROM_EMAIL)[1]}",
    }
    signed: dict[str, str] = Vapid02(key).sign(claims)
    return {
        **signed,
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "aes128gcm",
        "TTL": str(int(_KEPT_FOR.total_seconds())),
        # High wakes a sleeping device (RFC 8030, 5.3); what can wait spares its battery.
        "Urgency": "high" if message.is_urgent else "normal",
        # A repeat takes the place of a first send that was not fetched yet.
        "Topic": message.key[:32],
    }
