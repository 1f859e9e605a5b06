"""Reading the body of a request whole, up to a limit."""

from django.http import HttpRequest
from django.http.request import UnreadablePostError

from core.errors import InvalidInput, TooLarge
from core.problems import CUT_SHORT

__all__ = ["read_whole"]

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
    data = _read_up_to(request, limit + 1)
    if len(data) > limit:
        raise TooLarge(f"At most {limit} bytes.", field="body")
    return data


def _declared_length(request: HttpRequest) -> int | None:
    given = request.META.get("CONTENT_LENGTH") or ""
    if not given:
        return None
    if not (given.isascii() and given.isdigit()):
        raise InvalidInput("Is not a number.", field="Content-Length")
    return int(given)


def _read_up_to(request: HttpRequest, limit: int) -> bytes:
    parts: list[bytes] = []
    left = limit
    try:
        while left and (part := request.read(min(left, _CHUNK))):
            parts.append(part)
            left -= len(part)
    except (UnreadablePostError, OSError) as error:
        raise InvalidInput(CUT_SHORT, field="body") from error
    return parts[0] if len(parts) == 1 else b"".join(parts)
