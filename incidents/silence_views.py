"""Pages of silences and maintenance: what nobody is called for, until when, and why."""

from collections.abc import Callable
from datetime import datetime

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import requires, signed_in
from accounts.roles import Role
from core import clock
from core.errors import DomainError, NotFound
from core.htmx import render_page
from core.pagination import newest
from incidents.domain.silencing import written
from incidents.exports import silences_csv
from incidents.list_filters import is_csv, narrowed
from incidents.models import Alert, Maintenance, Silence
from incidents.queries.silences import goes_on, next_span
from incidents.services.silences import end_silence, save_silence
from incidents.silence_forms import SilenceForm

PAGE_SIZE = 50
# Of all of it the next occurrence is worked out.
MOST_PLANNED = 200
STATES = (("", "Holds or is planned"), ("ended", "Ended"), ("all", "All"))
# Does something at an instant, and returns what to say about it.
Deed = Callable[[datetime], str]
# Labels that tell an alert from its brothers in most systems.
_TELLING = ("alertname", "alarm", "monitor", "instance")


@require_safe
@requires(Role.VIEWER)
def silence_list(request: HttpRequest) -> HttpResponseBase:
    """List what holds and what is planned, ended silences on demand; `format=csv` exports them."""
    user, now = signed_in(request), clock.now()
    state = request.GET.get("state", "")
    silences = _silences(request, state, now)
    if is_csv(request):
        return silences_csv(silences, now=now)
    planned = Maintenance.objects.visible_to(user).select_related("service").with_early_ends()
    planned = narrowed(planned.filter(goes_on(now)), request, words_in=("comment",))
    soonest = newest(planned.order_by("starts_at", "pk"), MOST_PLANNED)
    context = {
        "page": Paginator(silences, PAGE_SIZE).get_page(request.GET.get("page")),
        "maintenance": _upcoming(soonest.rows, now),
        "left_out": soonest.older,
        "asked": request.GET,
        "state": state,
        "states": STATES,
        "is_filtered": bool(request.GET.get("q", "").strip() or request.GET.get("service")),
        "can_act": user.has_role(Role.RESPONDER),
        "now": now,
    }
    return render_page(request, "incidents/silences.html", context, partial="rows")


def _silences(request: HttpRequest, state: str, now: datetime) -> QuerySet[Silence]:
    """Return the silences that are asked for: the next first, where they may have ended the last one."""
    rows = Silence.objects.visible_to(signed_in(request)).select_related("service")
    if state == "ended":
        rows = rows.filter(ends_at__lte=now)
    elif state != "all":
        rows = rows.filter(ends_at__gt=now)
    rows = narrowed(rows.with_matcher_words(), request, words_in=("comment", "matcher_words"))
    return rows.order_by("-ends_at" if state in {"ended", "all"} else "starts_at", "pk")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.RESPONDER)
def silence_new(request: HttpRequest) -> HttpResponse:
    """Ask for a silence, filled in for one alert where it is named, and make it."""
    user = signed_in(request)
    form = SilenceForm(request.POST or None, user=user, initial=_of_alert(request))

    def make(now: datetime) -> str:
        if not form.is_done(Silence.objects.filter(ends_at__gt=now)):
            made = save_silence(Silence(), fields=form.values(now), actor=user, now=now)
            form.remember(made)
        return "Nobody is called for it. It ends by itself."

    return _ask(request, form, make, title="New silence", button="Silence")


@require_POST
@requires(Role.RESPONDER)
def silence_end(request: HttpRequest, pk: int) -> HttpResponse:
    """End a silence now; people are called for what still fires."""
    user = signed_in(request)
    silence = Silence.objects.visible_to(user).filter(pk=pk).first()
    if silence is None:
        raise NotFound("There is no such silence.")

    def end(now: datetime) -> str:
        end_silence(silence, actor=user, now=now)
        return "It has ended: people are called for what still fires."

    return do_and_list(request, end)


def _ask(
    request: HttpRequest,
    form: SilenceForm,
    make: Deed,
    *,
    title: str,
    button: str,
) -> HttpResponse:
    """Show a form, or do what it asks and show the list; a refusal is shown at its field."""
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                said = make(clock.now())
            messages.success(request, said)
        except DomainError as error:
            form.refuse(error)
        else:
            return redirect("incidents:silences")
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "title": title, "button": button}
    return render_page(request, "incidents/silence_form.html", context, status=status)


def do_and_list(request: HttpRequest, deed: Deed) -> HttpResponse:
    """Do something and show the list; what cannot be done is said there."""
    try:
        messages.success(request, deed(clock.now()))
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("incidents:silences")


def _upcoming(
    rows: list[Maintenance], now: datetime
) -> list[tuple[Maintenance, datetime, datetime]]:
    """Return planned work with its present or next occurrence, soonest first."""
    spans = [(row, next_span(row, now=now)) for row in rows]
    found = [(row, *span) for row, span in spans if span is not None]
    return sorted(found, key=lambda each: each[1])


def _of_alert(request: HttpRequest) -> dict[str, str]:
    """Return what a silence of one alert begins with."""
    asked = request.GET.get("alert", "")
    if not asked.isascii() or not asked.isdigit() or len(asked) > 18:
        return {}
    alert = Alert.objects.visible_to(signed_in(request)).filter(pk=int(asked)).first()
    if alert is None:
        return {}
    names = [name for name in _TELLING if alert.labels.get(name)]
    pairs = [(name, str(alert.labels[name])) for name in names] or [("title", alert.title)]
    lines = [written({"name": name, "op": "=", "value": value}) for name, value in pairs]
    service = alert.service.slug if alert.service else ""
    return {"service": service, "matchers": "\n".join(lines)}
