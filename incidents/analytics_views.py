"""The page of incident analytics, and what it counts as CSV."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from accounts.access import requires, signed_in
from accounts.roles import Role
from catalog.models import Service, Team
from core import clock
from core.errors import InvalidInput
from core.htmx import render_page
from incidents import figure_rows
from incidents.domain.analytics import OfService
from incidents.domain.lifecycle import Status
from incidents.exports import analytics_csv
from incidents.list_filters import is_csv
from incidents.models import Severity
from incidents.periods import DAYS, question_from
from incidents.queries.analytics import (
    BETWEEN,
    Question,
    Repeated,
    Report,
    may_see_others,
    report,
)

# Of services, those with most incidents; the rest by CSV and by the API.
MOST_SERVICES = 25


@require_safe
@requires(Role.VIEWER)
def analytics(request: HttpRequest) -> HttpResponseBase:
    """Show figures of a period beside the one before; `format=csv` exports what they count."""
    days = request.GET.get("days", "") or DAYS[1]
    if days not in DAYS:
        raise InvalidInput(f"Choose one of {', '.join(DAYS)}.", field="days")
    usual = timedelta(days=int(days))
    asked = question_from(request.GET, signed_in(request), now=clock.now(), usual=usual)
    if is_csv(request):
        return analytics_csv(asked.incidents(asked.since).exclude(status=Status.MERGED))
    context = {
        **_shown(report(asked)),
        "asked": request.GET,
        "days": days,
        "periods": [(days, f"Last {days} days") for days in DAYS],
        "severities": Severity.choices,
        "teams": Team.objects.values_list("slug", "name"),
    }
    return render_page(request, "incidents/analytics.html", context)


def _shown(found: Report) -> dict[str, Any]:
    asked, services = found.question, _services(found)
    sees_others = may_see_others(asked.user)
    return {
        "report": found,
        "definitions": {name: words for name, (_, words) in figure_rows.DEFINITIONS.items()},
        "times": list(figure_rows.times(found)),
        "shares": list(figure_rows.shares(found)),
        "by_day": figure_rows.by_day(found),
        "by_hour": figure_rows.by_hour(found),
        "severity_href": f"{figure_rows.listed(replace(asked, severity=''))}&severity=",
        "services": services[:MOST_SERVICES],
        "more_services": len(services[MOST_SERVICES:]),
        "repeats": [_Repeats.of(asked, each) for each in found.repeats],
        "people": list(figure_rows.paged(found)),
        "pages_href": figure_rows.listed_pages(asked) if sees_others else "#pages",
        "before_href": figure_rows.figures_of(
            replace(asked, since=asked.before, until=asked.since)
        ),
        "sees_others": sees_others,
        "all_href": figure_rows.listed(asked),
        "acknowledged_href": figure_rows.listed(asked, figure="acknowledged"),
        "resolved_href": figure_rows.listed(asked, figure="resolved"),
    }


@dataclass(frozen=True)
class _Repeats:
    """What repeats, and the lists of its incidents, of those over by themselves, over, and of its pages."""

    found: Repeated
    href: str
    by_itself: str
    resolved: str
    pages: str

    @classmethod
    def of(cls, asked: Question, found: Repeated) -> Self:
        """Return a row."""
        group = found.figures.group
        return cls(
            found,
            href=figure_rows.listed(asked, group=group),
            by_itself=figure_rows.listed(asked, group=group, figure="by_itself"),
            resolved=figure_rows.listed(asked, group=group, figure="resolved"),
            pages=figure_rows.listed_pages(asked, group=group)
            if may_see_others(asked.user)
            else "",
        )


def _services(found: Report) -> list[tuple[Service | None, OfService, str, str]]:
    """Return who had incidents, the most first, with their list and that of those between; None is without service."""
    rows: list[tuple[Service | None, OfService, str, str]] = []
    asked = found.question
    for pk, figures in found.now.by_service.items():
        if pk is None:
            rows.append((None, figures, figure_rows.listed(asked, figure="without_service"), ""))
        elif service := found.services.get(pk):
            href = figure_rows.listed(asked, service=service.slug)
            between = figure_rows.listed(asked, service=service.slug, figure=BETWEEN[0])
            rows.append((service, figures, href, between))
    return sorted(rows, key=lambda row: (-row[1].count, row[0].slug if row[0] else ""))
