"""Sign-in where nothing else is said."""

from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.access import ask_to_sign_in


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
