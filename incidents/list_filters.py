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
from incidents.periods import USUAL, bound, period_from
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


def behind_figures(
    rows: QuerySet[Incident], request: HttpRequest, *, now: datetime
) -> QuerySet[Incident]:
    """Keep the incidents behind a figure of the analytics: `from`, `to`, `team`, `group`, … and `figure`.

    Raises:
        InvalidInput: A bound is none, there is no such figure, or its period is none that analytics take.
    """
    asked = request.GET
    paths = {"team": "service__owner__slug", "group": "group"}
    exact: dict[str, Any] = {path: asked[name] for name, path in paths.items() if asked.get(name)}
    exact |= {name: asked[name] for name in ("response", "resolution") if asked.get(name)}
    since, until = _period(request, now=now)
    span = {"opened_at__gte": since, "opened_at__lt": until}
    exact |= {path: at for path, at in span.items() if at is not None}
    rows = rows.filter(**exact)
    if since and until and (week_hour := _week_hour(request)):
        rows = rows.filter(week_hour.condition("opened_at", since, until))
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


def _period(
    request: HttpRequest, *, now: datetime
) -> tuple[datetime, datetime] | tuple[datetime | None, datetime | None]:
    """Return begin and end of what is listed; behind a figure it is that of the figures, too."""
    asked, zone = request.GET, zone_of(signed_in(request))
    if _is_of_figures(asked):
        return period_from(asked, zone, now=now)
    return bound(asked, "from", zone), bound(asked, "to", zone)


def _is_of_figures(asked: Mapping[str, str]) -> bool:
    """Return whether a figure, or an hour of the week, is asked for: either is of a period that ends."""
    return any(asked.get(name) for name in ("figure", *WEEK_HOUR))


def behind_in_words(request: HttpRequest, *, now: datetime) -> list[str]:
    """Return what `behind_figures` keeps, a few words each."""
    asked, zone = request.GET, zone_of(signed_in(request))
    ends = zip(("from", "before"), _period(request, now=now), strict=True)
    words = [
        f"opened {word} {local.day} {local:%b %Y, %H:%M} {local.tzname()}"
        for word, at in ends
        if at and (local := at.astimezone(zone))
    ]
    words += [hour.words] if (hour := _week_hour(request)) else []
    if _is_of_figures(asked) and not asked.get("from", "").strip():
        named = " before that" if asked.get("to", "").strip() else ""
        words.append(f"the last {USUAL.days} days{named}, as no other period is named")
    words += [f"of team {asked['team']}"] if asked.get("team") else []
    words += ["of one condition"] if asked.get("group") else []
    words += [said for (name, value), said in _STANDINGS.items() if asked.get(name) == value]
    figures = {name: said for name, (said, _) in BEHIND.items()} | dict([BETWEEN])
    words += [figures[figure]] if (figure := asked.get("figure", "")) in figures else []
    return words


def is_csv(request: HttpRequest) -> bool:
    """Return whether all rows are asked for as a download."""
    return request.GET.get("format") == "csv"
