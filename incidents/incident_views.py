"""Pages of one incident: what happens, its actions, and the link in a message."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import public, requires, signed_in
from accounts.models import User
from accounts.roles import Role
from core import clock, panels
from core.errors import DomainError, Forbidden, NotFound
from core.htmx import render_page
from core.once import made_by
from core.pagination import Newest, newest
from incidents.domain.lifecycle import Status
from incidents.incident_forms import (
    AssignForm,
    DeclareForm,
    EscalateForm,
    MergeForm,
    NoteForm,
    RelateForm,
    SeverityForm,
    SnoozeForm,
    SplitForm,
)
from incidents.models import OPEN_STATES, Incident, IncidentChannel
from incidents.queries.after import after
from incidents.queries.coordination import coordination
from incidents.queries.incidents import (
    clocks,
    next_call,
    possible,
    visible_incident,
    visible_incidents,
)
from incidents.queries.merges import lives_on_in
from incidents.queries.quorum import answers_of
from incidents.queries.told import known_alerts, timeline_for
from incidents.services import answering, channels, lifecycle, merging
from incidents.services.acts import name_of
from incidents.services.answering import answer
from incidents.services.lifecycle import Opening
from incidents.services.messages import read_ack_token


@require_safe
@requires(Role.VIEWER)
def incident_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one incident: what is next, who was called, what happened."""
    return _page(request, _incident(request, pk))


@require_safe
@requires(Role.VIEWER)
def incident_with_slash(request: HttpRequest, pk: int) -> HttpResponse:
    """Lead to the incident: all other addresses of pages end in a slash, and so this one is typed."""
    address = resolve_url("incident:detail", pk)
    query = request.META.get("QUERY_STRING", "")
    return redirect(f"{address}?{query}" if query else address)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.RESPONDER)
def declare(request: HttpRequest) -> HttpResponse:
    """Open an incident because somebody says so; people are called at once."""
    user = signed_in(request)
    form = DeclareForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        opening = Opening(
            said["severity"],
            said["title"],
            service_id=said["service"].pk if said["service"] else None,
            summary=said["summary"],
            is_severity_set=True,
        )
        return _declared(form, opening, user)
    status = 422 if request.method == "POST" else 200
    return render_page(request, "incidents/declare.html", {"form": form}, status=status)


def _declared(form: DeclareForm, opening: Opening, user: User) -> HttpResponse:
    """Open the incident and lead to it; sent again, as by a second tap, lead to the first one."""
    with transaction.atomic():
        if form.is_first_time():
            incident = lifecycle.declare(opening, now=clock.now(), actor=user)
            form.remember(incident)
            return redirect(incident)
    known = made_by(form.once)
    return redirect("incident:list") if known is None else redirect("incident:detail", known)


MOST_AT_ALL = 5000
Deed = Callable[[Incident, User, Form | None], object]


def _acknowledge(incident: Incident, user: User, _form: Form | None) -> Incident:
    return lifecycle.acknowledge(incident.pk, now=clock.now(), actor=user, person=user)


def _unacknowledge(incident: Incident, user: User, _form: Form | None) -> None:
    lifecycle.unacknowledge(incident.pk, now=clock.now(), actor=user)


def _escalate(incident: Incident, user: User, form: Form | None) -> None:
    assert form is not None
    step = form.cleaned_data["step"]
    lifecycle.escalate(incident.pk, now=clock.now(), actor=user, step=step)


def _mitigate(incident: Incident, user: User, _form: Form | None) -> None:
    lifecycle.mitigate(incident.pk, now=clock.now(), actor=user)


def _resolve(incident: Incident, user: User, _form: Form | None) -> None:
    lifecycle.resolve(incident.pk, now=clock.now(), actor=user)


def _close(incident: Incident, user: User, _form: Form | None) -> None:
    lifecycle.close(incident.pk, now=clock.now(), actor=user)


def _reopen(incident: Incident, user: User, _form: Form | None) -> None:
    lifecycle.reopen(incident.pk, now=clock.now(), actor=user)


def _unmerge(incident: Incident, user: User, _form: Form | None) -> None:
    merging.unmerge(incident.pk, now=clock.now(), actor=user)


def _snooze(incident: Incident, user: User, form: Form | None) -> None:
    assert form is not None
    now = clock.now()
    until = now + timedelta(minutes=form.cleaned_data["minutes"])
    answering.snooze(incident.pk, until=until, now=now, actor=user, person=user)


def _note(incident: Incident, user: User, form: Form | None) -> None:
    assert isinstance(form, NoteForm)
    with transaction.atomic():
        if form.is_first_time():
            text = form.cleaned_data["text"]
            lifecycle.note(incident.pk, text=text, now=clock.now(), actor=user)


def _severity(incident: Incident, user: User, form: Form | None) -> None:
    assert form is not None
    severity = form.cleaned_data["severity"]
    lifecycle.set_severity(incident.pk, severity=severity, now=clock.now(), actor=user)


def _assign(incident: Incident, user: User, form: Form | None) -> None:
    assert form is not None
    lifecycle.assign(incident.pk, to=form.cleaned_data["to"], now=clock.now(), actor=user)


def _merge(incident: Incident, user: User, form: Form | None) -> None:
    assert form is not None
    into = form.cleaned_data["into"].pk
    merging.merge(incident.pk, into=into, now=clock.now(), actor=user)


def _relate(incident: Incident, user: User, form: Form | None) -> None:
    assert form is not None
    merging.relate(incident.pk, to=form.cleaned_data["other"], now=clock.now(), actor=user)


def _unrelate(incident: Incident, user: User, form: Form | None) -> None:
    assert form is not None
    merging.unrelate(incident.pk, to=form.cleaned_data["other"], now=clock.now(), actor=user)


def _split(incident: Incident, user: User, form: Form | None) -> None:
    assert form is not None
    alerts = [alert.pk for alert in form.cleaned_data["alerts"]]
    merging.split(incident.pk, alerts=alerts, now=clock.now(), actor=user)


def _channel(incident: Incident, user: User, _form: Form | None) -> None:
    channels.open_channel(incident, now=clock.now(), actor=user)


DEEDS: dict[str, Deed] = {
    "acknowledge": _acknowledge,
    "unacknowledge": _unacknowledge,
    "escalate": _escalate,
    "mitigate": _mitigate,
    "resolve": _resolve,
    "close": _close,
    "reopen": _reopen,
    "unmerge": _unmerge,
    "snooze": _snooze,
    "note": _note,
    "severity": _severity,
    "assign": _assign,
    "merge": _merge,
    "relate": _relate,
    "unrelate": _unrelate,
    "split": _split,
    "channel": _channel,
}

# Where an action finds an incident that is no longer to be acted on so.
REACHED_BY: dict[str, tuple[Status, ...]] = {
    "acknowledge": (Status.RESOLVED, Status.CLOSED),
    "mitigate": (Status.MITIGATED, Status.RESOLVED, Status.CLOSED),
    "resolve": (Status.RESOLVED, Status.CLOSED),
    "merge": (Status.MERGED,),
}


@require_POST
@requires(Role.RESPONDER)
def act(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    """Do one thing to an incident and show it; what cannot be done is said on its page."""
    incident, deed = _incident(request, pk), DEEDS.get(action)
    if deed is None:
        raise NotFound("There is no such action.")
    form = _forms(request, incident, bound=action).get(action)
    if form is not None and not form.is_valid():
        return _page(request, incident, status=422, wrong={action: form})
    user = signed_in(request)
    try:
        done = deed(incident, user, form)
    except DomainError as error:
        # Usually somebody was faster: the page as it is now says what can be done.
        _say_why_not(request, incident, action, error)
    else:
        if action == "note":
            messages.success(request, "The note is in the timeline.", extra_tags="stored")
        elif isinstance(done, Incident) and done.acknowledged_by not in ("", name_of(user)):
            messages.info(request, f"Already acknowledged by {done.acknowledged_by}.")
    return redirect(incident)


def _say_why_not(request: HttpRequest, incident: Incident, action: str, error: DomainError) -> None:
    """Say what could not be done; who finds it done, or taps twice, made no mistake."""
    incident.refresh_from_db()
    if incident.status not in REACHED_BY.get(action, ()):
        messages.error(request, str(error))
    elif incident.status in (Status.RESOLVED, Status.CLOSED):
        text = f"Already resolved by {incident.resolved_by}: nobody is called for it."
        messages.info(request, text)
    else:
        messages.info(request, f"It is {incident.get_status_display().lower()} already.")


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@public("The signed link in a page acknowledges one incident for one person, and nothing else.")
def acknowledge_by_link(request: HttpRequest, pk: int, token: str) -> HttpResponse:
    """Show what would be acknowledged, and do it on POST: scanners of mail only ever look."""
    asked = read_ack_token(token)
    incident = Incident.objects.select_related("service").filter(pk=asked.incident).first()
    person = User.objects.filter(pk=asked.person, is_active=True).first()
    is_it = incident is not None and incident.pk == pk and asked.is_about(incident)
    if incident is None or person is None or not is_it:
        raise Forbidden("This link is no longer valid: open the incident instead.")
    can_answer = incident.status in (Status.TRIGGERED, Status.ACKNOWLEDGED)
    if request.method == "POST" and incident.cycle == asked.cycle and can_answer:
        incident = _answered(incident, person)
    context = {
        "incident": incident,
        "person": person,
        "is_current": incident.cycle == asked.cycle,
        "is_waiting": incident.cycle == asked.cycle and incident.status == Status.TRIGGERED,
        "answers": answers_of(incident, person),
        "lives_on": lives_on_in(incident),
    }
    response = render_page(request, "incidents/acknowledge.html", context)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _answered(incident: Incident, person: User) -> Incident:
    """Acknowledge; somebody faster, or the end of it, is what the page then says."""
    try:
        return answer(incident.pk, now=clock.now(), actor=person)
    except DomainError:
        return Incident.objects.select_related("service").get(pk=incident.pk)


def _incident(request: HttpRequest, pk: int) -> Incident:
    return visible_incident(signed_in(request), pk)


def _forms(request: HttpRequest, incident: Incident, *, bound: str = "") -> dict[str, Form]:
    user = signed_in(request)
    data = {name: request.POST if name == bound else None for name in DEEDS}
    return {
        "escalate": EscalateForm(data["escalate"]),
        "snooze": SnoozeForm(data["snooze"]),
        "note": NoteForm(data["note"], incident=incident),
        "severity": SeverityForm(data["severity"], initial={"severity": incident.severity}),
        "assign": AssignForm(data["assign"], initial={"to": incident.assigned_to}),
        "merge": MergeForm(data["merge"], user=user, incident=incident),
        "relate": RelateForm(data["relate"], user=user),
        "unrelate": RelateForm(data["unrelate"], user=user),
        "split": SplitForm(data["split"], user=user, incident=incident),
    }


def _newest(incident: Incident, user: User, *, is_whole: bool) -> dict[str, Any]:
    """Return what the page lists of an incident, and how much older there is of each."""
    known = known_alerts(incident, user).select_related("integration")
    alerts = known.order_by("-opened_at", "-pk")
    timeline = timeline_for(incident, user).order_by("-at", "-pk")
    pages = incident.pages.select_related("person").order_by("-created_at", "-pk")
    found: dict[str, Newest[Any]] = {
        "alerts": newest(alerts, MOST_AT_ALL if is_whole else 50),
        "pages": newest(pages, MOST_AT_ALL if is_whole else 100),
        "timeline": newest(timeline, MOST_AT_ALL if is_whole else 200),
    }
    older = {name: each.older for name, each in found.items()}
    whole = f"{incident.get_absolute_url()}?all=1"
    return {**{name: each.rows for name, each in found.items()}, "older": older, "whole": whole}


def _page(
    request: HttpRequest,
    incident: Incident,
    *,
    status: int = 200,
    wrong: dict[str, Form] | None = None,
) -> HttpResponse:
    now = clock.now()
    is_open = incident.status in OPEN_STATES
    is_whole = "all" in request.GET
    rows = _newest(incident, signed_in(request), is_whole=is_whole)
    timers = clocks(incident, Newest(rows["timeline"], rows["older"]["timeline"]), now=now)
    context = {
        "incident": incident,
        "can_act": signed_in(request).has_role(Role.RESPONDER),
        "possible": possible(incident),
        "channel": IncidentChannel.objects.filter(incident=incident).first(),
        "related": visible_incidents(signed_in(request)).filter(related=incident)[:20],
        "has_slack": bool(settings.SLACK_BOT_TOKEN),
        "is_open": is_open,
        "clocks": timers,
        "next_call": next_call(incident) if is_open else None,
        "answers": answers_of(incident),
        "after": after(incident, signed_in(request), now=now),
        **rows,
        **coordination(incident, signed_in(request), timers, is_whole=is_whole),
        "forms": {**_forms(request, incident), **(wrong or {})},
        "is_refused": bool(wrong),
        "panels": panels.urls("incidents.detail", incident.pk),
        "now": now,
    }
    return render_page(request, "incidents/incident.html", context, status=status)
