"""Reading the body of an ingest request: types, encodings and sizes that are accepted."""

from dataclasses import dataclass

from django.http import HttpRequest

from core.errors import InvalidInput, TooLarge, UnsupportedMedia
from core.gzipped import NotGzip, TooManyBytes, gunzip
from core.request_body import read_whole

MAX_BYTES = 10 * 1024 * 1024
JSON_TYPE = "application/json"
LINES_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl",
               "application/jsonlines", "application/x-jsonlines")  # fmt: skip


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
    data = read_whole(request, MAX_BYTES)
    if encoding == "gzip":
        data = _unpack(data)
    return Body(data, content_type in LINES_TYPES, content_type)


def _unpack(data: bytes) -> bytes:
    try:
        return gunzip(data, limit=MAX_BYTES)
    except NotGzip as error:
        raise InvalidInput(str(error), field="body") from error
    except TooManyBytes as error:
        raise TooLarge(str(error), field="body") from error
