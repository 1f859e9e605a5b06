"""Reading the body of a request, up to a limit."""

from collections.abc import Iterator
from contextlib import suppress

from django.http import HttpRequest
from django.http.request import UnreadablePostError

from core.errors import InvalidInput, TooLarge
from core.problems import CUT_SHORT

__all__ = ["read_beginning", "read_start", "read_whole"]

_CHUNK = 256 * 1024


def read_whole(request: HttpRequest, limit: int) -> bytes:
    """Return the raw body of a request.

    Raises:
        TooLarge: It has, or says that it has, more than `limit` bytes.
        InvalidInput: It ended before it was complete.
    """
    declared = _declared_length(request)
    if declared is not None and declared > limit:
        raise TooLarge(f"At most {limit} bytes.", field="body")
    data = _joined(list(_pieces(request, limit + 1)))
    if len(data) > limit:
        raise TooLarge(f"At most {limit} bytes.", field="body")
    return data


def read_start(request: HttpRequest, limit: int) -> tuple[bytes, bool]:
    """Return the raw body of a request, or its beginning, and whether that is all of it.

    Of a body that has more than `limit` bytes, or says so, as many are returned, or fewer where no
    more of them come.

    Raises:
        InvalidInput: It ended before it was complete, and is not said to be that long.
    """
    declared = _declared_length(request)
    is_long = declared is not None and declared > limit
    parts: list[bytes] = []
    try:
        parts.extend(_pieces(request, limit if is_long else limit + 1))
    except InvalidInput:
        if not is_long:
            raise
    data = _joined(parts)
    return (data, True) if len(data) <= limit and not is_long else (data[:limit], False)


def read_beginning(request: HttpRequest, limit: int) -> bytes:
    """Return what came of the raw body of a request, at most `limit` bytes; the rest stays unread."""
    parts: list[bytes] = []
    with suppress(InvalidInput):
        parts.extend(_pieces(request, limit))
    return _joined(parts)


def _declared_length(request: HttpRequest) -> int | None:
    given = request.META.get("CONTENT_LENGTH") or ""
    if not given:
        return None
    if not (given.isascii() and given.isdigit()):
        raise InvalidInput("Is not a number.", field="Content-Length")
    return int(given)


def _pieces(request: HttpRequest, limit: int) -> Iterator[bytes]:
    left = limit
    try:
        while left and (part := request.read(min(left, _CHUNK))):
            yield part
            left -= len(part)
    except (UnreadablePostError, OSError) as error:
        raise InvalidInput(CUT_SHORT, field="body") from error


def _joined(parts: list[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else b"".join(parts)
