"""What all senders share: the raw body, what a broken database means, and no error of ours."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.access import public
from core.errors import InvalidInput, TooLarge
from incidents.services.receiving import RawRequest

__all__ = ["MAX_BYTES", "json_answer", "raw_request", "webhook"]

log = structlog.get_logger(__name__)
MAX_BYTES = 512 * 1024
_KEY_IN_PATH = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
View = Callable[..., HttpResponseBase]


def webhook(
    *methods: str, large: Callable[[], HttpResponse], broken: Callable[[], HttpResponse]
) -> Callable[[View], View]:
    """Make a view that programs call with a key of their own.

    Args:
        methods: HTTP methods that are answered.
        large: Answers a body that is larger than what is read.
        broken: Answers while the database does not; senders come again after a 5xx.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                return view(request, *args, **kwargs)
            except TooLarge:
                return large()
            except (DatabaseError, InterfaceError) as error:
                log.exception("intake_unavailable", exc_info=error)
                answer = broken()
                answer.headers["Retry-After"] = "5"
                return answer

        return public("The key in the request opens one integration, and nothing else.")(
            csrf_exempt(require_http_methods(list(methods))(answered))
        )

    return decorate


def raw_request(request: HttpRequest) -> RawRequest:
    """Return what was sent.

    Raises:
        TooLarge: More than `MAX_BYTES`.
        InvalidInput: It ended before it was complete.
    """
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if declared.isdigit() and int(declared) > MAX_BYTES:
        raise TooLarge(f"At most {MAX_BYTES} bytes.", field="body")
    try:
        body = _read(request)
    except (UnreadablePostError, OSError) as error:
        raise InvalidInput("Ended before it was complete.", field="body") from error
    if len(body) > MAX_BYTES:
        raise TooLarge(f"At most {MAX_BYTES} bytes.", field="body")
    return RawRequest(
        address=_KEY_IN_PATH.sub("…", request.path),
        body=body,
        content_type=request.headers.get("Content-Type", ""),
        headers={name.lower(): value for name, value in request.headers.items()},
    )


def _read(request: HttpRequest) -> bytes:
    # Django reads nothing without a Content-Length; the server ends a chunked body by itself.
    is_chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    if is_chunked and request.META.get("wsgi.input_terminated"):
        streamed: bytes = request.META["wsgi.input"].read(MAX_BYTES + 1)
        return streamed
    return request.read(MAX_BYTES + 1)


def json_answer(body: dict[str, Any], status: int) -> JsonResponse:
    """Return a plain JSON answer."""
    return JsonResponse(body, status=status)
