"""Pages of postmortems: which are owed, what was learnt, and the way from a draft to what is published."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import requires, signed_in
from accounts.models import User
from accounts.roles import Role
from core import clock
from core.errors import DomainError, NotFound
from core.htmx import render_page
from core.markdown import rendered_together
from core.pagination import keyset_page
from incidents.domain.postmortems import SECTIONS, Status
from incidents.followup_exports import as_markdown, postmortems_csv
from incidents.followup_forms import CommentForm, PostmortemForm
from incidents.list_filters import is_csv, narrowed
from incidents.models import Incident, Postmortem, Severity
from incidents.queries.incidents import visible_incidents
from incidents.queries.merges import lives_on_in
from incidents.queries.postmortems import (
    STATES,
    approvals,
    demands,
    due_at,
    is_owed,
    listed,
    may_approve,
    of_incident,
    of_parts,
    readable,
    standing,
)
from incidents.services import postmortems
from incidents.unkept import shows_unkept

PAGE_SIZE = 50
NEWEST_FIRST = ("-opened_at", "-id")
# Does something to the postmortem of an incident by what a form says, and returns what to say about it.
Said = Mapping[str, Any]
Deed = Callable[[int, User, Said, datetime], str]


def _begin(pk: int, user: User, _said: Said, now: datetime) -> str:
    postmortems.begin(pk, now=now, actor=user, person=user)
    return "It begins with what is known: write down why it happened."


def _ask(pk: int, user: User, _said: Said, now: datetime) -> str:
    postmortems.ask_for_review(pk, now=now, actor=user, person=user)
    return "It is in review: somebody who did not write it approves it."


def _approve(pk: int, user: User, said: Said, now: datetime) -> str:
    postmortems.approve(pk, **said, now=now, actor=user, person=user)
    return "You approved it."


def _send_back(pk: int, user: User, said: Said, now: datetime) -> str:
    postmortems.send_back(pk, comment=said["comment"], now=now, actor=user, person=user)
    return "It is a draft again."


def _publish(pk: int, user: User, said: Said, now: datetime) -> str:
    postmortems.publish(pk, **said, now=now, actor=user, person=user)
    return "It is published, and the incident is closed."


def _reopen(pk: int, user: User, _said: Said, now: datetime) -> str:
    postmortems.reopen(pk, now=now, actor=user)
    return "It is a draft again; the incident stays as it is."


DEEDS: dict[str, Deed] = {
    "begin": _begin,
    "ask": _ask,
    "approve": _approve,
    "send-back": _send_back,
    "publish": _publish,
    "reopen": _reopen,
}


@require_safe
@requires(Role.VIEWER)
def postmortem_list(request: HttpRequest) -> HttpResponseBase:
    """List what is owed, or how all stand, newest incident first; `format=csv` exports it."""
    user, now = signed_in(request), clock.now()
    state = request.GET.get("state", "all")
    rows = narrowed(listed(user, state, now=now), request)
    severity = request.GET.get("severity", "")
    if severity in Severity.values:
        rows = rows.filter(severity=severity)
    if is_csv(request):
        return postmortems_csv(rows.order_by(*NEWEST_FIRST), user, now=now)
    cursor = request.GET.get("cursor") or None
    page = keyset_page(rows, ordering=NEWEST_FIRST, cursor=cursor, size=PAGE_SIZE)
    context = {
        "page": page,
        "rows": _shown(page.rows, user, now),
        "asked": request.GET,
        "state": state,
        "states": STATES.items(),
        "severities": Severity.choices,
        "can_act": user.has_role(Role.RESPONDER),
        "now": now,
    }
    return render_page(request, "incidents/postmortems.html", context, partial="rows")


@require_safe
@requires(Role.VIEWER)
def postmortem_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a postmortem; viewers read what is published."""
    return _page(request, _postmortem(request, pk))


@shows_unkept({each.name: each.heading for each in SECTIONS})
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.RESPONDER)
def postmortem_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a draft; what somebody else changed meanwhile is kept, or shown."""
    user, found = signed_in(request), _postmortem(request, pk)
    if request.method != "POST" and not _is_open(found):
        return redirect(found)
    form = PostmortemForm(request.POST if request.method == "POST" else None, postmortem=found)
    if form.is_bound and form.is_valid():
        try:
            postmortems.edit(
                pk,
                fields=form.changes,
                seen=found.version,
                now=clock.now(),
                actor=user,
                person=user,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, "It is saved.")
            return redirect(found)
    context = {"form": form, "postmortem": found, "incident": found.incident, "theirs": form.theirs}
    status = 422 if request.method == "POST" else 200
    return render_page(request, "incidents/postmortem_edit.html", context, status=status)


@shows_unkept({"comment": "Comment"})
@require_POST
@requires(Role.RESPONDER)
def postmortem_act(request: HttpRequest, pk: int, deed: str) -> HttpResponse:
    """Take it one step further, or back; what cannot be done is said on the page as it is now."""
    user = signed_in(request)
    incident = visible_incidents(user).filter(pk=pk).first()
    if incident is None or deed not in DEEDS:
        raise NotFound("There is no such postmortem.")
    form = CommentForm(request.POST)
    if not form.is_valid():
        return _page(request, _postmortem(request, pk), form=form, status=422)
    said = form.cleaned_data
    try:
        messages.success(request, DEEDS[deed](pk, user, said, clock.now()))
    except NotFound:
        raise
    except DomainError as error:
        if said["comment"] or "comment" in error.fields:
            form.refuse(error)
            return _page(request, _postmortem(request, pk), form=form, status=422)
        messages.error(request, error.message)
    is_begun = Postmortem.objects.filter(pk=pk).exists()
    return redirect("followup:postmortem", pk) if is_begun else redirect(incident)


@require_safe
@requires(Role.VIEWER)
def postmortem_markdown(request: HttpRequest, pk: int) -> HttpResponse:
    """Hand out a postmortem as a document of its own."""
    text = as_markdown(_postmortem(request, pk))
    name = f"postmortem-{pk}.md"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="text/markdown; charset=utf-8", headers=headers)


def _page(
    request: HttpRequest, found: Postmortem, *, form: CommentForm | None = None, status: int = 200
) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    incident, asked = found.incident, demands()
    items = incident.action_items.select_related("owner").soonest_first()
    is_approved = approvals(found).exists()
    headings = [each.heading for each in SECTIONS]
    texts = [getattr(found, each.name) for each in SECTIONS]
    form = form or CommentForm()
    form.show(found.version)
    can_act = user.has_role(Role.RESPONDER) and incident.merged_into_id is None
    context = {
        "postmortem": found,
        "incident": incident,
        "sections": list(zip(headings, rendered_together(texts), strict=True)),
        "standing": standing(incident, asked, now=now),
        "due_at": due_at(incident, asked) if is_owed(incident, asked) else None,
        "items": [(item, item.is_overdue(now)) for item in items],
        "reviews": found.reviews.order_by("-pk"),
        "is_approved": is_approved,
        "may_approve": may_approve(found, user),
        "lives_on": lives_on_in(incident),
        "parts": of_parts(incident, user),
        "can_act": can_act,
        "can_review": can_act and found.status == Status.IN_REVIEW,
        "form": form,
        "now": now,
    }
    return render_page(request, "incidents/postmortem.html", context, status=status)


def _is_open(found: Postmortem) -> bool:
    """Return whether it may be written: a draft of an incident that does not live on in another one."""
    return found.status == Status.DRAFT and found.incident.merged_into_id is None


def _postmortem(request: HttpRequest, pk: int) -> Postmortem:
    rows = Postmortem.objects.visible_to(signed_in(request))
    found = rows.select_related("incident__service", "author", "edited_by").filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such postmortem.")
    return found


def _shown(incidents: list[Incident], user: User, now: datetime) -> list[dict[str, Any]]:
    """Return incidents with how the postmortem of each stands; drafts are responders' to open."""
    asked = demands()
    return [
        {
            "incident": incident,
            "postmortem": readable(incident, user),
            "is_begun": of_incident(incident) is not None,
            "standing": standing(incident, asked, now=now),
            "due_at": due_at(incident, asked) if is_owed(incident, asked) else None,
        }
        for incident in incidents
    ]
