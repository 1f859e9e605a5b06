"""Signed links of one purpose each.

Rows keep a random key and no token: whoever reads the table cannot make a link, because that takes
the pepper of API tokens, which is not in the database.
"""

import hmac
import re
import secrets
from enum import StrEnum
from hashlib import sha256

from django.conf import settings

__all__ = ["Purpose", "key_of", "new_key", "token_of"]

_FORM = re.compile(r"([0-9a-f]{32})-([0-9a-f]{64})")


class Purpose(StrEnum):
    """What a link is for; one for another purpose opens nothing."""

    CONFIRM = "confirm"
    UNSUBSCRIBE = "unsubscribe"


def new_key() -> str:
    """Return what a row is found by, by chance."""
    return secrets.token_hex(16)


def token_of(key: str, purpose: Purpose) -> str:
    """Return what stands in a link."""
    return f"{key}-{_signature(key, purpose)}"


def key_of(token: str, purpose: Purpose) -> str | None:
    """Return the key of a token that was made here for that purpose; None for any other."""
    found = _FORM.fullmatch(token)
    if found is None:
        return None
    key, signature = found.groups()
    return key if hmac.compare_digest(signature, _signature(key, purpose)) else None


def _signature(key: str, purpose: Purpose) -> str:
    signed = f"statuspage:{purpose}:{key}".encode()
    return hmac.new(settings.TOKEN_PEPPER.encode(), signed, sha256).hexdigest()
