"""The list of the pages that incident analytics count: of one person, or of all of them."""

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from accounts.access import requires, signed_in
from accounts.models import User
from accounts.roles import Role
from catalog.models import Team
from core import clock
from core.errors import InvalidInput
from core.htmx import render_page
from incidents import figure_rows
from incidents.domain.lifecycle import Status
from incidents.exports import pages_csv
from incidents.list_filters import is_csv
from incidents.models import Severity
from incidents.periods import question_from
from incidents.queries.analytics import Question, may_see_others
from incidents.queries.calls import TIMES, CallList

PAGE_SIZE = 50


@require_safe
@requires(Role.VIEWER)
def page_list(request: HttpRequest) -> HttpResponseBase:
    """List whom the incidents of a period called, newest first; `format=csv` exports it.

    Of others than themselves it is for those who may be called.
    """
    user = signed_in(request)
    asked = question_from(request.GET, user, now=clock.now())
    calls = _asked_for(request, asked, user)
    if is_csv(request):
        return pages_csv(calls)
    context = {
        "page": Paginator(calls, PAGE_SIZE).get_page(request.GET.get("page")),
        "total": calls.total,
        "question": asked,
        "asked": request.GET,
        "kept": [
            (name, request.GET[name]) for name in ("from", "to", "group") if request.GET.get(name)
        ],
        "times": [(name, words.capitalize()) for name, words in TIMES.items()],
        "severities": Severity.choices,
        "teams": Team.objects.values_list("slug", "name"),
        "sees_others": may_see_others(user),
        "definition": figure_rows.DEFINITIONS["pages"][1],
        "up": figure_rows.figures_of(asked),
    }
    return render_page(request, "incidents/pages.html", context, partial="rows")


def _asked_for(request: HttpRequest, question: Question, user: User) -> CallList:
    """Return the calls that the query parameters `person`, `when` and `group` ask for."""
    when, group = (request.GET.get(name, "") for name in ("when", "group"))
    if when and when not in TIMES:
        raise InvalidInput(f"Choose one of {', '.join(TIMES)}.", field="when")
    incidents = question.incidents(question.since)
    if group:
        incidents = incidents.filter(group=group).exclude(status=Status.MERGED)
    person = request.GET.get("person", "").strip() or None
    if not may_see_others(user):
        if person not in {None, user.username}:
            incidents = incidents.none()
        person = user.username
    return CallList(incidents, person=person, when=when)
