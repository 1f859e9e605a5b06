"""The simulator: who would be called when, were it to come on Sunday at 03:00."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts.access import requires, signed_in
from accounts.models import User
from accounts.roles import Role
from catalog.models import Service
from catalog.service_fields import offer_services
from core import clock
from core.forms import InstantField
from core.htmx import render_page
from incidents.models import Severity
from incidents.queries.simulation import simulate


class SimulationForm(forms.Form):
    """Of which service, how bad, and when."""

    service = forms.ModelChoiceField(
        Service.objects.none(), to_field_name="slug", empty_label="Choose a service"
    )
    severity = forms.ChoiceField(choices=Severity.choices, required=False)
    at = InstantField(label="At (UTC)", required=False, help_text="")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_services(self, user)


@require_safe
@requires(Role.VIEWER)
def simulate_page(request: HttpRequest) -> HttpResponse:
    """Show all calls of a ladder, were nobody to answer."""
    form = SimulationForm(request.GET or None, user=signed_in(request))
    policy, calls = None, None
    if form.is_bound and form.is_valid():
        said = form.cleaned_data
        at = said["at"] or clock.now()
        policy, found = simulate(said["service"], said["severity"] or Severity.P0, at)
        calls = [(call, call.at - at) for call in found]
    status = 400 if form.is_bound and not form.is_valid() else 200
    context = {"form": form, "policy": policy, "calls": calls}
    return render_page(request, "incidents/simulate.html", context, status=status)
