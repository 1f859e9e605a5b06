"""What all senders share: the raw body, what a broken database means, and no error of ours."""

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, wraps
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.access import public
from core.errors import TooLarge
from core.gzipped import NotGzip, TooManyBytes, beginning, gunzip
from core.request_body import read_beginning, read_start
from incidents.services.receiving import IntegrationChanged, RawRequest

__all__ = [
    "MAX_BYTES",
    "View",
    "authorization",
    "begun_request",
    "raw_query",
    "raw_request",
    "webhook",
    "whole_request",
]

log = structlog.get_logger(__name__)
MAX_BYTES = 512 * 1024
_KEY_IN_PATH = re.compile(
    r"(?P<before>/integrations/v1/\w+/|/ping/)[0-9A-Za-z-]+"
    r"|[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"
)
_RAW = "_raw_intake"
_LARGER = f"body: larger than {MAX_BYTES // 1024} KiB; kept are its first {{}} bytes"
View = Callable[..., HttpResponseBase]


def webhook(
    *methods: str,
    broken: Callable[[], HttpResponse],
    large: Callable[[], HttpResponse] | None = None,
) -> Callable[[View], View]:
    """Make a view that programs call with a key of their own.

    Args:
        methods: HTTP methods that are answered.
        broken: Answers while the database does not; senders come again after a 5xx.
        large: Answers a body that is larger than what is read, where it is not cut instead.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                return _again_if_changed(view, request, *args, **kwargs)
            except TooLarge:
                if large is None:
                    raise
                return large()
            except (DatabaseError, InterfaceError, IntegrationChanged) as error:
                log.exception("intake_unavailable", exc_info=error)
                answer = broken()
                answer.headers["Retry-After"] = "5"
                return answer

        opened = public("The key in the request opens one integration, and nothing else.")(
            csrf_exempt(require_http_methods(list(methods))(answered))
        )
        # Nothing that stands in an address may cost an alert, or a sign of life.
        opened.takes_any_query = True  # type: ignore[attr-defined]
        return opened

    return decorate


def _again_if_changed(
    view: View, request: HttpRequest, *args: Any, **kwargs: Any
) -> HttpResponseBase:
    """Answer a request under what holds now, where that has changed meanwhile."""
    try:
        return view(request, *args, **kwargs)
    except IntegrationChanged:
        return view(request, *args, **kwargs)


def raw_request(request: HttpRequest) -> RawRequest:
    """Return what was sent, unpacked; again the same, although a body can be read only once.

    Of a body of more than `MAX_BYTES`, as sent or unpacked, it is the beginning, and `cut` says so:
    `receiving.take` keeps that and refuses it.

    Raises:
        InvalidInput: It is shorter than it says, or ended before it was complete.
    """
    return _kept(request, lambda: read_start(request, MAX_BYTES))


def begun_request(request: HttpRequest) -> RawRequest:
    """Return what was sent, the body as far as it came and is kept: it counts whatever that says."""
    raw = _kept(request, lambda: (read_beginning(request, MAX_BYTES), True))
    return replace(raw, cut="")


def _kept(request: HttpRequest, read: Callable[[], tuple[bytes, bool]]) -> RawRequest:
    kept: RawRequest | None = getattr(request, _RAW, None)
    if kept is None:
        body, is_whole = _unpacked(request, *read())
        kept = RawRequest(
            address=_address(request),
            body=body,
            content_type=request.META.get("CONTENT_TYPE", ""),
            headers=_headers(request),
            cut="" if is_whole else _LARGER.format(len(body)),
        )
        setattr(request, _RAW, kept)
    return kept


def raw_query(request: HttpRequest) -> RawRequest:
    """Return what was sent in the query string, as the form that it is."""
    return RawRequest(
        address=_address(request),
        body=request.META.get("QUERY_STRING", "").encode("utf-8", "replace"),
        content_type="application/x-www-form-urlencoded",
        headers=_headers(request),
    )


def authorization(request: HttpRequest) -> tuple[str, str]:
    """Return the scheme in lower case, and the key, that `Authorization` carries.

    Of `Basic` it is the password, or the name where there is none. What names no scheme is a key.
    """
    scheme, _, given = request.META.get("HTTP_AUTHORIZATION", "").strip().rpartition(" ")
    if scheme.strip().lower() != "basic":
        return scheme.strip().lower(), given
    try:
        pair = base64.b64decode(given, validate=True).decode()
    except ValueError:
        return "basic", ""
    name, _, password = pair.partition(":")
    return "basic", password or name


def _address(request: HttpRequest) -> str:
    return _KEY_IN_PATH.sub(r"\g<before>…", request.path)


def _headers(request: HttpRequest) -> dict[str, str]:
    return {name: value for key, value in request.META.items() if (name := _header(key))}


@lru_cache(maxsize=512)
def _header(key: str) -> str:
    """Return the name of a header, in lower case, that WSGI calls so; "" for anything else."""
    if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"} and not key.startswith("HTTP_"):
        return ""
    return key.removeprefix("HTTP_").replace("_", "-").lower()


def whole_request(request: HttpRequest) -> RawRequest:
    """Return what `raw_request` does, for what is not kept.

    Raises:
        TooLarge: More than `MAX_BYTES`, as sent or unpacked.
        InvalidInput: It is shorter than it says, or ended before it was complete.
    """
    raw = raw_request(request)
    if raw.cut:
        raise TooLarge(raw.cut, field="body")
    return raw


def _unpacked(request: HttpRequest, body: bytes, is_whole: bool) -> tuple[bytes, bool]:
    """Return a body as it was before it was packed for the way, or as it came where it was not.

    Args:
        request: Says whether it was packed.
        body: All of it, or its beginning.
        is_whole: Which of the two; returned is whether all of the unpacked body is.
    """
    if request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower() not in {"gzip", "x-gzip"}:
        return body, is_whole
    try:
        if is_whole:
            return gunzip(body, limit=MAX_BYTES), True
    except NotGzip:
        # Unreadable, and kept as such.
        return body, True
    except TooManyBytes:
        pass
    return beginning(body, limit=MAX_BYTES) or body, False
