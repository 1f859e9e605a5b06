"""Pages of services."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import requires
from accounts.models import User
from accounts.roles import Role
from catalog.exports import services_csv
from catalog.filters import ServiceFilter
from catalog.forms import ServiceForm
from catalog.models import Service, Team
from catalog.queries import stops_with
from catalog.services.services import create_service, delete_service, update_service
from core import clock, panels
from core.errors import DomainError, InvalidInput, NotAuthenticated, NotFound
from core.htmx import render_page
from core.pagination import keyset_page

__all__ = [
    "service_delete",
    "service_detail",
    "service_edit",
    "service_export",
    "service_list",
    "service_new",
    "signed_in",
]

PAGE_SIZE = 50
SORTS = {"slug": "Service", "tier": "Tier", "-updated_at": "Last changed"}


@require_safe
@requires(Role.VIEWER)
def service_list(request: HttpRequest) -> HttpResponse:
    """List the services that the person may know of."""
    query = _query(request)
    found = ServiceFilter(query, _known(request))
    sort = query.get("sort", "slug")
    if sort not in SORTS:
        raise InvalidInput(f"Sort by one of {', '.join(SORTS)}.", field="sort")
    page = keyset_page(
        found.qs, ordering=[sort], cursor=query.get("cursor") or None, size=PAGE_SIZE
    )
    context = {
        "filter": found,
        "page": page,
        "services": page.rows,
        "query": query,
        "sort": sort,
        "sorts": SORTS,
        "tiers": Service.Tier.choices,
        "teams": Team.objects.only("slug", "name"),
        "is_filtered": any(query.get(name) for name in ServiceFilter.base_filters),
        "can_edit": signed_in(request).has_role(Role.MANAGER),
    }
    return render_page(request, "catalog/services.html", context, partial="rows")


@require_safe
@requires(Role.VIEWER)
def service_export(request: HttpRequest) -> HttpResponseBase:
    """Download the services of the list, all pages of it."""
    return services_csv(ServiceFilter(_query(request), _known(request)).qs.order_by("slug"))


@require_safe
@requires(Role.VIEWER)
def service_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one service, what it needs and what needs it."""
    service = _service(request, slug)
    user = signed_in(request)
    context = {
        "service": service,
        "stops_with": stops_with(service, user),
        "panels": panels.urls("catalog.service", service.slug),
        "can_edit": user.has_role(Role.MANAGER),
    }
    return render_page(request, "catalog/service.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def service_new(request: HttpRequest) -> HttpResponse:
    """Ask for a new service, and create it."""
    user = signed_in(request)
    form = ServiceForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        try:
            service = create_service(
                values=form.values("hard", "soft"),
                dependencies=form.dependencies(),
                now=clock.now(),
                actor=user,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"{service} is in the catalog.")
            return redirect("catalog:service", service.slug)
    context = {"form": form, "service": None}
    return render_page(request, "catalog/service_form.html", context, status=_form_status(request))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def service_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a service as a form, and change it."""
    user = signed_in(request)
    service = _service(request, slug)
    form = ServiceForm(request.POST or None, instance=service, user=user)
    if request.method == "POST" and form.is_valid():
        try:
            update_service(
                service,
                values=form.values("hard", "soft"),
                dependencies=form.dependencies(),
                now=clock.now(),
                actor=user,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"{service} was changed.")
            return redirect("catalog:service", slug)
    context = {"form": form, "service": service}
    return render_page(request, "catalog/service_form.html", context, status=_form_status(request))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def service_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask whether to delete a service, and delete it."""
    service = _service(request, slug)
    if request.method == "POST":
        delete_service(service, now=clock.now(), actor=signed_in(request))
        messages.success(request, f"{service} was deleted.")
        return redirect("catalog:services")
    return render_page(request, "catalog/service_delete.html", {"service": service})


def signed_in(request: HttpRequest) -> User:
    """Return the person; `requires` has sent everyone else to sign in."""
    if not isinstance(request.user, User):
        raise NotAuthenticated("Sign in first.")
    return request.user


def _form_status(request: HttpRequest) -> int:
    return 422 if request.method == "POST" else 200


def _query(request: HttpRequest) -> QueryDict:
    """Return the parameters; the search box of every page calls its words `q`."""
    query = request.GET.copy()
    if "q" in query and not query.get("search"):
        query["search"] = query.get("q", "")
    return query


def _known(request: HttpRequest) -> QuerySet[Service]:
    user = signed_in(request)
    return Service.objects.visible_to(user).with_links(user)


def _service(request: HttpRequest, slug: str) -> Service:
    service = _known(request).filter(slug=slug).first()
    if service is None:
        raise NotFound("There is no such service.")
    return service
