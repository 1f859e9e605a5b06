"""One's own profile and tokens."""

from datetime import timedelta
from typing import cast

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import requires
from accounts.forms import ProfileForm, TokenForm
from accounts.models import ApiToken, User
from accounts.roles import Role
from accounts.services.tokens import create_token, revoke_token
from accounts.services.users import PROFILE_FIELDS, change_profile
from core import clock
from core.errors import InvalidInput, NotFound
from core.htmx import render_page


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER)
def profile(request: HttpRequest) -> HttpResponse:
    """Show and change one's name and time zone."""
    user = _me(request)
    form = ProfileForm(
        request.POST or None, initial={name: getattr(user, name) for name in PROFILE_FIELDS}
    )
    if request.method == "POST" and form.is_valid():
        change_profile(user=user, fields=form.cleaned_data, now=clock.now())
        messages.success(request, "Your profile is saved.")
        return redirect("accounts:profile")
    return render_page(
        request, "account/profile.html", {"form": form}, status=422 if form.errors else 200
    )


@require_safe
@requires(Role.VIEWER)
def email_address(request: HttpRequest) -> HttpResponse:
    """Lead to the profile, which shows the address; an admin changes it."""
    messages.info(request, "An admin changes email addresses.")
    return redirect("accounts:profile")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER)
def token_list(request: HttpRequest) -> HttpResponse:
    """List one's tokens; a POST makes one and shows it, this once."""
    user, now = _me(request), clock.now()
    form, secret = TokenForm(request.POST or None, user=user), ""
    if request.method == "POST" and form.is_valid():
        days = form.cleaned_data["expires"]
        try:
            _, secret = create_token(
                user=user,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                now=now,
                expires_at=now + timedelta(days=days) if days else None,
            )
            form = TokenForm(user=user)
        except InvalidInput as error:
            form.add_error(None, error.message)
    context = {
        "form": form,
        "secret": secret,
        "rows": [(token, token.is_usable(now)) for token in _tokens_of(user)],
    }
    status = 422 if form.errors else 201 if secret else 200
    return render_page(request, "account/tokens.html", context, status=status)


@require_POST
@requires(Role.VIEWER)
def token_revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    """Revoke one of one's own tokens; others' do not exist here."""
    user = _me(request)
    token = _tokens_of(user).filter(pk=token_id).first()
    if token is None:
        raise NotFound("There is no such token.")
    revoke_token(token, now=clock.now(), actor=user)
    messages.success(request, f"The token {token.name} is revoked.")
    return redirect("accounts:tokens")


def _me(request: HttpRequest) -> User:
    return cast("User", request.user)


def _tokens_of(user: User) -> "QuerySet[ApiToken]":
    return ApiToken.objects.filter(user=user).select_related("user")
