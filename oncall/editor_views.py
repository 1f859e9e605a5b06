"""Editors of escalation policies and schedules: a form each, that works without JavaScript."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import requires, signed_in
from accounts.models import User
from accounts.roles import Role
from core import clock
from core.errors import DomainError, NotFound
from core.htmx import render_page
from oncall.models import EscalationPolicy, Schedule
from oncall.policy_forms import LevelFormSet, PolicyForm, levels_of, target_choices
from oncall.queries.four_weeks import FourWeeks, four_weeks_of
from oncall.schedule_forms import LayerFormSet, ScheduleForm, layers_of
from oncall.services.policies import delete_policy, save_policy
from oncall.services.schedules import delete_schedule, save_schedule


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def policy_new(request: HttpRequest) -> HttpResponse:
    """Ask for a new policy, filled in with the operations guide's matrix."""
    return _policy(request, EscalationPolicy())


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def policy_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a policy as a form, and change it; escalations that run go on as they began."""
    return _policy(request, _stored_policy(slug))


@require_POST
@requires(Role.MANAGER)
def policy_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Delete a policy by which nothing is called."""
    return _deleted(request, _stored_policy(slug), delete_policy)


@require_POST
@requires(Role.MANAGER)
def schedule_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Delete a schedule by which no policy calls."""
    return _deleted(request, _stored_schedule(slug), delete_schedule)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def schedule_new(request: HttpRequest) -> HttpResponse:
    """Ask for a new schedule."""
    return _schedule(request, Schedule())


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def schedule_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a schedule as a form, show what a change would mean, and change it."""
    return _schedule(request, _stored_schedule(slug))


def _deleted(
    request: HttpRequest, row: EscalationPolicy | Schedule, delete: Callable[..., None]
) -> HttpResponse:
    """Delete a policy or a schedule, and say so; back to its page with the reason why it stays."""
    try:
        delete(row, actor=signed_in(request), now=clock.now())
    except DomainError as error:
        messages.error(request, str(error))
        return redirect(row)
    messages.success(request, f"{row} was deleted.")
    return redirect("oncall:overview")


def _policy(request: HttpRequest, policy: EscalationPolicy) -> HttpResponse:
    user, data = signed_in(request), request.POST or None
    levels = levels_of(policy)
    form = PolicyForm(data, instance=policy, user=user, rows=levels)
    formset = LevelFormSet(
        data,
        initial=levels,
        prefix="levels",
        form_kwargs={"choices": target_choices(policy)},
    )
    if request.method == "POST" and _are_valid(form, formset):
        try:
            saved = save_policy(
                _stored_policy(policy.slug) if policy.pk else EscalationPolicy(),
                fields=form.values(),
                levels=formset.levels(),
                timings=formset.timings(),
                services=form.services(),
                actor=user,
                now=clock.now(),
            )
        except DomainError as error:
            form.refuse_with(formset.given(), error)
        else:
            messages.success(request, f"{saved} was saved.")
            return redirect(saved)
    status = 422 if request.method == "POST" else 200
    context = {
        "form": form,
        "formset": formset,
        "policy": policy if policy.pk else None,
    }
    return render_page(request, "oncall/policy_form.html", context, status=status)


def _schedule(request: HttpRequest, schedule: Schedule) -> HttpResponse:
    user, data = signed_in(request), request.POST or None
    layers = layers_of(schedule)
    form = ScheduleForm(data, instance=schedule, rows=layers)
    formset = LayerFormSet(data, initial=layers, prefix="layers")
    preview, is_saving = None, request.POST.get("act") != "preview"
    if request.method == "POST" and _are_valid(form, formset):
        try:
            # What is typed must not change the row from which the page is drawn.
            stored = _stored_schedule(schedule.slug) if schedule.pk else Schedule()
            preview = _saved(stored, form.values(), formset.layers(), user, keep=is_saving)
        except DomainError as error:
            form.refuse_with(formset.given(), error)
        else:
            if is_saving:
                messages.success(request, f"{preview.schedule} was saved.")
                return redirect(preview.schedule)
    status = 422 if request.method == "POST" and preview is None else 200
    context = {
        "form": form,
        "formset": formset,
        "schedule": schedule if schedule.pk else None,
        "preview": preview,
    }
    return render_page(request, "oncall/schedule_form.html", context, status=status)


def _saved(
    schedule: Schedule,
    fields: Mapping[str, Any],
    layers: list[dict[str, Any]],
    user: User,
    *,
    keep: bool,
) -> FourWeeks:
    """Save a schedule and look at what comes of it; a preview is rolled back."""
    now = clock.now()
    with transaction.atomic():
        saved = save_schedule(schedule, fields=fields, layers=layers, actor=user, now=now)
        found = four_weeks_of(Schedule.objects.with_rota().get(pk=saved.pk), now=now)
        transaction.set_rollback(not keep)
    return found


def _are_valid(form: PolicyForm | ScheduleForm, formset: Any) -> bool:
    """Check both, so that everything that is wrong is said at once."""
    found = [form.is_valid(), formset.is_valid()]
    return all(found)


def _stored_policy(slug: str) -> EscalationPolicy:
    rows = EscalationPolicy.objects.prefetch_related(
        "levels__targets__schedule",
        "levels__targets__person",
        "levels__targets__team",
        "timings",
    )
    found = rows.filter(slug=slug).first()
    if found is None:
        raise NotFound("There is no such policy.")
    return found


def _stored_schedule(slug: str) -> Schedule:
    rows = Schedule.objects.with_rota().prefetch_related("layers__members__person")
    found = rows.filter(slug=slug).first()
    if found is None:
        raise NotFound("There is no such schedule.")
    return found
