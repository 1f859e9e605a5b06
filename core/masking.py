"""What looks like a credential is replaced before it reaches a log or the audit chain."""

import re
from typing import Any

MASK = "[masked]"
_SECRET_NAMES = re.compile(
    r"password|secret|token|authorization|cookie|pepper|api_?key", re.IGNORECASE
)
_SECRET_SHAPES = re.compile(r"(Bearer|Token)\s+[\w.~+/=-]+|srp_[\w-]{8,}|://[^/\s:@]+:[^@\s]+@")
# Addresses of the portal that open something to whoever knows them.
_SECRET_ADDRESSES = re.compile(
    r"(/integrations/v1/\w+/(?:answer/|status/\d+/)?|/ping/|/calendar/(?=[\w-]+\.ics)|/i/\d+/ack/"
    r"|/password/reset/key/|[?&]apiKey=)[\w:-]{16,}"
)


def is_secret_name(name: str) -> bool:
    """Return whether a field of this name holds a credential."""
    return bool(_SECRET_NAMES.search(name))


def mask_text(text: str) -> str:
    """Return `text` with everything of a credential's shape replaced."""
    return _SECRET_ADDRESSES.sub(rf"\g<1>{MASK}", _SECRET_SHAPES.sub(MASK, text))


def mask(value: Any, *, name: str = "") -> Any:
    """Return `value` with credentials replaced, by their field name or by their shape.

    Args:
        value: Anything; dicts and lists are walked.
        name: Name of the field that holds it.
    """
    if value is not None and is_secret_name(name):
        return MASK
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return {key: mask(item, name=str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask(item) for item in value]
    return value
