"""Request id, both forms of an address, and refusals of plain views as pages or problem documents."""

import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.urls import is_valid_path

from core.enclosing import page_above
from core.errors import DomainError, InvalidInput

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_OF_PROGRAMS = ("/api/", "/sre/", "/v1/")
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
        given = request.META.get("HTTP_X_REQUEST_ID", "")
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


class AddressMiddleware:
    """Serves programs' addresses with and without a slash at the end.

    Django redirects one to the other, and a redirect loses the method and the body.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path.startswith(_OF_PROGRAMS) and not is_valid_path(path):
            other = path.removesuffix("/") if path.endswith("/") else f"{path}/"
            if is_valid_path(other):
                request.path = request.path.removesuffix(path) + other
                request.path_info = other
        return self.get_response(request)


class DomainErrorMiddleware:
    """Answer what a plain view refuses, or cannot read: JSON for programs, a page for people."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        is_silent = isinstance(answer, HttpResponseNotAllowed) and not answer.content
        return self._no_page(request, answer) if is_silent else answer

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Django's hook: None lets other errors take their way."""
        from core import problems  # noqa: PLC0415 problems needs the id

        refusal = error if isinstance(error, DomainError) else problems.refusal_of(error)
        return None if refusal is None else self._answer(request, refusal)

    def process_view(self, request: HttpRequest, view: Any, *_args: Any) -> HttpResponse | None:
        """Django's hook: refuse what no database compares with, before any view does.

        But for views that say `takes_any_query`: they clean what they read.
        """
        if getattr(view, "takes_any_query", False):
            return None
        wrong = [
            name for name, given in request.GET.lists() if "\0" in name or "\0" in "".join(given)
        ]
        if not wrong:
            return None
        message = "Must not hold a NUL character."
        return self._answer(
            request, InvalidInput(message, fields={name: [message] for name in wrong})
        )

    def _no_page(self, request: HttpRequest, refused: HttpResponse) -> HttpResponse:
        """Give people a page where only a button of another page leads, as after F5 or Enter."""
        from core import problems  # noqa: PLC0415 problems needs the id

        if problems.wants_json(request):
            return refused
        context = {"page": page_above(request.path_info)}
        shown = render(request, "405.html", context, status=405)
        shown["Allow"] = refused["Allow"]
        return shown

    def _answer(self, request: HttpRequest, refusal: DomainError) -> HttpResponse:
        from core import problems  # noqa: PLC0415 problems needs the id

        if problems.wants_json(request):
            return problems.problem_response(refusal)
        context = {"error": refusal, "request_id": current_request_id()}
        return render(request, "error.html", context, status=refusal.status)
