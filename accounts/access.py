"""Whom a plain view lets in. Every view says so; a test walks the resolver and finds those silent.

@requires(Role.VIEWER)                  people of that role, signed in
@requires(Role.VIEWER, scope="read")    the same, or a program with such a token
@public("The status page is for everyone.")
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from rest_framework.request import Request

from accounts.authentication import authenticate, given_token
from accounts.models import ApiToken, User
from accounts.roles import Role
from accounts.scopes import Scope
from core.enclosing import page_at
from core.errors import Forbidden, NotAuthenticated
from core.problems import problem_response, wants_json

View = Callable[..., HttpResponseBase]
# Said after signing in, when what was pressed before it was not done; a session would be a row for
# every stranger's request.
UNDONE_COOKIE = "undone"
UNDONE_FOR_S = 3600
_SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


@dataclass(frozen=True)
class Access:
    """Whom a view lets in.

    Attributes:
        role: The least role, or None when everyone may come in.
        scope: The scope with which a token is let in too, or None when tokens are not.
        reason: Why everyone may come in.
    """

    role: Role | None
    scope: Scope | None = None
    reason: str = ""


def requires(role: Role, *, scope: Scope | str | None = None) -> Callable[[View], View]:
    """Let in people of at least `role`; with `scope`, also tokens that carry it.

    Unknown people are sent to sign in; programs get 401, and 403 says which role or scope is
    missing. A token view that takes POST must be `csrf_exempt` and must not rely on the session.
    """
    access = Access(role, Scope(scope) if scope else None)

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if access.scope is not None and given_token(request) is not None:
                request.user = authenticate(request, access.scope).user
            if not isinstance(request.user, User):
                return ask_to_sign_in(request)
            if not request.user.has_role(role):
                raise Forbidden(f"This needs the role {role.label.lower()} or more.")
            return view(request, *args, **kwargs)

        guarded.access = access  # type: ignore[attr-defined]
        guarded.login_required = False  # type: ignore[attr-defined]
        return guarded

    return decorate


def public(reason: str) -> Callable[[View], View]:
    """Let everyone in, for a reason that a reviewer can judge."""

    def decorate(view: View) -> View:
        view.access = Access(None, reason=reason)  # type: ignore[attr-defined]
        view.login_required = False  # type: ignore[attr-defined]
        return view

    return decorate


def signed_in(request: HttpRequest | Request) -> User:
    """Return who asks; for views, admin pages and API operations that strangers do not reach.

    Raises:
        NotAuthenticated: Nobody is signed in and no token was sent.
    """
    if not isinstance(request.user, User):
        raise NotAuthenticated("Sign in first.")
    return request.user


def acting(request: HttpRequest | Request) -> User | ApiToken:
    """Return whom the audit names: the token where one was sent, for it may be in other hands.

    Raises:
        NotAuthenticated: Nobody is signed in and no token was sent.
    """
    token = getattr(request, "auth", None)
    return token if isinstance(token, ApiToken) else signed_in(request)


def ask_to_sign_in(request: HttpRequest, login_url: str = "account_login") -> HttpResponseBase:
    """Answer somebody unknown: 401 to programs, the sign-in page to people.

    From there they come back to the page they were on, and are told when something that they
    pressed was not done. HTMX is told to move the whole page, so no sign-in form appears inside a
    table.
    """
    if wants_json(request):
        # Returned, not raised: middleware calls this where no error middleware listens.
        message = "Sign in, or send a token: `Authorization: Bearer srp_…`."
        return problem_response(NotAuthenticated(message))
    sign_in = redirect_to_login(_page_of(request), resolve_url(login_url))
    is_fragment = "HX-Request" in request.headers
    answer = HttpResponse(headers={"HX-Redirect": sign_in.url}) if is_fragment else sign_in
    if request.method not in _SAFE:
        answer.set_cookie(
            UNDONE_COOKIE,
            "1",
            max_age=UNDONE_FOR_S,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return answer


def _page_of(request: HttpRequest) -> str:
    """Return the address of the page that a person is on: no button's, no fragment's.

    Where the browser does not say, a button leads to the overview.
    """
    if "HX-Request" in request.headers:
        stated = request.headers.get("HX-Current-URL", "")
    elif request.method in _SAFE:
        return request.get_full_path()
    else:
        stated = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(stated, {request.get_host()}):
        return "/"
    parts = urlsplit(stated)
    path = f"/{parts.path.lstrip('/')}"
    page = page_at(path)
    return f"{page}?{parts.query}".removesuffix("?") if page == path else page
