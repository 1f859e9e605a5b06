"""What the lists of incidents, alerts, silences and requests filter by alike."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.access import signed_in
from core.errors import InvalidInput
from core.zones import zone_of
from incidents.models import Incident, Severity
from incidents.periods import LONGEST, bound
from incidents.queries.analytics import BEHIND, BETWEEN, after_failures, with_facts
from incidents.week_hours import WEEK_HOUR, WeekHour, week_hour_from

# By what figures of incident analytics narrow the list of incidents, besides service and severity.
FIGURES = ("from", "to", "team", "group", "response", "resolution", "figure", *WEEK_HOUR)
_STANDINGS = {
    ("response", "met"): "answered in time",
    ("response", "breached"): "answered late, or overdue",
    ("resolution", "met"): "resolved in time",
    ("resolution", "breached"): "resolved late, or overdue",
}
Rows = TypeVar("Rows", bound=QuerySet[Any])
__all__ = ["FIGURES", "behind_figures", "behind_in_words", "is_csv", "narrowed"]


def narrowed(
    rows: Rows,
    request: HttpRequest,
    *,
    words_in: Sequence[str] = ("title",),
    service: str = "service",
) -> Rows:
    """Keep the rows that the query parameters `service` (a slug) and `q` ask for.

    Args:
        rows: What the person may see.
        request: What they ask.
        words_in: Columns in one of which `q` stands, in whatever case.
        service: What leads to a row's service.
    """
    if slug := request.GET.get("service", "").strip():
        rows = rows.filter(**{f"{service}__slug": slug})
    if words := request.GET.get("q", "").strip():
        found = Q()
        for column in words_in:
            found |= Q(**{f"{column}__icontains": words})
        rows = rows.filter(found)
    return rows


def behind_figures(rows: QuerySet[Incident], request: HttpRequest) -> QuerySet[Incident]:
    """Keep the incidents behind a figure of the analytics: `from`, `to`, `team`, `group`, … and `figure`.

    Raises:
        InvalidInput: A bound is none, or there is no such figure.
    """
    user, asked = signed_in(request), request.GET
    paths = {"team": "service__owner__slug", "group": "group"}
    exact: dict[str, Any] = {path: asked[name] for name, path in paths.items() if asked.get(name)}
    exact |= {name: asked[name] for name in ("response", "resolution") if asked.get(name)}
    since, until = bound(asked, "from", zone_of(user)), bound(asked, "to", zone_of(user))
    span = {"opened_at__gte": since, "opened_at__lt": until}
    exact |= {path: at for path, at in span.items() if at is not None}
    rows = rows.filter(**exact)
    if week_hour := _week_hour(request):
        rows = rows.filter(week_hour.condition("opened_at", *_whole(since, until)))
    figure = asked.get("figure", "")
    if figure == BETWEEN[0]:
        return rows.filter(pk__in=after_failures(_counted(request, exact)).values("pk"))
    return with_facts(rows).filter(_condition(figure)) if figure else rows


def _counted(request: HttpRequest, exact: Mapping[str, Any]) -> QuerySet[Incident]:
    """Return the incidents that a figure is of: words and states narrow what is shown alone."""
    severity = request.GET.get("severity", "")
    rows = Incident.objects.visible_to(signed_in(request)).filter(**exact)
    rows = rows.filter(severity=severity) if severity in Severity.values else rows
    return narrowed(rows, request, words_in=())


def _condition(figure: str) -> Q:
    if figure not in BEHIND:
        raise InvalidInput(f"Choose one of {', '.join([*BEHIND, BETWEEN[0]])}.", field="figure")
    return BEHIND[figure][1]


def _week_hour(request: HttpRequest) -> WeekHour | None:
    return week_hour_from(request.GET, usual_zone=str(zone_of(signed_in(request))))


def _whole(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """Return a period that has both ends: hours of the week are looked for one by one."""
    if since is None or until is None:
        field = "to" if since else "from"
        raise InvalidInput("Give it beside the hour of the week.", field=field)
    if until > since + LONGEST:
        raise InvalidInput(f"Give a period of {LONGEST.days} days at most.", field="to")
    return since, until


def behind_in_words(request: HttpRequest) -> list[str]:
    """Return what `behind_figures` keeps, a few words each."""
    asked, zone = request.GET, zone_of(signed_in(request))
    ends = ((word, bound(asked, name, zone)) for word, name in (("from", "from"), ("before", "to")))
    words = [
        f"opened {word} {local.day} {local:%b %Y, %H:%M} {local.tzname()}"
        for word, at in ends
        if at and (local := at.astimezone(zone))
    ]
    words += [hour.words] if (hour := _week_hour(request)) else []
    words += [f"of team {asked['team']}"] if asked.get("team") else []
    words += ["of one condition"] if asked.get("group") else []
    words += [said for (name, value), said in _STANDINGS.items() if asked.get(name) == value]
    figures = {name: said for name, (said, _) in BEHIND.items()} | dict([BETWEEN])
    words += [figures[figure]] if (figure := asked.get("figure", "")) in figures else []
    return words


def is_csv(request: HttpRequest) -> bool:
    """Return whether all rows are asked for as a download."""
    return request.GET.get("format") == "csv"
