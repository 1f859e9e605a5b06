"""Receipts as pages: why somebody was called for an incident or an alert, or why nobody was."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts.access import requires, signed_in
from accounts.roles import Role
from core import clock
from core.errors import NotFound
from core.htmx import render_page
from incidents.models import Alert
from incidents.queries.alert_receipts import receipt_of_alert
from incidents.queries.incidents import visible_incidents
from incidents.queries.receipts import receipt_of_incident
from incidents.queries.told import known_alerts

MOST_ALERTS = 50


@require_safe
@requires(Role.VIEWER)
def incident_receipt(request: HttpRequest, pk: int) -> HttpResponse:
    """Show why people were called for an incident, and others were not."""
    user = signed_in(request)
    incident = visible_incidents(user).filter(pk=pk).first()
    if incident is None:
        raise NotFound("There is no such incident.")
    context = {
        "incident": incident,
        "receipt": receipt_of_incident(incident, user, now=clock.now()),
        "alerts": known_alerts(incident, user).order_by("opened_at", "pk")[:MOST_ALERTS],
    }
    return render_page(request, "incidents/receipt.html", context)


@require_safe
@requires(Role.VIEWER)
def alert_receipt(request: HttpRequest, pk: int) -> HttpResponse:
    """Show why an alert called somebody, or nobody."""
    user = signed_in(request)
    alerts = Alert.objects.visible_to(user).select_related("integration", "service")
    alert = alerts.filter(pk=pk).first()
    if alert is None:
        raise NotFound("There is no such alert.")
    context = {"alert": alert, "receipt": receipt_of_alert(alert, user)}
    return render_page(request, "incidents/receipt.html", context)
