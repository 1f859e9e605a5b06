"""Web push: what a browser's subscription is, and the key with which its pushes are signed.

RFC 8291 (encryption for the browser), RFC 8292 (VAPID: who sends). A subscription belongs to the key
with which it was made, so each method keeps its own.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["Subscription", "private_key", "public_text", "read_subscription"]

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_POINT, _AUTH = 65, 16


@dataclass(frozen=True)
class Subscription:
    """Where a browser listens.

    Args:
        endpoint: Address at its push service.
        public: The browser's key, an uncompressed point.
        auth: Secret that it shares with whoever pushes.
    """

    endpoint: str
    public: bytes
    auth: bytes

    @property
    def origin(self) -> str:
        """The push service, for whom a signature is good."""
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc}"


def read_subscription(text: str) -> Subscription:
    """Read what `PushSubscription.toJSON` gave.

    Raises:
        ValueError: Says what is missing.
    """
    said = _object(text)
    keys, endpoint = _object(said.get("keys")), str(said.get("endpoint", ""))
    if not keys:
        raise ValueError("The browser's subscription is wanted: use the button.")
    if not endpoint.startswith("https://"):
        raise ValueError("endpoint: an https address is wanted.")
    public, auth = _bytes(keys.get("p256dh")), _bytes(keys.get("auth"))
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    except ValueError:
        public = b""
    if len(public) != _POINT or len(auth) != _AUTH:
        raise ValueError("keys: the browser's two keys are wanted.")
    return Subscription(endpoint, public, auth)


def private_key(secret: str) -> str:
    """Return the portal's signing key for new subscriptions, 64 hexadecimal digits.

    Made of a secret of the portal, so that there is nothing to store before the first subscription.
    """
    digest = hashlib.sha512(b"web push\0" + secret.encode()).digest()
    return f"{int.from_bytes(digest) % (_P256_ORDER - 1) + 1:064x}"


def public_text(private: str) -> str:
    """Return the public half as browsers want it: base64url of the point."""
    key = ec.derive_private_key(int(private, 16), ec.SECP256R1()).public_key()
    point = key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return base64.urlsafe_b64encode(point).decode().rstrip("=")


def _object(given: object) -> dict[str, Any]:
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def _bytes(text: object) -> bytes:
    if not isinstance(text, str):
        return b""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
