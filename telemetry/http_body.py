"""Reading the body of an ingest request: types, encodings and sizes that are accepted."""

from dataclasses import dataclass
from typing import IO

from django.http import HttpRequest
from django.http.request import UnreadablePostError

from core.errors import InvalidInput, TooLarge, UnsupportedMedia
from telemetry.domain.encodings import NotGzip, TooManyBytes, gunzip

MAX_BYTES = 10 * 1024 * 1024
JSON_TYPE = "application/json"
LINES_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl",
               "application/jsonlines", "application/x-jsonlines")  # fmt: skip
_CHUNK = 256 * 1024


@dataclass(frozen=True)
class Body:
    """The unpacked bytes, whether they are one JSON object a line, and what they claim to be."""

    data: bytes
    lines: bool
    content_type: str = JSON_TYPE


def read_body(request: HttpRequest, *, types: tuple[str, ...] = (JSON_TYPE, *LINES_TYPES)) -> Body:
    """Return the body of an ingest request whose content type is one of `types`.

    Raises:
        UnsupportedMedia: A content type or encoding that is not read here.
        TooLarge: More than `MAX_BYTES`, as sent or unpacked.
        InvalidInput: Cut short, or not the gzip it claims to be.
    """
    content_type = (request.content_type or "").lower()
    if content_type not in types:
        raise UnsupportedMedia(f"Send {types[0]} or {types[1]}.", field="Content-Type")
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower() or "identity"
    if encoding not in ("identity", "gzip"):
        raise UnsupportedMedia("Send gzip or no encoding.", field="Content-Encoding")
    if request.content_params and request.content_params.get("charset", "utf-8").lower() not in (
        "utf-8", "utf8", "us-ascii",
    ):  # fmt: skip
        raise UnsupportedMedia("Send UTF-8.", field="Content-Type")
    data = _read(request)
    if encoding == "gzip":
        data = _unpack(data)
    return Body(data, content_type in LINES_TYPES, content_type)


def _read(request: HttpRequest) -> bytes:
    declared = _declared_length(request)
    if declared is not None and declared > MAX_BYTES:
        raise TooLarge(f"At most {MAX_BYTES} bytes.", field="body")
    data = _read_up_to(_stream(request), MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise TooLarge(f"At most {MAX_BYTES} bytes.", field="body")
    if declared is not None and len(data) < declared:
        raise InvalidInput("Is shorter than its Content-Length.", field="body")
    return data


def _declared_length(request: HttpRequest) -> int | None:
    given = request.META.get("CONTENT_LENGTH") or ""
    if not given:
        return None
    if not (given.isascii() and given.isdigit()):
        raise InvalidInput("Is not a number.", field="Content-Length")
    return int(given)


def _stream(request: HttpRequest) -> "IO[bytes] | HttpRequest":
    # Django reads nothing without a Content-Length; the server ends a chunked body by itself.
    is_chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    if is_chunked and request.META.get("wsgi.input_terminated"):
        stream: IO[bytes] = request.META["wsgi.input"]
        return stream
    return request


def _read_up_to(stream: "IO[bytes] | HttpRequest", limit: int) -> bytes:
    parts: list[bytes] = []
    left = limit
    try:
        while left and (part := stream.read(min(left, _CHUNK))):
            parts.append(part)
            left -= len(part)
    except (UnreadablePostError, OSError) as error:
        raise InvalidInput("Ended before it was complete.", field="body") from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _unpack(data: bytes) -> bytes:
    try:
        return gunzip(data, limit=MAX_BYTES)
    except NotGzip as error:
        raise InvalidInput(str(error), field="body") from error
    except TooManyBytes as error:
        raise TooLarge(str(error), field="body") from error
