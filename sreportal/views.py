"""The one page action that belongs to no app."""

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.access import requires
from accounts.models import User
from accounts.roles import Role
from core import demo
from core.clock import now


@require_POST
@requires(Role.ADMIN)
def remove_demo(request: HttpRequest) -> HttpResponse:
    """Stop demonstration traffic for good and delete the persons it made."""
    if demo.remove(now=now(), actor=cast("User", request.user)):
        messages.success(
            request, "The demonstration is removed. What it measured stays as history."
        )
    else:
        messages.info(request, "The demonstration was off already.")
    return redirect("/")
