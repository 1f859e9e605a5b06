"""What happens to a request of the Users API, or a health check, before the rest of the portal."""

from collections.abc import Callable
from typing import cast

from django.http import HttpRequest, HttpResponse

from sre import http
from users_api import health

View = Callable[[HttpRequest], HttpResponse]

API = "/api/users"


class SliMiddleware:
    """Counts every request at or below `/api/users`, whoever answers it; others pass by.

    A slash at the end is taken off first: with or without, it is the same endpoint, and a redirect
    would lose the body.
    """

    def __init__(self, get_response: View) -> None:
        self._get_response = get_response
        self._counted = http.SliMiddleware(get_response, paths=())

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not path.startswith(API) or path[len(API) : len(API) + 1] not in {"", "/"}:
            return self._get_response(request)
        request.path_info = path.rstrip("/")
        request.path = request.path.rstrip("/")
        return cast("HttpResponse", self._counted(cast("http.DjangoRequest", request)))


class HealthMiddleware:
    """Answers health checks before hosts, sessions and redirects are looked at.

    Load balancers ask by address, which is no allowed host, and a broken session store must not
    hide what is broken.
    """

    def __init__(self, get_response: View) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = health.VIEWS.get(request.path_info.rstrip("/"))
        return view(request) if view is not None else self._get_response(request)
