"""The newest figures, for pages, the API and metrics: one row for all SLOs."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from slo.domain.figures import Figures
from slo.domain.figures import Round as RoundFigures
from slo.models import Round, Slo

Slos = TypeVar("Slos", bound=Iterable[Slo])


def newest() -> RoundFigures | None:
    """Return the figures of the newest round, None before the first."""
    row = Round.objects.order_by("-watermark").first()
    return row.figures() if row else None


def attach(slos: Slos, found: RoundFigures | None = None) -> Slos:
    """Set each SLO's `status` to its newest figures, None before its first evaluation.

    Args:
        slos: Any SLOs.
        found: The newest round, when it is at hand.
    """
    found = found or newest()
    for slo in slos:
        slo.status = found.get(slo.pk) if found else None
    return slos


def of(slo: Slo) -> Figures | None:
    """Return the newest figures of one SLO, None before its first evaluation."""
    found = newest()
    return found.get(slo.pk) if found else None


def by_budget_spent(pks: Sequence[int], found: RoundFigures | None) -> list[int]:
    """Return the ids of SLOs with the least budget left first; those without figures come last.

    Args:
        pks: In the order that decides between equals.
        found: The newest round.
    """
    spent = found.spent if found else {}
    known = [pk for pk in pks if spent.get(pk) is not None]
    unknown = [pk for pk in pks if spent.get(pk) is None]
    return [*sorted(known, key=lambda pk: -(spent[pk] or 0.0)), *unknown]
