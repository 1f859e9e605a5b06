"""Writing an update of an incident: internal ones at once, public ones after a look at what is public."""

import hashlib

from django.contrib import messages
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from accounts.access import requires, signed_in
from accounts.models import User
from accounts.roles import Role
from core import clock
from core.errors import DomainError
from core.htmx import render_page
from incidents.coordination_forms import UpdateForm
from incidents.domain.communication import Audience
from incidents.models import Incident
from incidents.queries.incidents import visible_incident
from incidents.queries.status_updates import (
    Draft,
    PublicUpdate,
    Template,
    doubts,
    draft_from,
    last_public,
    suggested,
    templates_for,
)
from incidents.services.status_updates import check, publish

__all__ = ["write_internal", "write_public"]

_SALT = "incidents.public_update"
_LOOKED_AT_FOR_S = 3600


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.RESPONDER)
def write_internal(request: HttpRequest, pk: int) -> HttpResponse:
    """Write an internal update; `?template=` fills the draft."""
    incident = visible_incident(signed_in(request), pk)
    if request.method != "POST":
        return _form_page(request, incident, Audience.INTERNAL)
    form = UpdateForm(request.POST, audience=Audience.INTERNAL)
    if form.is_valid() and _told(request, incident, form):
        messages.success(request, "It is in the timeline.", extra_tags="stored")
        return redirect(incident)
    return _form_page(request, incident, Audience.INTERNAL, form)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.RESPONDER)
def write_public(request: HttpRequest, pk: int) -> HttpResponse:
    """Write a public update: the first POST shows what will be public, the second one publishes it.

    What was changed since it was looked at, and what somebody else has told the public since, is to
    be looked at again.
    """
    incident = visible_incident(signed_in(request), pk)
    if request.method != "POST":
        return _form_page(request, incident, Audience.PUBLIC)
    form = UpdateForm(request.POST, audience=Audience.PUBLIC)
    if not form.is_valid() or not _can_be_told(incident, form):
        return _form_page(request, incident, Audience.PUBLIC, form)
    if request.POST.get("step") == "edit":
        return _form_page(request, incident, Audience.PUBLIC, form, status=200)
    draft = form.draft()
    seen = _read(form.cleaned_data["seen"], incident, signed_in(request), draft)
    if request.POST.get("step") != "publish" or seen is None:
        return _preview(request, incident, form)
    if _told(request, incident, form, seen=seen):
        messages.success(request, "It is public.", extra_tags="stored")
        return redirect(incident)
    return _preview(request, incident, form)


def _told(
    request: HttpRequest, incident: Incident, form: UpdateForm, *, seen: int | None = None
) -> bool:
    """Publish once; returns whether it is told. A refusal is shown in the form."""
    user = signed_in(request)
    try:
        with transaction.atomic():
            if form.is_first_time():
                publish(incident.pk, form.draft(), now=clock.now(), actor=user, seen=seen)
    except DomainError as error:
        form.refuse(error)
        return False
    return True


def _can_be_told(incident: Incident, form: UpdateForm) -> bool:
    try:
        check(incident, form.draft())
    except DomainError as error:
        form.refuse(error)
        return False
    return True


def _preview(request: HttpRequest, incident: Incident, form: UpdateForm) -> HttpResponse:
    """Show exactly what will be public; sent again with `seen`, it is published."""
    draft, last = form.draft(), last_public(incident)
    context = {
        "incident": incident,
        "form": form,
        "public": PublicUpdate(str(draft.state), draft.text, clock.now()),
        "last": last,
        "doubts": doubts(incident, draft),
        "seen": _signed(incident, signed_in(request), draft, last.pk if last else 0),
    }
    status = 422 if form.errors else 200
    return render_page(request, "incidents/update_preview.html", context, status=status)


def _form_page(
    request: HttpRequest,
    incident: Incident,
    audience: Audience,
    form: UpdateForm | None = None,
    *,
    status: int = 422,
) -> HttpResponse:
    templates = templates_for(audience)
    if form is None:
        chosen = _chosen(request, incident, audience, templates)
        text = draft_from(chosen.text, incident, audience, now=clock.now()) if chosen else ""
        form, status = UpdateForm(audience=audience, initial={"text": text}), 200
    else:
        chosen = None
    context = {
        "incident": incident,
        "form": form,
        "is_public": audience is Audience.PUBLIC,
        "templates": [("", "An empty draft"), *((each.key, each.name) for each in templates)],
        "chosen": chosen.key if chosen else "",
        "last": last_public(incident) if audience is Audience.PUBLIC else None,
    }
    return render_page(request, "incidents/update_form.html", context, status=status)


def _chosen(
    request: HttpRequest, incident: Incident, audience: Audience, templates: list[Template]
) -> Template | None:
    """Return the template that is asked for, else the one that is next; None: an empty draft."""
    asked = request.GET.get("template")
    if asked is not None:
        return next((each for each in templates if each.key == asked), None)
    kind = suggested(incident, audience)
    return next((each for each in templates if each.kind is kind), None)


def _signed(incident: Incident, user: User, draft: Draft, last: int) -> str:
    return signing.dumps([last, _digest(incident, user, draft)], salt=_SALT)


def _read(token: str, incident: Incident, user: User, draft: Draft) -> int | None:
    """Return the last public update that was known when this very draft was looked at; None: it was not."""
    try:
        last, digest = signing.loads(token, salt=_SALT, max_age=_LOOKED_AT_FOR_S)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return last if digest == _digest(incident, user, draft) else None


def _digest(incident: Incident, user: User, draft: Draft) -> str:
    parts = f"{incident.pk}/{user.pk}/{draft.state}/{draft.text}"
    return hashlib.sha256(parts.encode()).hexdigest()
