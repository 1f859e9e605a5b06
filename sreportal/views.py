"""What belongs to no app."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.http import require_POST, require_safe

from accounts.access import public, requires, signed_in
from accounts.roles import Role
from core import demo
from core.clock import now


@require_POST
@requires(Role.ADMIN)
def remove_demo(request: HttpRequest) -> HttpResponse:
    """Stop demonstration traffic for good and delete the persons it made."""
    if demo.remove(now=now(), actor=signed_in(request)):
        messages.success(
            request, "The demonstration is removed. What it measured stays as history."
        )
    else:
        messages.info(request, "The demonstration was off already.")
    return redirect("/")


@require_safe
@public("Browsers ask for it before anybody signs in, also on pages that name no icon.")
def favicon(request: HttpRequest) -> HttpResponse:
    """Send to the icon's own address."""
    return redirect(static("img/favicon.svg"))
