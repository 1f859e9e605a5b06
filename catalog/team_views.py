"""Pages of teams."""

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import requires
from accounts.roles import Role
from catalog.forms import TeamForm
from catalog.models import Service, Team
from catalog.services.teams import create_team, delete_team, update_team
from catalog.views import signed_in
from core import clock
from core.errors import DomainError, NotFound
from core.htmx import render_page
from core.pagination import keyset_page

__all__ = ["team_delete", "team_detail", "team_edit", "team_list", "team_new"]

PAGE_SIZE = 50


@require_safe
@requires(Role.VIEWER)
def team_list(request: HttpRequest) -> HttpResponse:
    """List the teams."""
    words = request.GET.get("search", "").replace("\x00", "").strip()
    known = Service.objects.visible_to(signed_in(request)).values("pk")
    teams = Team.objects.annotate(
        people=Count("members", distinct=True),
        owned=Count("services", filter=Q(services__in=known), distinct=True),
    )
    for word in words.split():
        teams = teams.filter(Q(slug__icontains=word) | Q(name__icontains=word))
    page = keyset_page(
        teams, ordering=["slug"], cursor=request.GET.get("cursor") or None, size=PAGE_SIZE
    )
    context = {
        "page": page,
        "teams": page.rows,
        "search": words,
        "can_edit": signed_in(request).has_role(Role.MANAGER),
    }
    return render_page(request, "catalog/teams.html", context, partial="rows")


@require_safe
@requires(Role.VIEWER)
def team_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one team, its people and its services."""
    team = _team(slug)
    user = signed_in(request)
    context = {
        "team": team,
        "members": team.members.order_by("username"),
        "services": Service.objects.visible_to(user).filter(owner=team).order_by("tier", "slug"),
        "can_edit": user.has_role(Role.MANAGER),
    }
    return render_page(request, "catalog/team.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def team_new(request: HttpRequest) -> HttpResponse:
    """Ask for a new team, and create it."""
    form = TeamForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            team = create_team(
                values=form.values("members"),
                members=form.cleaned_data["members"],
                now=clock.now(),
                actor=signed_in(request),
            )
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"The team {team} is in the catalog.")
            return redirect("catalog:team", team.slug)
    status = 422 if request.method == "POST" else 200
    return render_page(request, "catalog/team_form.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def team_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a team as a form, and change it."""
    team = _team(slug)
    form = TeamForm(request.POST or None, instance=team)
    if request.method == "POST" and form.is_valid():
        try:
            update_team(
                team,
                values=form.values("members"),
                members=form.cleaned_data["members"],
                now=clock.now(),
                actor=signed_in(request),
            )
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"The team {team} was changed.")
            return redirect("catalog:team", slug)
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "team": team}
    return render_page(request, "catalog/team_form.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def team_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask whether to delete a team, and delete it."""
    team = _team(slug)
    if request.method == "POST":
        delete_team(team, now=clock.now(), actor=signed_in(request))
        messages.success(request, f"The team {team} was deleted.")
        return redirect("catalog:teams")
    return render_page(request, "catalog/team_delete.html", {"team": team})


def _team(slug: str) -> Team:
    team = Team.objects.filter(slug=slug).first()
    if team is None:
        raise NotFound("There is no such team.")
    return team
