"""Pages of integrations: keys, how to set each sender up, and what came that nobody understood."""

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import requires, signed_in
from accounts.roles import Role
from core import clock
from core.errors import NotFound
from core.htmx import render_page
from core.once import is_first_time
from core.pagination import keyset_page
from incidents.domain.formats.generic import FIELDS, check_mapping
from incidents.domain.formats.setup import steps_for
from incidents.exports import events_csv
from incidents.forms import IntegrationForm, MappingForm
from incidents.list_filters import is_csv, narrowed
from incidents.models import InboundEvent, Integration
from incidents.queries.addresses import address_of
from incidents.queries.previews import NEWEST, previews
from incidents.services.integrations import rotate_key, save_integration
from incidents.services.receiving import settle

PAGE_SIZE = 50
IF_LOST = "Replace it if nobody has copied it."
PLACEHOLDER = "0" * 32


@require_safe
@requires(Role.VIEWER)
def integration_list(request: HttpRequest) -> HttpResponse:
    """List the integrations of services that the person may know of, a page at a time."""
    newest = InboundEvent.objects.filter(integration=OuterRef("pk")).order_by("-pk")
    # Counted by itself: joined, every request that ever came would be read.
    waiting = (
        InboundEvent.objects.filter(integration=OuterRef("pk"), state__in=InboundEvent.WAITING)
        .order_by()
        .values("integration")
        .annotate(count=Count("pk"))
    )
    rows = (
        _visible(request)
        .annotate(
            last_event_at=Subquery(newest.values("received_at")[:1]),
            waiting=Coalesce(Subquery(waiting.values("count")), 0),
        )
        .order_by("service__slug", "name", "pk")
    )
    asked = request.GET
    if words := asked.get("q", "").strip():
        rows = rows.filter(Q(name__icontains=words) | Q(service__slug__icontains=words))
    if asked.get("kind", "") in Integration.Kind.values:
        rows = rows.filter(kind=asked["kind"])
    context = {
        "page": Paginator(rows, PAGE_SIZE).get_page(asked.get("page")),
        "asked": asked,
        "kinds": Integration.Kind.choices,
        "is_filtered": bool(words or asked.get("kind")),
        "can_edit": signed_in(request).has_role(Role.MANAGER),
    }
    return render_page(request, "incidents/integrations.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def integration_new(request: HttpRequest) -> HttpResponse:
    """Ask for a new integration; its key is shown once, on the answer."""
    user = signed_in(request)
    form = IntegrationForm(request.POST or None, user=user)
    integration = Integration()
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                is_first = is_first_time(form.cleaned_data["once"])
                key = is_first and save_integration(
                    integration,
                    fields=form.values(),
                    actor=user,
                    now=clock.now(),
                    signing_secret=form.secret(),
                )
        except ValidationError as error:
            form.refuse(error)
        else:
            if key:
                return _show_key(request, integration, key)
            messages.warning(request, "It was made already; its key was shown once. " + IF_LOST)
            return redirect("integrations:list")
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "integration": None}
    return render_page(request, "incidents/integration_form.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def integration_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an integration as a form, and change it."""
    user, integration = signed_in(request), _integration(request, pk)
    form = IntegrationForm(request.POST or None, instance=integration, user=user)
    if request.method == "POST" and form.is_valid():
        try:
            save_integration(
                _integration(request, pk),
                fields=form.values(),
                actor=user,
                now=clock.now(),
                signing_secret=form.secret(),
            )
        except ValidationError as error:
            form.refuse(error)
        else:
            messages.success(request, f"{integration} was changed.")
            return redirect("integrations:detail", pk)
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "integration": integration}
    return render_page(request, "incidents/integration_form.html", context, status=status)


@require_safe
@requires(Role.VIEWER)
def integration_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how its sender is set up, what came last, and its heartbeats."""
    integration = _integration(request, pk)
    context = {
        "integration": integration,
        "steps": _steps(integration, PLACEHOLDER),
        "events": integration.events.defer("body")[:NEWEST],
        "heartbeats": integration.heartbeats.all(),
        "can_edit": signed_in(request).has_role(Role.MANAGER),
        "is_generic": integration.kind == Integration.Kind.GENERIC,
        "form": MappingForm(initial={"mapping": integration.mapping}),
        # One of them is called items, which a template would take for the method.
        "fields": list(FIELDS.items()),
    }
    return render_page(request, "incidents/integration.html", context)


@require_POST
@requires(Role.MANAGER)
def integration_rotate(request: HttpRequest, pk: int) -> HttpResponse:
    """Replace the key and show the new one, once."""
    integration = _integration(request, pk)
    if request.POST.get("of") != integration.key_hint:
        # As after a reload of the answer: the key that was just pasted must not end by it.
        messages.warning(request, "The key was replaced already, and shown once. " + IF_LOST)
        return redirect("integrations:detail", pk)
    key = rotate_key(integration, actor=signed_in(request), now=clock.now())
    return _show_key(request, integration, key)


@require_POST
@requires(Role.MANAGER)
def integration_preview(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what a mapping would make of the last bodies; nothing is saved."""
    integration = _integration(request, pk)
    form = MappingForm(request.POST)
    found = []
    if form.is_valid():
        mapping = form.cleaned_data["mapping"] or {}
        wrong = (
            check_mapping(mapping)
            if isinstance(mapping, dict)
            else {"mapping": "An object is wanted."}
        )
        for name, message in wrong.items():
            form.add_error("mapping", f"{name}: {message}")
        found = [] if wrong else previews(integration, mapping)
    context = {"integration": integration, "form": form, "previews": found}
    status = 200 if form.is_valid() else 422
    return render_page(request, "incidents/mapping_preview.html", context, status=status)


@require_safe
@requires(Role.VIEWER)
def inbox(request: HttpRequest) -> HttpResponseBase:
    """List requests of known keys that could not be read, or not wholly; `format=csv` exports them."""
    waiting = InboundEvent.objects.filter(
        state__in=InboundEvent.WAITING, integration__in=_visible(request).values("pk")
    )
    asked = request.GET
    if asked.get("kind", "") in Integration.Kind.values:
        waiting = waiting.filter(integration__kind=asked["kind"])
    waiting = narrowed(
        waiting, request, words_in=("problem", "integration__name"), service="integration__service"
    )
    waiting = waiting.select_related("integration__service").defer("body")
    if is_csv(request):
        return events_csv(waiting.order_by("-id"))
    page = keyset_page(
        waiting, ordering=["-id"], cursor=asked.get("cursor") or None, size=PAGE_SIZE
    )
    context = {
        "page": page,
        "asked": asked,
        "kinds": Integration.Kind.choices,
        "is_filtered": any(asked.get(name, "").strip() for name in ("q", "service", "kind")),
    }
    return render_page(request, "incidents/inbox.html", context, partial="rows")


@require_safe
@requires(Role.VIEWER)
def event_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one request as it came, and what it did."""
    event = _event(request, pk)
    context = {
        "event": event,
        "log": event.log.select_related("alert"),
        "is_waiting": event.state in InboundEvent.WAITING,
        "can_settle": signed_in(request).has_role(Role.RESPONDER),
    }
    return render_page(request, "incidents/event.html", context)


@require_POST
@requires(Role.RESPONDER)
def event_settle(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a request out of the inbox."""
    settle(_event(request, pk), actor=signed_in(request), now=clock.now())
    messages.success(request, "It left the inbox; it is still kept with its integration.")
    return redirect("integrations:inbox")


def _visible(request: HttpRequest) -> QuerySet[Integration]:
    return Integration.objects.visible_to(signed_in(request)).select_related("service")


def _integration(request: HttpRequest, pk: int) -> Integration:
    found = _visible(request).filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such integration.")
    return found


def _event(request: HttpRequest, pk: int) -> InboundEvent:
    known = InboundEvent.objects.filter(integration__in=_visible(request).values("pk"))
    found = known.select_related("integration__service").filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such request.")
    return found


def _steps(integration: Integration, key: str) -> list[object]:
    url = address_of(integration.kind, key)
    portal, topic = settings.PORTAL_URL, integration.topic_arn
    return [*steps_for(integration.kind, portal=portal, url=url, key=key, topic=topic)]


def _show_key(request: HttpRequest, integration: Integration, key: str) -> HttpResponse:
    context = {
        "integration": integration,
        "key": key,
        "url": address_of(integration.kind, key),
        "steps": _steps(integration, key),
    }
    answer = render_page(request, "incidents/integration_key.html", context)
    answer.headers["Cache-Control"] = "no-store"
    return answer
