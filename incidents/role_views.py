"""Buttons of an incident's roles, and the page on which one is handed over."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import requires, signed_in
from accounts.roles import Role
from core import clock
from core.errors import DomainError, InvalidInput, NotFound
from core.htmx import render_page
from incidents.coordination_forms import OfferForm, RoleForm
from incidents.domain.roles import DUTIES
from incidents.models import Incident
from incidents.queries.incidents import visible_incident
from incidents.services import roles

__all__ = ["act", "offer"]

DEEDS: dict[str, Callable[..., Incident]] = {
    "claim": roles.claim,
    "accept": roles.accept,
    "decline": roles.decline,
    "release": roles.release,
    "take-over": roles.take_over,
}


@require_POST
@requires(Role.RESPONDER)
def act(request: HttpRequest, pk: int, deed: str) -> HttpResponse:
    """Do one thing about one role and show the incident; what cannot be done is said on its page."""
    user = signed_in(request)
    incident, do, form = visible_incident(user, pk), DEEDS.get(deed), RoleForm(request.POST)
    if do is None:
        raise NotFound("There is no such action.")
    if not form.is_valid():
        raise InvalidInput("Choose one of the four roles.", field="role")
    try:
        do(incident.pk, role=form.cleaned_data["role"], person=user, now=clock.now(), actor=user)
    except DomainError as error:
        messages.error(request, str(error))
    return redirect(incident)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.RESPONDER)
def offer(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whom a role is handed to, and offer it to them."""
    user = signed_in(request)
    incident = visible_incident(user, pk)
    form = OfferForm(request.POST or None, initial={"role": request.GET.get("role", "")})
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            roles.offer(incident.pk, **said, person=user, now=clock.now(), actor=user)
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"{said['to']} is asked. You keep it until they accept.")
            return redirect(incident)
    context = {"incident": incident, "form": form, "duties": DUTIES}
    status = 422 if request.method == "POST" else 200
    return render_page(request, "incidents/role_offer.html", context, status=status)
