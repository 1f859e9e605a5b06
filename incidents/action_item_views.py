"""Pages of action items: what is still to be done about incidents, by whom and until when."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import requires, signed_in
from accounts.models import User
from accounts.roles import Role
from core import clock
from core.errors import DomainError, Forbidden, NotFound
from core.forms import changed_in
from core.htmx import render_page
from incidents.followup_exports import items_csv
from incidents.followup_forms import ActionItemForm, DropForm, NewActionItemForm
from incidents.list_filters import is_csv, narrowed
from incidents.models import ActionItem, ActionItemQuerySet
from incidents.queries.incidents import visible_incidents
from incidents.services import action_items

PAGE_SIZE = 50
STATES = [
    ("open", "To do"), ("overdue", "Overdue"), ("done", "Done"), ("dropped", "Dropped"), ("all", "All"),
]  # fmt: skip
Deed = Callable[[ActionItem, User, datetime], str]


def _finish(item: ActionItem, user: User, now: datetime) -> str:
    action_items.finish(item, now=now, actor=user)
    return "It is done."


def _reopen(item: ActionItem, user: User, now: datetime) -> str:
    action_items.reopen(item, now=now, actor=user)
    return "It is to be done after all."


DEEDS: dict[str, Deed] = {"finish": _finish, "reopen": _reopen}


@require_safe
@requires(Role.VIEWER)
def item_list(request: HttpRequest) -> HttpResponseBase:
    """List what is to be done, the soonest first; `format=csv` exports it."""
    user, now = signed_in(request), clock.now()
    state = request.GET.get("state", "open")
    rows = narrowed(_items(user), request, service="incident__service").soonest_first()
    rows = _that_stand(rows, state, now)
    if request.GET.get("mine"):
        rows = rows.filter(owner=user)
    if is_csv(request):
        return items_csv(rows, now=now)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "items": _shown(list(page.object_list), now),
        "asked": request.GET,
        "state": state,
        "states": STATES,
        "can_act": user.has_role(Role.RESPONDER),
        "now": now,
    }
    return render_page(request, "incidents/action_items.html", context, partial="rows")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.RESPONDER)
def item_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for something to be done about an incident, and write it down."""
    user = signed_in(request)
    incident = visible_incidents(user).filter(pk=pk).first()
    if incident is None:
        raise NotFound("There is no such incident.")
    form = NewActionItemForm(request.POST or None, initial={"owner": user})
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                if not form.is_done(ActionItem.objects.filter(incident=incident)):
                    made = action_items.create(
                        incident, fields=form.cleaned_data, now=clock.now(), actor=user
                    )
                    form.remember(made)
            messages.success(request, "It is written down.")
        except DomainError as error:
            form.refuse(error)
        else:
            return redirect(f"{incident.get_absolute_url()}#after")
    context = {"form": form, "incident": incident}
    status = 422 if request.method == "POST" else 200
    return render_page(request, "incidents/action_item_new.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER)
def item_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one thing to be done, and change it."""
    user, item = signed_in(request), _item(request, pk)
    if request.method != "POST":
        return _page(request, item)
    if not user.has_role(Role.RESPONDER):
        raise Forbidden("This needs the role responder or more.")
    form = ActionItemForm(request.POST, instance=item)
    if form.is_valid():
        try:
            action_items.edit(item, fields=changed_in(form), now=clock.now(), actor=user)
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, "It is changed.")
            return redirect(item)
    return _page(request, _item(request, pk), form=form, status=422)


@require_POST
@requires(Role.RESPONDER)
def item_act(request: HttpRequest, pk: int, deed: str) -> HttpResponse:
    """Finish, reopen or drop it, and show the page that the button was on."""
    user, item, now = signed_in(request), _item(request, pk), clock.now()
    if deed == "drop":
        return _drop(request, item, now)
    if deed not in DEEDS:
        raise NotFound("There is no such action.")
    try:
        messages.success(request, DEEDS[deed](item, user, now))
    except DomainError as error:
        messages.error(request, str(error))
    if request.POST.get("on") == "incident":
        return redirect(f"{item.incident.get_absolute_url()}#after")
    return redirect(item)


def _drop(request: HttpRequest, item: ActionItem, now: datetime) -> HttpResponse:
    form = DropForm(request.POST)
    if form.is_valid():
        try:
            action_items.drop(
                item, reason=form.cleaned_data["reason"], now=now, actor=signed_in(request)
            )
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, "It is dropped, and kept with its reason.")
            return redirect(item)
    return _page(request, item, drop_form=form, status=422)


def _page(
    request: HttpRequest,
    item: ActionItem,
    *,
    form: ActionItemForm | None = None,
    drop_form: DropForm | None = None,
    status: int = 200,
) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    context = {
        "item": item,
        "is_overdue": item.is_overdue(now),
        "can_act": user.has_role(Role.RESPONDER),
        "form": form or ActionItemForm(instance=item),
        "drop_form": drop_form or DropForm(),
        "now": now,
    }
    return render_page(request, "incidents/action_item.html", context, status=status)


def _items(user: User) -> ActionItemQuerySet:
    return ActionItem.objects.visible_to(user).select_related("owner", "incident__service")


def _item(request: HttpRequest, pk: int) -> ActionItem:
    found = _items(signed_in(request)).filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such action item.")
    return found


def _that_stand(rows: ActionItemQuerySet, state: str, now: datetime) -> ActionItemQuerySet:
    if state == "overdue":
        return rows.overdue(now)
    chosen: dict[str, dict[str, Any]] = {
        "open": {"done_at": None, "dropped_at": None},
        "done": {"done_at__isnull": False},
        "dropped": {"dropped_at__isnull": False},
    }
    return rows.filter(**chosen.get(state, {}))


def _shown(items: list[ActionItem], now: datetime) -> list[tuple[ActionItem, bool]]:
    """Return action items, each with whether it is late."""
    return [(item, item.is_overdue(now)) for item in items]
