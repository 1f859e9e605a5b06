"""What is answered where no view is: programs get a problem document, people a page."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.views import defaults

from core.errors import InvalidInput, NotFound, Unavailable
from core.problems import (
    CONTENT_TYPE,
    DATABASE_DOWN,
    INTERNAL,
    problem,
    problem_response,
    refusal_of,
    wants_json,
)

UNREADABLE = "The request was refused: its Host, its address or its form cannot be read."
NOWHERE = "There is nothing at this address."


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what is refused before any view is asked, a foreign Host for one (`handler400`)."""
    if wants_json(request):
        return problem_response(refusal_of(exception) or InvalidInput(UNREADABLE))
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address that leads nowhere (Django's `handler404`)."""
    if wants_json(request):
        return problem_response(NotFound(NOWHERE))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an error that nothing caught; the log has its trace (Django's `handler500`).

    A database that does not answer is none of ours: come again.
    """
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return _database_down(request)
    if wants_json(request):
        body = problem(500, INTERNAL, code="internal")
        return JsonResponse(body, status=500, content_type=CONTENT_TYPE)
    return defaults.server_error(request)


def _database_down(request: HttpRequest) -> HttpResponse:
    down = Unavailable(DATABASE_DOWN)
    if wants_json(request):
        return problem_response(down)
    page = loader.get_template("503.html").render()
    return HttpResponse(page, status=503, headers={"Retry-After": str(down.retry_after_s)})
