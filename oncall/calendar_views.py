"""Calendars and swaps: what people on call arrange for themselves."""

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.access import public, requires, signed_in
from accounts.roles import Role
from core import clock
from core.errors import DomainError, NotFound
from oncall.forms import CalendarForm, SwapForm
from oncall.models import CalendarFeed, ShiftSwap
from oncall.queries.calendars import calendar_of
from oncall.services.calendars import find_feed, make_feed, revoke_feed
from oncall.services.schedules import accept_swap, ask_for_swap, withdraw_swap
from oncall.views import schedule_page, stored_schedule


@require_safe
@never_cache
@public("The secret in the address shows who is on call, nothing else, and can be revoked.")
def calendar(request: HttpRequest, secret: str) -> HttpResponse:
    """Answer a calendar program."""
    now = clock.now()
    feed = find_feed(secret, now=now)
    if feed is None:
        raise NotFound("There is no such calendar; it may have been revoked.")
    return HttpResponse(
        calendar_of(feed, now=now),
        content_type="text/calendar; charset=utf-8",
        headers={"Content-Disposition": 'inline; filename="on-call.ics"'},
    )


@require_POST
@requires(Role.VIEWER)
def calendar_add(request: HttpRequest) -> HttpResponse:
    """Make a calendar of my shifts, or of a schedule; its address is shown once."""
    form = CalendarForm(request.POST)
    if not form.is_valid():
        raise NotFound("There is no such schedule.")
    schedule = form.cleaned_data["schedule"]
    try:
        _, secret = make_feed(person=signed_in(request), schedule=schedule, now=clock.now())
    except DomainError as error:
        messages.error(request, str(error))
    else:
        address = settings.PORTAL_URL + reverse("oncall:calendar", args=[secret])
        messages.success(request, f"Subscribe to this address; it is shown only now: {address}")
    return redirect(schedule or "oncall:overview")


@require_POST
@requires(Role.VIEWER)
def calendar_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke one of my calendars."""
    user = signed_in(request)
    feed = CalendarFeed.objects.filter(person=user, pk=pk).first()
    if feed is None:
        raise NotFound("There is no such calendar.")
    revoke_feed(feed, actor=user, now=clock.now())
    messages.success(request, "That address leads nowhere any more.")
    return redirect("oncall:overview")


@require_POST
@requires(Role.RESPONDER)
def swap_ask(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask to be replaced in a schedule for a while."""
    schedule, form = stored_schedule(slug), SwapForm(request.POST)
    if form.is_valid():
        swap = ShiftSwap(schedule=schedule, **form.cleaned_data)
        try:
            with transaction.atomic():
                if not form.is_done(ShiftSwap.objects.exclude(state=ShiftSwap.State.WITHDRAWN)):
                    form.remember(ask_for_swap(swap, actor=signed_in(request), now=clock.now()))
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, "Asked: whoever accepts takes your place.")
            return redirect(schedule)
    return schedule_page(request, schedule, swap_form=form, status=422)


@require_POST
@requires(Role.RESPONDER)
def swap_answer(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    """Accept a swap, or take the question back."""
    swap = ShiftSwap.objects.select_related("schedule").filter(pk=pk).first()
    deed = {"accept": accept_swap, "withdraw": withdraw_swap}.get(action)
    if swap is None or deed is None:
        raise NotFound("There is no such swap.")
    try:
        deed(swap, actor=signed_in(request), now=clock.now())
    except DomainError as error:
        messages.error(request, str(error))
    else:
        done = "You take their place." if action == "accept" else "The question is taken back."
        messages.success(request, done)
    return redirect(swap.schedule)
