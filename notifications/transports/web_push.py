"""Web push: a notification in a browser that allowed it, also when the portal is not open in it."""

import json
import time
from datetime import timedelta
from email.utils import parseaddr
from typing import Any

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from py_vapid import Vapid02

from core import http_client
from core.http_client import Deadline, OutboundError
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message
from notifications.domain.web_push import Subscription, read_subscription
from notifications.transports.base import Recipient, Transport, TransportFailed

__all__ = ["WebPush"]

FEATURE = "notifications"
# Bytes; push services take 4,096 of all of it, encrypted.
_MOST_TITLE, _MOST_TEXT = 400, 2000
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
            json.dumps(_shown(message), ensure_ascii=False).encode(),
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
            raise TransportFailed("The browser no longer listens; add it again.", is_final=True)
        if not 200 <= answer.status < 300:
            raise TransportFailed(
                f"The push service answered {answer.status}.", is_final=answer.status in _FINAL
            )
        return answer.headers.get("location", "").rpartition("/")[2][:200]


def _shown(message: Message) -> dict[str, Any]:
    return {
        "title": _cut(message.heading, _MOST_TITLE),
        "body": _cut(message.text, _MOST_TEXT),
        "url": message.url,
        "acknowledge_url": message.act_url,
        "key": message.key,
    }


def _cut(text: str, most: int) -> str:
    return text.encode()[:most].decode("utf-8", "ignore")


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
        "Urgency": "high",
        # A repeat takes the place of a first send that was not fetched yet.
        "Topic": message.key[:32],
    }
