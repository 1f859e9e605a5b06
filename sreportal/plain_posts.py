"""Posts in HTTP's plainest form, read and answered at a quarter of a whole server's price.

Only what leaves nothing to judge is read here: a post by HTTP/1.1 that has arrived to its end, to a
plain path, with each header once, in ASCII, and none that says how to read it other than its length.
The rest, well formed or not, is left to gunicorn, which knows all of HTTP.
"""

import re
import time
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Post", "answer", "read"]

Environ = dict[str, object]
# A longer head is not a program's, nor one of more headers; gunicorn says what it still takes.
_MOST_OF_HEAD = 4096
_HEAD = re.compile(
    rb"POST (/[\w.~/-]*)(?:\?([!-\"$-~]*))? HTTP/1\.1\r\n((?:[A-Za-z0-9-]+:[\t -~]*\r\n){1,64})\r\n"
)
_LENGTH = re.compile(r"[0-9]{1,9}", re.ASCII)
# They say how a message is read, or who speaks for whom.
_LEFT = frozenset({
    "EXPECT", "HTTP2-SETTINGS", "KEEP-ALIVE", "PROXY-CONNECTION", "TE", "TRAILER", "TRANSFER-ENCODING",
    "UPGRADE", "X-FORWARDED-PROTOCOL", "X-FORWARDED-SSL",
})  # fmt: skip
_KEPT = "keep-alive"
_BODILESS = ("1", "204", "304")
# Of one connection only, whatever an application says.
_HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers",
    "transfer-encoding", "upgrade", "server", "date",
})  # fmt: skip


class Post(NamedTuple):
    """A post.

    Args:
        environ: What WSGI calls so, of the request alone, without its body.
        body: All of it.
        size: Bytes of what was received that it takes.
    """

    environ: Environ
    body: bytes
    size: int


def read(received: bytes, *, trusts_scheme: bool) -> Post | None:
    """Return the post that stands at the beginning of what was received, None for anything else.

    Args:
        received: From the first byte of a request.
        trusts_scheme: Whether `X-Forwarded-Proto` of any sender is believed.
    """
    found = _HEAD.match(received, 0, _MOST_OF_HEAD)
    if found is None:
        return None
    path, query, fields = found.groups()
    environ: Environ = {}
    for line in fields[:-2].decode("ascii").split("\r\n"):
        name, _, value = line.partition(":")
        key = _key(name)
        if not key or key in environ:
            return None
        environ[key] = value.strip(" \t")
    scheme = _scheme(environ, trusts_scheme=trusts_scheme)
    length = str(environ.get("CONTENT_LENGTH", ""))
    is_kept = str(environ.get("HTTP_CONNECTION", _KEPT)).lower() == _KEPT
    if not (scheme and is_kept and "HTTP_HOST" in environ and _LENGTH.fullmatch(length)):
        return None
    end = found.end()
    size = end + int(length)
    if len(received) < size:
        return None
    text, asked = path.decode("ascii"), (query or b"").decode("ascii")
    environ["PATH_INFO"], environ["QUERY_STRING"] = text, asked
    environ["RAW_URI"] = text if query is None else f"{text}?{asked}"
    environ["wsgi.url_scheme"] = scheme
    return Post(environ, received[end:size], size)


@lru_cache(maxsize=512)
def _key(name: str) -> str:
    """Return what WSGI calls a header; "" for one that is not judged here."""
    upper = name.upper()
    if upper in _LEFT:
        return ""
    key = upper.replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


def _scheme(environ: Environ, *, trusts_scheme: bool) -> str:
    """Return by which scheme a request came, "" where that is to be judged."""
    told = environ.get("HTTP_X_FORWARDED_PROTO")
    if told is None:
        return "http"
    return str(told) if trusts_scheme and told in {"http", "https"} else ""


def answer(
    status: str, headers: Iterable[tuple[str, str]], body: bytes, *, server: str, is_kept: bool
) -> bytes:
    """Return an answer as it is sent.

    Args:
        status: Number and words.
        headers: Of the application, in Latin-1 and without line breaks, which Django sees to.
        body: All of it.
        server: Who answers.
        is_kept: Whether more may be sent on the connection.
    """
    is_bodiless = status.startswith(_BODILESS)
    told = "".join(
        f"{name}: {value}\r\n"
        for name, value in headers
        if (lower := name.lower()) not in _HOP_BY_HOP and lower != "content-length"
    )
    length = "" if is_bodiless else f"Content-Length: {len(body)}\r\n"
    head = (
        f"HTTP/1.1 {status}\r\nServer: {server}\r\nDate: {_date(int(time.time()))}\r\n"
        f"Connection: {_KEPT if is_kept else 'close'}\r\n{told}{length}\r\n"
    )
    return head.encode("latin-1") + (b"" if is_bodiless else body)


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
