"""Signed webhooks (https://www.standardwebhooks.com): the key is the id, so receivers can drop doubles."""

import base64
import hmac
import json
import time

from core import http_client
from core.http_client import Deadline, OutboundError
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message
from notifications.transports.base import Recipient, Transport, TransportFailed

__all__ = ["Webhook"]

FEATURE = "notifications"
# Asking again cannot help: the receiver understood, and does not want it.
_FINAL = {400, 401, 403, 404, 405, 410, 413, 415, 422}


class Webhook(Transport):
    """POST of JSON; every 2xx is an answer."""

    kind = Kind.WEBHOOK

    def send(self, message: Message, to: Recipient) -> str:
        """Send it; the receiver's own id is in its `webhook-id` header, if it has one."""
        body = json.dumps(
            {
                "id": message.key,
                "type": message.facts.get("type", "page"),
                "subject": message.heading,
                "text": message.text,
                "url": message.url,
                "acknowledge_url": message.act_url,
                "is_repeat": message.is_repeat,
                "data": dict(message.facts),
            }
        ).encode()
        try:
            answer = http_client.request(
                to.address,
                feature=FEATURE,
                deadline=Deadline(self.deadline.total_seconds()),
                method="POST",
                headers=_headers(message.key, body, to.secret),
                content=body,
                truncate=True,
            )
        except OutboundError as error:
            raise TransportFailed.of(error) from error
        if not 200 <= answer.status < 300:
            raise TransportFailed.refused(
                f"The receiver answered {answer.status}.", answer, is_final=answer.status in _FINAL
            )
        return answer.headers.get("webhook-id", "")[:200]


def _headers(key: str, body: bytes, secret: str) -> dict[str, str]:
    stamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "webhook-id": key,
        "webhook-timestamp": stamp,
        "Idempotency-Key": key,
    }
    if secret:
        signed = f"{key}.{stamp}.".encode() + body
        headers["webhook-signature"] = " ".join(_signature(one, signed) for one in secret.split())
    return headers


def _signature(secret: str, signed: bytes) -> str:
    digest = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"
