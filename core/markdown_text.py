"""Text of others as Markdown shows it, whatever signs stand in it."""

import re

__all__ = ["escaped"]

_SIGNS = re.compile(r"([\\`*_\[\]<>|~&])")
_SPACE = re.compile(r"\s+")
# What a heading, a list or a line across begins with.
_BLOCK = re.compile(r"\A(\d*)([#+=.)-])")
# What a heading may end with, and does not show.
_CLOSING = re.compile(r"(?<= )#+\Z")


def escaped(text: str) -> str:
    """Return a text in one line that Markdown shows as it is: no link, list or heading comes of it."""
    line = _SPACE.sub(" ", text).strip()
    line = _BLOCK.sub(r"\1\\\2", _SIGNS.sub(r"\\\1", line))
    return _CLOSING.sub(r"\\\g<0>", line)
