"""Pages of planned work: made, given public words, and called off."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

from django.contrib import messages
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import requires, signed_in
from accounts.roles import Role
from core import clock
from core.errors import DomainError, NotFound
from core.htmx import render_page
from incidents.models import Maintenance
from incidents.public_pages import words_of
from incidents.queries.public_words import Preview, preview_of
from incidents.queries.silences import first_span, goes_on, next_span
from incidents.services.maintenance import (
    cancel_maintenance,
    check_maintenance,
    plan,
    save_public_words,
)
from incidents.silence_forms import MaintenanceForm, PublicWordsForm
from incidents.silence_views import do_and_list

__all__ = ["maintenance_cancel", "maintenance_new", "maintenance_words"]

_SALT = "incidents.public_maintenance"
_LOOKED_AT_FOR_S = 3600
# What the browser sends beside what somebody typed.
_NOT_TYPED = frozenset({"csrfmiddlewaretoken", "once", "seen", "step"})
Form = MaintenanceForm | PublicWordsForm


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.RESPONDER)
def maintenance_new(request: HttpRequest) -> HttpResponse:
    """Ask for planned work, and plan it; what will be public is shown before it is."""
    user = signed_in(request)
    form = MaintenanceForm(request.POST or None, user=user)

    def look(now: datetime) -> Preview:
        draft = Maintenance(**form.values(now), created_by="draft")
        check_maintenance(draft, now=now)
        return preview_of(draft, first_span(draft, now=now), form.words())

    def make(now: datetime) -> str:
        if not form.is_done(Maintenance.objects.filter(goes_on(now))):
            made = plan(fields=form.values(now), words=form.words(), actor=user, now=now)
            form.remember(made)
        return "It is planned: nobody is called while it lasts."

    return _asked(request, form, look, make, title="Plan maintenance", button="Plan it")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.RESPONDER)
def maintenance_words(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask what the public reads of planned work, and keep it once it was looked at."""
    row = _maintenance(request, pk)
    form = PublicWordsForm(request.POST or None, words=words_of([row.pk])[row.pk])

    def look(now: datetime) -> Preview:
        span = next_span(row, now=now) or (row.starts_at, row.ends_at)
        return preview_of(row, span, form.words())

    def keep(now: datetime) -> str:
        said = asdict(form.words())
        save_public_words(row, said=said, actor=signed_in(request), now=now)
        return "It is kept."

    return _asked(request, form, look, keep, title="What the public reads", button="Keep")


@require_POST
@requires(Role.RESPONDER)
def maintenance_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Call maintenance off; what is silent because of it ends now."""
    row = _maintenance(request, pk)

    def cancel(now: datetime) -> str:
        cancel_maintenance(row, actor=signed_in(request), now=now)
        return "It was called off."

    return do_and_list(request, cancel)


def _maintenance(request: HttpRequest, pk: int) -> Maintenance:
    rows = Maintenance.objects.visible_to(signed_in(request)).select_related("service")
    found = rows.filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such maintenance.")
    return found


def _asked(
    request: HttpRequest,
    form: Form,
    look: Callable[[datetime], Preview],
    deed: Callable[[datetime], str],
    *,
    title: str,
    button: str,
) -> HttpResponse:
    """Show a form, what will be public of it, or do what it asks; a refusal is shown at its field."""
    context = {"form": form, "title": title, "button": button}
    step = request.POST.get("step")
    seen: Preview | None = None
    if form.is_bound and form.is_valid() and step != "edit":
        try:
            seen = look(clock.now())
            if not seen.is_public or (step == "publish" and _was_seen(request)):
                with transaction.atomic():
                    said = deed(clock.now())
                messages.success(request, said)
                return redirect("incidents:silences")
        except DomainError as error:
            seen = None
            form.refuse(error)
        except ValidationError as error:
            seen = None
            form.refuse_words(error)
    if seen is not None:
        typed = [(name, value) for name, values in _typed(request) for value in values]
        once = request.POST.get("once", "")
        shown = {
            **context,
            "preview": seen,
            # Else whoever pressed the second button wonders why it is the same page.
            "is_again": step == "publish",
            "typed": typed,
            "once": once,
            "seen": _signed(request),
        }
        return render_page(request, "incidents/maintenance_preview.html", shown)
    status = 422 if form.is_bound and form.errors else 200
    return render_page(request, "incidents/silence_form.html", context, status=status)


def _typed(request: HttpRequest) -> list[tuple[str, list[str]]]:
    return [(name, values) for name, values in request.POST.lists() if name not in _NOT_TYPED]


def _signed(request: HttpRequest) -> str:
    return signing.dumps(_digest(request), salt=_SALT)


def _was_seen(request: HttpRequest) -> bool:
    """Return whether this person looked at what this very form makes public, a while ago at most."""
    try:
        seen = signing.loads(request.POST.get("seen", ""), salt=_SALT, max_age=_LOOKED_AT_FOR_S)
    except signing.BadSignature:
        return False
    return bool(seen == _digest(request))


def _digest(request: HttpRequest) -> str:
    parts = [request.path, signed_in(request).pk, sorted(_typed(request))]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
