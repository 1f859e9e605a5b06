"""The list of alerts."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts.access import requires, signed_in
from accounts.roles import Role
from core.htmx import render_page
from incidents.models import Alert, Severity

PAGE_SIZE = 50


@require_safe
@requires(Role.VIEWER)
def alert_list(request: HttpRequest) -> HttpResponse:
    """Show alerts, firing ones unless asked otherwise, newest first."""
    state = request.GET.get("state", "firing")
    severity = request.GET.get("severity", "")
    alerts = Alert.objects.visible_to(signed_in(request)).select_related("service")
    if state in Alert.State.values:
        alerts = alerts.filter(state=state)
    if severity in Severity.values:
        alerts = alerts.filter(severity=severity)
    if words := request.GET.get("q", "").strip():
        alerts = alerts.filter(title__icontains=words)
    context = {
        "page": Paginator(alerts, PAGE_SIZE).get_page(request.GET.get("page")),
        "state": state,
        "severity": severity,
        "q": request.GET.get("q", ""),
        "states": [*Alert.State.choices, ("all", "All")],
        "severities": Severity.choices,
        "can_act": signed_in(request).has_role(Role.RESPONDER),
    }
    return render_page(request, "incidents/alerts.html", context, partial="rows")
