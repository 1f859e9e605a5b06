"""Sign-in where nothing else is said, and the second factor where a role needs it."""

from collections.abc import Callable
from typing import Any

from allauth.mfa.adapter import get_adapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from accounts.access import ask_to_sign_in
from accounts.models import User
from core.errors import Forbidden
from core.problems import problem_response, wants_json


class SignInMiddleware(LoginRequiredMiddleware):
    """A view that does not say otherwise wants a signed-in person."""

    def process_view(
        self, request: HttpRequest, view_func: Any, view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        """Look at the view first: what is open must not need the database for the session."""
        if not getattr(view_func, "login_required", True):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: Any
    ) -> HttpResponseBase:
        """Send people to sign in and tell programs what is missing."""
        return ask_to_sign_in(request, self.get_login_url(view_func))


class SecondFactorMiddleware:
    """Whoever has a role of `MFA_REQUIRED_ROLES` sets up a second factor before anything else.

    Tokens are not asked: they are a factor of their own, made by somebody who had both.
    """

    # The status page asks nobody who they are, and must not read the session to find out.
    OPEN = ("/accounts/2fa/", "/accounts/logout/", "/accounts/reauthenticate/", "/status/")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Send people to set up a second factor; tell programs so."""
        if not self._lacks_it(request):
            return self.get_response(request)
        if wants_json(request):
            return problem_response(Forbidden("Your role needs a second factor; set one up."))
        messages.warning(request, "Your role needs a second factor. Set one up to go on.")
        return redirect("mfa_activate_totp")

    def _lacks_it(self, request: HttpRequest) -> bool:
        if not settings.MFA_REQUIRED_ROLES or request.path_info.startswith(self.OPEN):
            return False
        user = request.user
        required = isinstance(user, User) and user.role in settings.MFA_REQUIRED_ROLES
        return required and not get_adapter().is_mfa_enabled(user)
