"""Text of others as Markdown shows it, whatever signs stand in it."""

import re

__all__ = ["escaped"]

_SIGNS = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")
_SPACE = re.compile(r"\s+")


def escaped(text: str) -> str:
    """Return a text in one line that Markdown shows as it is: no link, list or heading comes of it."""
    return _SIGNS.sub(r"\\\1", _SPACE.sub(" ", text).strip())
