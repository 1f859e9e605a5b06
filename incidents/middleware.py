"""A shortcut: alerts are taken before sessions, sign-in and templates see the request (ADR 0013).

It calls the very views that the routes lead to. They ask for a key and for nothing that the
middleware in between provides, so without this one they answer the same, only later.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, ResolverMatch, resolve

from core.errors import DomainError
from core.problems import problem_response
from core.program_answers import HEADERS

__all__ = ["STARTS", "IntakeMiddleware"]

ROUTES = "incidents.intake_urls"
# Of the addresses in them that alerts come to by the thousand.
STARTS = ("/v2/enqueue", "/v2/alerts", "/integrations/v1/", "/generic/2010-04-15/")
View = Callable[[HttpRequest], HttpResponseBase]


class IntakeMiddleware:
    """Answers what senders of alerts post."""

    def __init__(self, get_response: View) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        found = _route_of(request)
        if found is None:
            return self._get_response(request)
        request.get_host()  # refuses those that are not ours
        request.resolver_match = found
        response: HttpResponseBase
        try:
            response = found.func(request, *found.args, **found.kwargs)
        except DomainError as error:
            response = problem_response(error)
        for name, value in HEADERS.items():
            response.headers[name] = value
        if isinstance(response, HttpResponse):
            response.headers["Content-Length"] = str(len(response.content))
        return response


def _route_of(request: HttpRequest) -> ResolverMatch | None:
    if request.method != "POST" or not request.path_info.startswith(STARTS):
        return None
    try:
        return resolve(request.path_info, urlconf=ROUTES)
    except Resolver404:
        return None
