"""The form of a token and its keyed hash."""

import hashlib
import hmac
import re
import secrets

PREFIX = "srp"
_LOOKUP = re.compile(r"[0-9a-f]{10}")


def new_token() -> tuple[str, str]:
    """Return a fresh token and the part of it by which its row is found."""
    lookup = secrets.token_hex(5)
    return f"{PREFIX}_{lookup}_{secrets.token_urlsafe(32)}", lookup


def lookup_of(token: str) -> str | None:
    """Return the part by which a token's row is found, or None when it is not one of ours."""
    prefix, _, rest = token.partition("_")
    lookup, _, secret = rest.partition("_")
    well_formed = prefix == PREFIX and bool(_LOOKUP.fullmatch(lookup)) and bool(secret)
    return lookup if well_formed else None


def digest_of(token: str, *, pepper: str) -> str:
    """Return what is stored of a token: HMAC-SHA256 keyed with `pepper`, hexadecimal."""
    return hmac.new(pepper.encode(), token.encode(), hashlib.sha256).hexdigest()


def same_digest(one: str, other: str) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(one, other)
