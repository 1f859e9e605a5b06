"""Weekly and monthly reports on objectives, as a page, CSV and JSON."""

from datetime import date
from typing import Any

from django.core.paginator import Paginator
from django.http import (
    HttpRequest,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe

from accounts.access import requires, signed_in
from accounts.roles import Role
from accounts.scopes import Scope
from core.clock import floor_minute, now
from core.csv_export import csv_response
from core.errors import InvalidInput
from core.htmx import render_page
from slo.queries import figures, reports
from slo.queries.reports import PERIODS, Line, Report

PAGE_SIZE = 100
KEPT = ("met", "breached", "open")
FORMATS = ("html", "csv", "json")
FIELDS = (
    "slug",
    "name",
    "service",
    "method",
    "verdict",
    "good",
    "total",
    "bad",
    "allowed",
    "sli",
    "sli_before",
    "budget_used",
    "coverage",
    "alerts",
    "state_changes",
)


@require_safe
@requires(Role.VIEWER, scope=Scope.READ)
def report(request: HttpRequest) -> HttpResponseBase:
    """Show how objectives were kept over `period` around `date`; `format` chooses page, CSV, JSON."""
    period = _choice(request, "period", PERIODS)
    newest = figures.newest()
    at = newest.watermark if newest else floor_minute(now())
    found = reports.of(signed_in(request), period, _day(request, at.date()), watermark=at)
    shape = _choice(request, "format", FORMATS)
    if shape == "csv":
        return as_csv(found)
    if shape == "json":
        return JsonResponse(as_json(found))
    page = Paginator(found.lines, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "report": found,
        "page": page,
        "periods": [(name, name.capitalize()) for name in PERIODS],
        "verdicts": [(name, found.verdicts[name]) for name in ("met", "missed", "no data")],
    }
    return render_page(request, "slo/reports.html", context)


def _choice(request: HttpRequest, name: str, allowed: tuple[str, ...]) -> str:
    value = request.GET.get(name, "") or allowed[0]
    if value not in allowed:
        raise InvalidInput(f"Choose one of {', '.join(allowed)}.", field=name)
    return value


def _day(request: HttpRequest, today: date) -> date:
    text = request.GET.get("date", "")
    if not text:
        return today
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None or not 2000 <= day.year <= 2200:
        raise InvalidInput("Give a day such as 2026-05-03.", field="date")
    return day


def as_json(found: Report) -> dict[str, Any]:
    """Return a report in JSON: fractions, and null for no data."""
    return {
        "period": found.period,
        "start": found.window.start,
        "end": found.window.end,
        "complete": found.is_complete,
        "verdicts": dict(found.verdicts),
        "slos": [line_json(line) for line in found.lines],
        "incidents": [
            {
                "severity": each.severity,
                "count": each.count,
                "response": {name: each.response[name] for name in KEPT},
                "resolution": {name: each.resolution[name] for name in KEPT},
            }
            for each in found.incidents
        ],
    }


def line_json(line: Line) -> dict[str, Any]:
    """Return one objective of a report."""
    return {
        "slug": line.slo.slug,
        "name": line.slo.name,
        "service": line.slo.sli.service.slug,
        "method": line.slo.method,
        "verdict": line.verdict.replace(" ", "_"),
        "good": line.good,
        "total": line.total,
        "bad": line.bad,
        "allowed": line.allowed,
        "sli": line.sli,
        "sli_before": line.sli_before,
        "budget_used": line.budget_used,
        "coverage": line.coverage,
        "alerts": line.alerts,
        "state_changes": line.changes,
    }


def as_csv(found: Report) -> StreamingHttpResponse:
    """Return a report as CSV, a row an objective; empty is no data."""
    rows = [line_json(line) for line in found.lines]
    span = [found.window.start.isoformat(), found.window.end.isoformat()]
    header = ["start", "end", *FIELDS]
    name = f"slo-{found.period}-{found.window.start:%Y-%m-%d}.csv"
    return csv_response(name, header, ([*span, *row.values()] for row in rows))
