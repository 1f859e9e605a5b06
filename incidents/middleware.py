"""A shortcut: alerts are taken before sessions, sign-in and templates see the request (ADR 0013).

It calls the very views that the routes lead to. They ask for a key and for nothing that the
middleware in between provides, so without this one they answer the same, only later, but for names
that have slashes.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import cast

from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware
from django.urls import Resolver404, ResolverMatch, resolve

from core.errors import DomainError
from core.problems import problem_response
from core.program_answers import HEADERS
from incidents.domain.encoded_slashes import kept_apart

__all__ = ["STARTS", "IntakeMiddleware"]

ROUTES = "incidents.intake_urls"
# Of the addresses in them that alerts come to by the thousand.
STARTS = ("/v2/enqueue", "/v2/alerts", "/integrations/v1/", "/generic/2010-04-15/")
# Below these, names of others stand in the address.
_NAMED = ("/v2/alerts/", "/v2/heartbeats/")
View = Callable[[HttpRequest], HttpResponseBase]


class IntakeMiddleware:
    """Answers what senders of alerts post, and knows which slashes belong to a name of Opsgenie's."""

    def __init__(self, get_response: View) -> None:
        self._get_response = get_response
        secured = SecurityMiddleware(convert_exception_to_response(_answered))
        self._secured = cast("View", secured)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        _keep_slashes_apart(request)
        found = _route_of(request)
        if found is None:
            return self._get_response(request)
        request.resolver_match = found
        return self._secured(request)


def _answered(request: HttpRequest) -> HttpResponseBase:
    request.get_host()  # refuses those that are not ours
    found = request.resolver_match
    assert found is not None
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


def _keep_slashes_apart(request: HttpRequest) -> None:
    """Route by the address as it came, where the server tells it: gunicorn does."""
    address = request.META.get("RAW_URI", "")
    if not (address.startswith(_NAMED) and request.path_info.startswith(_NAMED)):
        return
    request.path_info = kept_apart(address) or request.path_info


def _route_of(request: HttpRequest) -> ResolverMatch | None:
    if request.method != "POST" or not request.path_info.startswith(STARTS):
        return None
    return _resolved(request.path_info)


@lru_cache(maxsize=256)
def _resolved(path: str) -> ResolverMatch | None:
    try:
        return resolve(path, urlconf=ROUTES)
    except Resolver404:
        return None
