"""SLIs of two counters that came in by OTLP, each named by a selector."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog

from slo.domain.blocks import GAP, Slice
from slo.domain.counter_slis import Counted, counter_slice
from slo.models import Sli
from telemetry import metric_queries
from telemetry.domain.selectors import SelectorError, parse

__all__ = ["measure"]

log = structlog.get_logger(__name__)

Found = Mapping[str, Counted]


def measure(slis: Sequence[Sli], minutes: Sequence[datetime]) -> dict[datetime, dict[int, Slice]]:
    """Return the slice of every SLI and minute; a minute without any report is a gap.

    Args:
        slis: Of kinds throughput and ratio, without a source.
        minutes: Starts of minutes, not necessarily adjacent.
    """
    found: dict[datetime, dict[int, Slice]] = {minute: {} for minute in minutes}
    by_service: dict[int, list[Sli]] = defaultdict(list)
    for sli in slis:
        by_service[sli.service_id].append(sli)
    for service_id, members in by_service.items():
        counted = _counted(service_id, members, minutes)
        for minute in minutes:
            for sli in members:
                found[minute][sli.slot] = _slice(sli, counted.get(minute))
    return found


def _counted(
    service_id: int, slis: Sequence[Sli], minutes: Sequence[datetime]
) -> dict[datetime, Found]:
    """Return what each query of a service came to, read once for all of its SLIs."""
    texts = {text for sli in slis for text in _queries(sli) if text}
    selectors = {}
    for text in sorted(texts):
        try:
            selectors[text] = parse(text)
        except SelectorError as error:
            # Refused when an SLI is saved; one that came otherwise is a gap, not a dead tick.
            log.warning("sli_selector_refused", query=text, error=str(error))
    rows = metric_queries.counter_minutes(service_id, list(selectors.values()), minutes)
    return {
        minute: dict(zip(selectors, (Counted(*value) for value in values), strict=True))
        for minute, values in rows.items()
    }


def _queries(sli: Sli) -> tuple[str, str, str]:
    return sli.good_query, sli.bad_query, sli.total_query


def _slice(sli: Sli, counted: Found | None) -> Slice:
    if counted is None or any(text and text not in counted for text in _queries(sli)):
        return GAP
    return counter_slice(
        counted.get(sli.total_query, Counted(0, 0)),
        good=counted[sli.good_query] if sli.good_query else None,
        bad=counted[sli.bad_query] if sli.bad_query else None,
        capped=sli.kind == Sli.Kind.THROUGHPUT,
    )
