"""Objectives with their figures as CSV: what their list shows, all pages of it."""

from collections.abc import Iterable, Iterator

from django.http import StreamingHttpResponse

from core.csv_export import Cell, csv_response
from slo.domain.state import State
from slo.domain.windows import BURN_WINDOWS
from slo.models import Slo

__all__ = ["objectives_csv"]

_HEADER = (
    "slug", "name", "service", "kind", "objective", "window", "method", "state", "good", "total",
    "sli", "budget_remaining", *(f"burn_rate_{name}" for name in BURN_WINDOWS), "coverage",
    "watermark",
)  # fmt: skip


def objectives_csv(slos: Iterable[Slo]) -> StreamingHttpResponse:
    """Return SLOs, with SLI and service loaded and figures attached, as a download.

    Shares are fractions; an empty cell is no data.
    """
    return csv_response("objectives.csv", _HEADER, map(_row, slos))


def _row(slo: Slo) -> list[Cell]:
    return [
        slo.slug,
        slo.name,
        slo.sli.service.slug,
        slo.sli.kind,
        float(slo.objective),
        slo.window_name,
        slo.method,
        *_figures(slo),
    ]


def _figures(slo: Slo) -> Iterator[Cell]:
    status = slo.status
    if status is None:
        yield State.NO_DATA.value
        return
    yield from (status.state.value, status.good, status.total, status.sli, status.budget_remaining)
    yield from (status.burn.get(name, {}).get("rate") for name in BURN_WINDOWS)
    yield from (status.coverage, status.watermark)
