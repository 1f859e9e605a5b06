"""Who is on call, the schedules, and the policies by which services are called."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import requires, signed_in
from accounts.roles import Role
from catalog.models import Service
from core import clock
from core.errors import DomainError, Forbidden, NotFound
from core.htmx import render_page
from core.reach import day_asked_for
from oncall.domain.escalations import Phase
from oncall.forms import OverrideForm, SwapForm
from oncall.models import EscalationPolicy, Override, OverrideFeed, Schedule
from oncall.models.policies import PHASE_TITLES
from oncall.queries.four_weeks import four_weeks_of
from oncall.queries.overlaps import MOST_SHOWN
from oncall.queries.policies import ladder_of
from oncall.queries.reachability import holes, notes
from oncall.queries.standings import standings
from oncall.queries.swaps import may_accept, may_withdraw, open_swaps, swaps_to_accept
from oncall.services.schedules import delete_override, save_override

SEVERITIES = ("P0", "P1", "P2", "P3")


@require_safe
@requires(Role.VIEWER)
def overview(request: HttpRequest) -> HttpResponse:
    """Say whether I am on call, and who is on call of each schedule now and next."""
    user, now = signed_in(request), clock.now()
    found = standings(user, now=now)
    context = {
        "rows": found.rows,
        "mine": found.mine[:5],
        "is_on_call": found.is_on_call,
        "until": found.until,
        "ends": found.ends,
        "policies": EscalationPolicy.objects.select_related("team"),
        "can_edit": user.has_role(Role.MANAGER),
        "calendars": user.calendar_feeds.filter(revoked_at=None).select_related("schedule"),
        "swaps": swaps_to_accept(user, now),
        "now": now,
    }
    return render_page(request, "oncall/overview.html", context)


@require_safe
@requires(Role.VIEWER)
def check(request: HttpRequest) -> HttpResponse:
    """List what might leave somebody uncalled within 90 days."""
    user, now = signed_in(request), clock.now()
    known = {
        f"service:{slug}"
        for slug in Service.objects.visible_to(user).values_list("slug", flat=True)
    }
    found = [
        hole
        for hole in holes(now=now)
        if not hole.subject.startswith("service:") or hole.subject in known
    ]
    said = notes(now=now)
    context = {
        "holes": found,
        "notes": said[:MOST_SHOWN],
        "more_notes": len(said[MOST_SHOWN:]),
    }
    return render_page(request, "oncall/check.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER)
def schedule_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Show four weeks of one schedule; responders let somebody take over."""
    schedule = stored_schedule(slug)
    if request.method == "POST":
        return _take_over(request, schedule, OverrideForm(request.POST))
    return schedule_page(request, schedule)


@require_POST
@requires(Role.RESPONDER)
def override_remove(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Take an override back; a second tap finds it gone."""
    override = Override.objects.filter(schedule__slug=slug, pk=pk).first()
    if override is None:
        messages.info(request, "That override is not there any more.")
        return redirect("oncall:schedule", slug)
    try:
        delete_override(override, actor=signed_in(request), now=clock.now())
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The override was taken back.")
    return redirect("oncall:schedule", slug)


@require_safe
@requires(Role.VIEWER)
def policy_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Show whom a policy calls, and when, for each severity."""
    policy = (
        EscalationPolicy.objects.prefetch_related(
            "levels__targets__schedule",
            "levels__targets__person",
            "levels__targets__team",
            "levels__targets__channel",
            "timings",
        )
        .filter(slug=slug)
        .first()
    )
    if policy is None:
        raise NotFound("There is no such policy.")
    visible = Service.objects.visible_to(signed_in(request)).filter(escalation__policy=policy)
    context = {
        "policy": policy,
        "levels": policy.levels.all(),
        "phases": [(label, _matrix(policy, phase)) for phase, label in PHASE_TITLES.items()],
        "severities": SEVERITIES,
        "services": visible,
        "can_edit": signed_in(request).has_role(Role.MANAGER),
    }
    return render_page(request, "oncall/policy.html", context)


def _matrix(policy: EscalationPolicy, phase: Phase) -> list[tuple[int, list[object]]]:
    """Return a row a level: when it is called for each severity, None where it is not."""
    ladders = {severity: ladder_of(policy, severity, phase) for severity in SEVERITIES}
    rows = []
    for level in policy.levels.all():
        cells: list[object] = []
        for severity in SEVERITIES:
            ladder = ladders[severity]
            steps = [s for s in ladder.steps if s.level == level.number] if ladder else []
            cells.append(steps[0] if steps else None)
        rows.append((level.number, cells))
    return rows


def stored_schedule(slug: str) -> Schedule:
    """Return the schedule of that slug with its rota.

    Raises:
        NotFound: There is none.
    """
    found = Schedule.objects.with_rota().select_related("team").filter(slug=slug).first()
    if found is None:
        raise NotFound("There is no such schedule.")
    return found


def _take_over(request: HttpRequest, schedule: Schedule, form: OverrideForm) -> HttpResponse:
    user = signed_in(request)
    if not user.has_role(Role.RESPONDER):
        raise Forbidden("This needs the role responder or more.")
    if form.is_valid():
        fields, now = {**form.cleaned_data, "schedule": schedule}, clock.now()
        try:
            with transaction.atomic():
                if not form.is_done(Override.objects.filter(ends_at__gt=now)):
                    form.remember(save_override(Override(), fields=fields, actor=user, now=now))
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"{form.cleaned_data['person']} takes over.")
            return redirect(schedule)
    return schedule_page(request, schedule, form=form, status=422)


def schedule_page(
    request: HttpRequest,
    schedule: Schedule,
    *,
    form: OverrideForm | None = None,
    swap_form: SwapForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """Show four weeks of a schedule, with what was typed into its forms.

    Args:
        request: Who asks, and for which weeks.
        schedule: With its rota.
        form: With which somebody took over.
        swap_form: With which somebody asked to be replaced.
        status: 422 when one of them was refused.
    """
    user, now = signed_in(request), clock.now()
    context = {
        "schedule": schedule,
        "calendar": four_weeks_of(schedule, now=now, on=day_asked_for(request.GET, "from")),
        "override_feed": OverrideFeed.objects.filter(schedule=schedule).first(),
        "overrides": schedule.overrides.filter(ends_at__gt=now).select_related("person"),
        "form": form or OverrideForm(initial={"person": user.username}),
        "swaps": [
            (swap, may_accept(swap, user), may_withdraw(swap, user))
            for swap in open_swaps(now).filter(schedule=schedule)
        ],
        "swap_form": (swap_form or SwapForm()).asked_by(user),
        "can_override": user.has_role(Role.RESPONDER),
        "can_edit": user.has_role(Role.MANAGER),
        "now": now,
    }
    return render_page(request, "oncall/schedule.html", context, status=status)
