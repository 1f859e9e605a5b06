"""What every format of access log has in common."""

import re
from collections.abc import Callable
from typing import NamedTuple

SWITCHING_PROTOCOLS = 101
MAX_QUOTED = 60
_REQUEST = re.compile(r"([A-Za-z][A-Za-z_-]{0,39}) (\S+)(?: HTTP/\d(?:\.\d)?)?\Z")


class LoggedRequest(NamedTuple):
    """One answered request, as a line tells of it.

    `at` is in seconds since 1970. `target` is what was asked for, query included, and empty when
    the request itself was malformed.
    """

    at: float
    method: str
    target: str
    status: int
    duration_ms: float


class NotUnderstood(ValueError):
    """A line that cannot be used; the message says why."""


Parser = Callable[[str], LoggedRequest | None]
"""Returns the request of a line, or None for a connection that was no request (a websocket).

Raises `NotUnderstood`.
"""


def request_line(quoted: str) -> tuple[str, str]:
    """Return method and target of `GET /users HTTP/1.1`; ("", "") for what is no such line.

    Scanners send anything, and the server logs what they sent along with the 400 it answered:
    that was a request all the same.
    """
    match = _REQUEST.match(quoted)
    return (match[1], match[2]) if match else ("", "")


def status_code(text: str) -> int:
    """Return a status between 100 and 599.

    Raises:
        NotUnderstood: If it is none.
    """
    if len(text) == 3 and text.isascii() and text.isdigit() and "100" <= text <= "599":
        return int(text)
    raise NotUnderstood(f"{shortened(text)} is no HTTP status")


def shortened(text: str) -> str:
    """Return what is quoted of a line in a message: printable and short."""
    cut = text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 1]}…"
    return repr(cut)
