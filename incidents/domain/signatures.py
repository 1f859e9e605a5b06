"""Signatures of webhooks: Standard Webhooks, Grafana's and Sentry's."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

__all__ = ["is_signed"]

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
        return _same(_hex(secret, body), headers.get("x-grafana-alerting-signature", ""))
    return _standard(secret, body, headers, now=now)


def _standard(secret: str, body: bytes, headers: Mapping[str, str], *, now: datetime) -> bool:
    """https://www.standardwebhooks.com: several signatures while a secret is being replaced."""
    name, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not name or not stamp.isdigit() or len(stamp) > 12:
        return False
    if abs(now.timestamp() - int(stamp)) > TOLERANCE_S:
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
