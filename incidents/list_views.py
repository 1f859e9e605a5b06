"""The lists of incidents and alerts, and what is wrong with one service, for its page."""

from datetime import datetime
from typing import Any, TypeVar

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from accounts.access import requires, signed_in
from accounts.roles import Role
from catalog.models import Service
from core import clock
from core.htmx import render_page
from core.pagination import keyset_page
from incidents.domain.lifecycle import OPEN, Status
from incidents.exports import alerts_csv, incidents_csv
from incidents.list_filters import FIGURES, behind_figures, behind_in_words, is_csv, narrowed
from incidents.models import Alert, Incident, Severity
from incidents.queries.incidents import visible_incidents
from incidents.queries.on_duty import first_called

M = TypeVar("M", Incident, Alert)
PAGE_SIZE = 50
NEWEST_FIRST = ("-opened_at", "-id")
UNMERGED = "unmerged"


@require_safe
@requires(Role.VIEWER)
def incident_list(request: HttpRequest) -> HttpResponseBase:
    """Show incidents, open ones unless asked otherwise, newest first; `format=csv` exports them."""
    state, now = request.GET.get("state", "open"), clock.now()
    rows = _narrowed(visible_incidents(signed_in(request)), request)
    rows = behind_figures(rows, request, now=now)
    if state == "open":
        rows = rows.filter(status__in=OPEN)
    elif state == UNMERGED:
        rows = rows.exclude(status=Status.MERGED)
    elif state in set(Status):
        rows = rows.filter(status=state)
    if request.GET.get("mine"):
        rows = rows.filter(assigned_to=signed_in(request))
    if is_csv(request):
        return incidents_csv(rows.order_by(*NEWEST_FIRST))
    states = [
        ("open", "Open"),
        *((s, s.capitalize()) for s in Status),
        (UNMERGED, "All but merged"),
        ("all", "All"),
    ]
    narrowing = [(name, request.GET[name]) for name in FIGURES if request.GET.get(name)]
    context = {
        **_listed(rows, request, now=now),
        "states": states,
        "state": state,
        "narrowing": narrowing,
        "behind": behind_in_words(request, now=now),
    }
    return render_page(request, "incidents/list.html", context, partial="rows")


@require_safe
@requires(Role.VIEWER)
def alert_list(request: HttpRequest) -> HttpResponseBase:
    """Show alerts, firing ones unless asked otherwise, newest first; `format=csv` exports them."""
    state = request.GET.get("state", "firing")
    seen = Alert.objects.visible_to(signed_in(request)).select_related("service", "incident")
    rows = _narrowed(seen, request)
    if state in Alert.State.values:
        rows = rows.filter(state=state)
    if is_csv(request):
        return alerts_csv(rows.order_by(*NEWEST_FIRST))
    states = [*Alert.State.choices, ("all", "All")]
    context = {**_listed(rows, request, now=clock.now()), "states": states, "state": state}
    return render_page(request, "incidents/alerts.html", context, partial="rows")


@require_safe
@requires(Role.VIEWER)
def service_panel(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what is wrong with one service and who is called for it, for its page."""
    user = signed_in(request)
    service = get_object_or_404(Service.objects.visible_to(user), slug=slug)
    still_open = Incident.objects.filter(service=service, status__in=OPEN)
    context = {
        "service": service,
        "incidents": still_open.select_related("assigned_to").order_by("severity", "opened_at")[
            :10
        ],
        "alerts": Alert.objects.firing().filter(service=service).count(),
        "duty": first_called(service, clock.now()),
    }
    return render(request, "incidents/service_panel.html", context)


def _narrowed(rows: QuerySet[M], request: HttpRequest) -> QuerySet[M]:
    """Apply the query parameters that both lists have: severity, service, q."""
    severity = request.GET.get("severity", "")
    if severity in Severity.values:
        rows = rows.filter(severity=severity)
    return narrowed(rows, request)


def _listed(rows: QuerySet[Any], request: HttpRequest, *, now: datetime) -> dict[str, Any]:
    """Return the context that both lists have."""
    cursor = request.GET.get("cursor") or None
    return {
        "page": keyset_page(rows, ordering=NEWEST_FIRST, cursor=cursor, size=PAGE_SIZE),
        "asked": request.GET,
        "severities": Severity.choices,
        "can_act": signed_in(request).has_role(Role.RESPONDER),
        "now": now,
    }
