"""Names in addresses that have slashes of their own, which senders encode.

Servers decode them with the rest of the address, and nobody knows afterwards which slash ended a name.
"""

import re
from urllib.parse import quote, unquote

__all__ = ["kept_apart", "restored"]

# Of the characters that Unicode gives to programs for their own use, never to text.
_STAND_IN = "\ufdd0"
_ENCODED = re.compile("%2f", re.IGNORECASE)


def kept_apart(address: str) -> str | None:
    """Return the decoded path of an address as it came, with a sign where a slash was encoded.

    Returns:
        The path, or None where there is no such slash.
    """
    path, _, _ = address.partition("?")
    if not _ENCODED.search(path):
        return None
    return unquote(_ENCODED.sub(quote(_STAND_IN), path))


def restored(name: str) -> str:
    """Return a name out of such a path with its own slashes."""
    return name.replace(_STAND_IN, "/")
