"""The page of a handoff: what must be known when the person on call changes, and both signatures."""

from datetime import datetime, timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods

from accounts.access import requires, signed_in
from accounts.models import User
from accounts.roles import Role
from core import clock
from core.errors import DomainError, NotFound
from core.htmx import render_page
from dashboard.handoff_queries import situation
from oncall.models import Handoff, Schedule
from oncall.queries.handoffs import Change, change_at, changes_around
from oncall.services import handoffs

# So long after a change its handoff is what the page shows, unless both have signed.
_LINGERS = timedelta(hours=12)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER)
def handoff(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the handoff of now, or that of the instant asked for; who goes and who comes sign."""
    schedule = Schedule.objects.with_rota().select_related("team").filter(slug=slug).first()
    if schedule is None:
        raise NotFound("There is no such schedule.")
    now = clock.now()
    change = _asked_for(request, schedule) or _present(schedule, now)
    if request.method == "POST" and change is not None:
        _sign(request, schedule, change, now=now)
        return redirect(f"{request.path}?at={change.at.isoformat().replace('+00:00', 'Z')}")
    return _page(request, schedule, change, now=now)


def _sign(request: HttpRequest, schedule: Schedule, change: Change, *, now: datetime) -> None:
    user = signed_in(request)
    try:
        if request.POST.get("act") == "take":
            handoffs.take(schedule, change, actor=user, now=now)
            messages.success(request, "You have taken over.")
        else:
            notes = request.POST.get("notes", "")
            handoffs.give(schedule, change, notes=notes, actor=user, now=now)
            messages.success(request, "It is signed: whoever comes reads it here.")
    except DomainError as error:
        messages.error(request, str(error))


def _page(
    request: HttpRequest, schedule: Schedule, change: Change | None, *, now: datetime
) -> HttpResponse:
    user = signed_in(request)
    row = change and Handoff.objects.filter(schedule=schedule, at=change.at).first()
    outgoing, incoming = (change.outgoing, change.incoming) if change else (None, None)
    people = User.objects.in_bulk({key for key in (outgoing, incoming) if key is not None})
    is_manager = user.has_role(Role.MANAGER)
    since = change.since if change else now - timedelta(days=7)
    context = {
        "schedule": schedule,
        "change": change,
        "row": row or None,
        "outgoing": people.get(outgoing or 0),
        "incoming": people.get(incoming or 0),
        "may_give": change is not None and (is_manager or user.pk == outgoing),
        "may_take": change is not None and (is_manager or user.pk == incoming),
        "since": since,
        "now": now,
        "situation": situation(schedule, user, since=since, now=now),
        "earlier": Handoff.objects.filter(schedule=schedule).select_related("outgoing", "incoming")[
            :10
        ],
    }
    return render_page(request, "dashboard/handoff.html", context)


def _asked_for(request: HttpRequest, schedule: Schedule) -> Change | None:
    try:
        at = parse_datetime(request.GET.get("at", "").replace(" ", "+"))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        return None
    found = change_at(schedule, at)
    if found is None:
        raise NotFound("Nobody on call changes then.")
    return found


def _present(schedule: Schedule, now: datetime) -> Change | None:
    """Return the last change for as long as it is fresh and not signed by both, else the next."""
    around = changes_around(schedule, now)
    last = next((change for change in around if change.at <= now), None)
    if last is not None and now - last.at < _LINGERS:
        signed = Handoff.objects.filter(schedule=schedule, at=last.at, taken_at__isnull=False)
        if not signed.exists():
            return last
    return around[-1] if around else None
