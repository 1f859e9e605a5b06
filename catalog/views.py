"""Pages of services and teams."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from catalog.models import Service, Team
from core.errors import NotFound
from core.htmx import render_page


@require_safe
def service_list(request: HttpRequest) -> HttpResponse:
    """List the services that the person may know of."""
    services = Service.objects.visible_to(request.user).with_links(request.user)
    return render_page(request, "catalog/services.html", {"services": services[:50]})


@require_safe
def service_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one service."""
    known = Service.objects.visible_to(request.user).with_links(request.user)
    service = known.filter(slug=slug).first()
    if service is None:
        raise NotFound("There is no such service.")
    return render_page(request, "catalog/service.html", {"service": service})


@require_safe
def team_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one team."""
    team = Team.objects.filter(slug=slug).first()
    if team is None:
        raise NotFound("There is no such team.")
    return render_page(request, "catalog/team.html", {"team": team})
