"""Request id, and refusals of plain views as pages or problem documents."""

import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

import structlog
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from core.errors import DomainError

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

View = Callable[[HttpRequest], HttpResponse]


def current_request_id() -> str:
    """Return the id of the request being served, or "" outside of one."""
    return _request_id.get()


class RequestIdMiddleware:
    """Give each request an id: taken from `X-Request-ID` when well formed, answered in the same."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _ACCEPTED_ID.fullmatch(given) else uuid.uuid4().hex
        token = _request_id.set(request_id)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            response = self.get_response(request)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")
            _request_id.reset(token)
        response["X-Request-ID"] = request_id
        return response


class DomainErrorMiddleware:
    """Answer a `DomainError` of a plain view: JSON for programs, a page for people."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Django's hook: None lets other errors take their way."""
        if not isinstance(error, DomainError):
            return None
        from core.problems import problem_response, wants_json  # noqa: PLC0415 problems needs the id

        if wants_json(request):
            return problem_response(error)
        context = {"error": error, "request_id": current_request_id()}
        return render(request, "error.html", context, status=error.status)
