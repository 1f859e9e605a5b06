"""What the lists of incidents, alerts, silences and requests filter by alike."""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.access import signed_in
from core.errors import InvalidInput
from core.zones import zone_of
from incidents.models import Incident
from incidents.periods import bound
from incidents.queries.analytics import BEHIND, with_facts

# By what figures of incident analytics narrow the list of incidents, besides service and severity.
FIGURES = ("from", "to", "team", "group", "response", "resolution", "figure")
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
    asked, zone = request.GET, zone_of(signed_in(request))
    paths = {"team": "service__owner__slug", "group": "group"}
    exact = {path: asked[name] for name, path in paths.items() if asked.get(name)}
    exact |= {name: asked[name] for name in ("response", "resolution") if asked.get(name)}
    since, until = bound(asked, "from", zone), bound(asked, "to", zone)
    span = {"opened_at__gte": since, "opened_at__lt": until}
    rows = rows.filter(**exact, **{path: at for path, at in span.items() if at is not None})
    if not (figure := asked.get("figure", "")):
        return rows
    if figure not in BEHIND:
        raise InvalidInput(f"Choose one of {', '.join(BEHIND)}.", field="figure")
    return with_facts(rows).filter(BEHIND[figure][1])


def behind_in_words(request: HttpRequest) -> list[str]:
    """Return what `behind_figures` keeps, a few words each."""
    asked, zone = request.GET, zone_of(signed_in(request))
    ends = ((word, bound(asked, name, zone)) for word, name in (("from", "from"), ("before", "to")))
    words = [
        f"opened {word} {local.day} {local:%b %Y, %H:%M} {local.tzname()}"
        for word, at in ends
        if at and (local := at.astimezone(zone))
    ]
    words += [f"of team {asked['team']}"] if asked.get("team") else []
    words += ["of one condition"] if asked.get("group") else []
    words += [said for (name, value), said in _STANDINGS.items() if asked.get(name) == value]
    words += [said for name, (said, _) in BEHIND.items() if asked.get("figure") == name]
    return words


def is_csv(request: HttpRequest) -> bool:
    """Return whether all rows are asked for as a download."""
    return request.GET.get("format") == "csv"
