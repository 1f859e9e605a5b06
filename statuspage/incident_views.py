"""What the public reads of an incident: shown on the incident's page, and typed on one of its own."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import requires, signed_in
from accounts.roles import Role
from core.clock import now
from core.errors import DomainError, NotFound
from core.htmx import render_page
from incidents.models import Incident
from incidents.queries.merges import lives_on_in, merged_into
from statuspage.incident_forms import PublicIncidentForm
from statuspage.models import Component, PublicIncident
from statuspage.queries import incidents
from statuspage.services.publishing import effect_of, save_public_incident

__all__ = ["edit", "panel"]


@require_safe
@requires(Role.VIEWER)
def panel(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what the public reads of an incident, for its page."""
    incident = _incident(request, pk)
    end = lives_on_in(incident) or incident
    context = {
        "incident": incident,
        "told": incidents.of_incident(pk),
        "end": end,
        "is_waited_for": not end.is_open and _is_waited_for(end),
        "row": PublicIncident.objects.filter(incident=pk).first(),
        "can_act": signed_in(request).has_role(Role.RESPONDER),
    }
    return render(request, "statuspage/incident_panel.html", context)


def _is_waited_for(end: Incident) -> bool:
    """Return whether the public was not told that it is over, nor what was merged into it."""
    told = (incidents.of_incident(one.pk) for one in [end, *merged_into(end)])
    return any(one.is_open for one in told if one)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.RESPONDER)
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the public title and for what is affected, and keep it."""
    incident = _incident(request, pk)
    told = PublicIncident.objects.filter(incident=pk).first()
    form = PublicIncidentForm(
        request.POST if request.method == "POST" else None,
        components=Component.objects.shown(),
        told=told,
        otherwise=effect_of(incident),
    )
    if form.is_bound and form.is_valid() and _saved(request, incident, form):
        messages.success(request, "The status page has it.", extra_tags="stored")
        return redirect(incident)
    context = {"incident": incident, "form": form}
    status = 422 if form.is_bound else 200
    return render_page(request, "statuspage/incident_form.html", context, status=status)


def _saved(request: HttpRequest, incident: Incident, form: PublicIncidentForm) -> bool:
    try:
        save_public_incident(
            incident,
            title=form.cleaned_data["title"],
            impact=form.chosen_impact,
            affected=form.affected,
            actor=signed_in(request),
            now=now(),
        )
    except DomainError as error:
        form.refuse(error)
        return False
    return True


def _incident(request: HttpRequest, pk: int) -> Incident:
    rows = Incident.objects.visible_to(signed_in(request)).select_related("service")
    found = rows.filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such incident.")
    return found
