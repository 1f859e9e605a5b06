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
from core.errors import Conflict, DomainError, Forbidden, InvalidInput, NotFound
from core.htmx import render_page
from dashboard.handoff_queries import situation
from oncall.forms import HandoffForm
from oncall.models import Handoff, Schedule
from oncall.queries.handoffs import Change, change_at, changes_around
from oncall.services import handoffs

# So long after a change its handoff is what the page shows, unless both have signed.
_LINGERS = timedelta(hours=12)
_CHANGED = (
    "The change that this page was about is no longer planned: somebody changed the schedule."
)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER)
def handoff(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the handoff of now, or that of the instant asked for; who goes and who comes sign."""
    schedule = Schedule.objects.with_rota().select_related("team").filter(slug=slug).first()
    if schedule is None:
        raise NotFound("There is no such schedule.")
    now = clock.now()
    if request.method == "POST":
        return _sign(request, schedule, now=now)
    change = _asked_for(request, schedule) or _present(schedule, now)
    return _page(request, schedule, change, now=now)


def _sign(request: HttpRequest, schedule: Schedule, *, now: datetime) -> HttpResponse:
    """Sign for who goes or who comes, at the change that the page of the button showed."""
    form = HandoffForm(request.POST)
    try:
        change = _asked_for(request, schedule) or _present(schedule, now)
    except NotFound:
        change = None
    if change is None:
        return _not_planned(request, schedule, form, now=now)
    if request.POST.get("act") == "take":
        _take(request, schedule, change, now=now)
    elif not _give(request, schedule, change, form, now=now):
        return _page(request, schedule, change, now=now, form=form)
    return redirect(f"{request.path}?at={change.at.isoformat().replace('+00:00', 'Z')}")


def _not_planned(
    request: HttpRequest, schedule: Schedule, form: HandoffForm, *, now: datetime
) -> HttpResponse:
    """Say that the schedule has changed, above the page as it is now; the form keeps its words."""
    if request.POST.get("act") == "take":
        messages.error(request, f"{_CHANGED} Nothing was signed.")
        return redirect(request.path)
    form.add_error(None, f"{_CHANGED} Nothing was signed: what you wrote is kept here.")
    return _page(request, schedule, _present(schedule, now), now=now, form=form)


def _take(request: HttpRequest, schedule: Schedule, change: Change, *, now: datetime) -> None:
    """Sign for who comes; what cannot be done is said above the page as it is now."""
    seen = request.POST.get("seen")
    try:
        handoffs.take(schedule, change, actor=signed_in(request), now=now, seen=seen)
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "You have taken over.")


def _give(
    request: HttpRequest, schedule: Schedule, change: Change, form: HandoffForm, *, now: datetime
) -> bool:
    """Sign for who goes; returns whether it was done. Otherwise the form says why not."""
    if not form.is_valid():
        return False
    notes, seen = form.cleaned_data["notes"], form.cleaned_data["seen"] or None
    try:
        handoffs.give(schedule, change, notes=notes, actor=signed_in(request), now=now, seen=seen)
    except (Conflict, Forbidden, InvalidInput) as error:
        form.refuse(error)
        return False
    messages.success(request, "It is signed: whoever comes reads it here.")
    return True


def _page(
    request: HttpRequest,
    schedule: Schedule,
    change: Change | None,
    *,
    now: datetime,
    form: HandoffForm | None = None,
) -> HttpResponse:
    user = signed_in(request)
    row = change and Handoff.objects.filter(schedule=schedule, at=change.at).first()
    outgoing, incoming = (change.outgoing, change.incoming) if change else (None, None)
    people = User.objects.in_bulk({key for key in (outgoing, incoming) if key is not None})
    is_manager = user.has_role(Role.MANAGER)
    edition = (row or Handoff()).edition
    shown = form or HandoffForm(initial={"notes": row.notes if row else ""})
    shown.show(edition)
    since = change.since if change else now - timedelta(days=7)
    context = {
        "schedule": schedule,
        "change": change,
        "row": row or None,
        "outgoing": people.get(outgoing or 0),
        "incoming": people.get(incoming or 0),
        "may_give": change is not None and (is_manager or user.pk == outgoing),
        "form": shown,
        "edition": edition,
        "may_take": change is not None and (is_manager or user.pk == incoming),
        "since": since,
        "now": now,
        "situation": situation(schedule, user, since=since, now=now),
        "earlier": Handoff.objects.filter(schedule=schedule).select_related("outgoing", "incoming")[
            :10
        ],
    }
    status = 200 if form is None else 422
    return render_page(request, "dashboard/handoff.html", context, status=status)


def _asked_for(request: HttpRequest, schedule: Schedule) -> Change | None:
    try:
        # A button is about the change that its page showed, whatever has become the present one.
        asked = request.POST.get("at") or request.GET.get("at", "")
        at = parse_datetime(asked.replace(" ", "+"))
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
