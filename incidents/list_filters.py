"""What the lists of incidents, alerts, silences and requests filter by alike."""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db.models import Q, QuerySet
from django.http import HttpRequest

Rows = TypeVar("Rows", bound=QuerySet[Any])
__all__ = ["is_csv", "narrowed"]


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


def is_csv(request: HttpRequest) -> bool:
    """Return whether all rows are asked for as a download."""
    return request.GET.get("format") == "csv"
