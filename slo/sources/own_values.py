"""Time slices of the portal's own telemetry: minutes in which a value met a condition."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from slo.domain.blocks import GAP, Slice
from slo.domain.own_values import Condition, value_slice
from slo.models import Sli
from slo.sources.telemetry import rule_of
from telemetry import queries

__all__ = ["measure"]

MINUTE = timedelta(minutes=1)


def measure(slis: Sequence[Sli], minutes: Sequence[datetime]) -> dict[datetime, dict[int, Slice]]:
    """Return the slice of every SLI and minute; a minute nobody watched is a gap.

    Args:
        slis: Of kind time_slices, without a source.
        minutes: Starts of minutes, not necessarily adjacent.
    """
    found: dict[datetime, dict[int, Slice]] = {minute: {} for minute in minutes}
    services = sorted({sli.service_id for sli in slis})
    rows: dict[tuple[int, datetime], list[queries.MinuteRow]] = defaultdict(list)
    if slis:
        for row in queries.counts(services, min(minutes), max(minutes) + MINUTE):
            rows[row.service_id, row.minute].append(row)
    states = {service_id: queries.minute_state(service_id, minutes) for service_id in services}
    for minute in minutes:
        for sli in slis:
            is_gap = states[sli.service_id][minute] == "gap"
            mine = rows[sli.service_id, minute]
            found[minute][sli.slot] = (
                GAP if is_gap else value_slice(mine, rule_of(sli), condition_of(sli))
            )
    return found


def condition_of(sli: Sli) -> Condition:
    """Return what a minute's value is compared with."""
    return Condition(sli.value_query, sli.comparison, Fraction(sli.comparison_value or 0))
