"""Twilio's signature of what it posts (https://www.twilio.com/docs/usage/security)."""

import base64
import hmac
from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import urlsplit

__all__ = ["is_signed", "signature_of"]

_PORTS = {"http": 80, "https": 443}


def signature_of(token: str, address: str, fields: Iterable[tuple[str, str]]) -> str:
    """Return what Twilio signs a form with.

    Args:
        token: Of the account.
        address: As it was given to Twilio.
        fields: Names and values that are posted.
    """
    values: dict[str, set[str]] = defaultdict(set)
    for name, value in fields:
        values[name].add(value)
    parts = [name + value for name in sorted(values) for value in sorted(values[name])]
    signed = address + "".join(parts)
    digest = hmac.digest(token.encode(), signed.encode("utf-8", "surrogateescape"), "sha1")
    return base64.b64encode(digest).decode()


def is_signed(signature: str, token: str, address: str, fields: Iterable[tuple[str, str]]) -> bool:
    """Return whether a form is Twilio's, which signs with the port of the address or without."""
    given, kept = signature.encode("utf-8", "surrogateescape"), list(fields)
    wanted = [signature_of(token, each, kept).encode() for each in _spellings(address)]
    return any(hmac.compare_digest(given, each) for each in wanted)


def _spellings(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    port = parts.port or _PORTS.get(parts.scheme, 443)
    bare = parts.netloc.removesuffix(f":{port}")
    return (
        parts._replace(netloc=bare).geturl(),
        parts._replace(netloc=f"{bare}:{port}").geturl(),
    )
