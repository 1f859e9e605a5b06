"""Signatures of webhooks: Standard Webhooks, Grafana's, PagerDuty's and Sentry's."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

__all__ = ["delivery_of", "is_signed"]

TOLERANCE_S = 300


def is_signed(
    kind: str, secret: str, body: bytes, headers: Mapping[str, str], *, now: datetime
) -> bool:
    """Return whether the holder of `secret` sent a body.

    Args:
        kind: Format of the integration; each signs its own way.
        secret: What both sides know.
        body: Raw bytes.
        headers: Names in lower case.
        now: Signatures with a time more than five minutes away are refused.
    """
    if kind == "sentry":
        return _same(_hex(secret, body), headers.get("sentry-hook-signature", ""))
    if kind == "grafana":
        return _grafana(secret, body, headers, now=now)
    if kind == "pagerduty":
        return _pagerduty(secret, body, headers)
    return _standard(secret, body, headers, now=now)


def delivery_of(kind: str, headers: Mapping[str, str]) -> str:
    """Return what the headers of a signed message call it, "" where no header of that kind does.

    Only Standard Webhooks sign it, and send it again with the message. PagerDuty's events are named
    in their bodies, which are signed.
    """
    return "" if kind in {"sentry", "grafana", "pagerduty"} else headers.get("webhook-id", "")


def _grafana(secret: str, body: bytes, headers: Mapping[str, str], *, now: datetime) -> bool:
    """Grafana signs the body, and before it the time where its contact point names that header."""
    stamp = headers.get("x-grafana-alerting-timestamp", "")
    if stamp and not _is_near(stamp, now):
        return False
    signed = f"{stamp}:".encode() + body if stamp else body
    return _same(_hex(secret, signed), headers.get("x-grafana-alerting-signature", ""))


def _pagerduty(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """PagerDuty signs with each secret that a subscription has: two while one is replaced."""
    wanted = f"v1={_hex(secret, body)}"
    offered = headers.get("x-pagerduty-signature", "").split(",")[:20]
    return any(_same(wanted, signature) for signature in offered)


def _is_near(stamp: str, now: datetime) -> bool:
    """Return whether a time in Unix seconds is at most five minutes away."""
    is_number = stamp.isascii() and stamp.isdigit() and len(stamp) <= 12
    return is_number and abs(now.timestamp() - int(stamp)) <= TOLERANCE_S


def _standard(secret: str, body: bytes, headers: Mapping[str, str], *, now: datetime) -> bool:
    """https://www.standardwebhooks.com: several signatures while a secret is being replaced."""
    name, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not name or not _is_near(stamp, now):
        return False
    signed = f"{name}.{stamp}.".encode() + body
    wanted = base64.b64encode(hmac.digest(_key(secret), signed, "sha256")).decode()
    offered = headers.get("webhook-signature", "").split()[:20]
    return any(_same(f"v1,{wanted}", signature) for signature in offered)


def _key(secret: str) -> bytes:
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError:
            return secret.encode()
    return secret.encode()


def _hex(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.strip().encode())
