"""Where SLIs are measured: each answers for its own, and what nobody could measure is a gap."""

from collections.abc import Callable, Sequence
from datetime import datetime

from slo.domain.blocks import GAP, Slice
from slo.models import Sli
from slo.sources import metrics, telemetry

Kind = Sli.Kind
Measured = dict[datetime, dict[int, Slice]]
Measure = Callable[[Sequence[Sli], Sequence[datetime]], Measured]

OWN: dict[str, Measure] = {
    Kind.AVAILABILITY: telemetry.measure,
    Kind.SUCCESS: telemetry.measure,
    Kind.LATENCY: telemetry.measure,
    Kind.FRESHNESS: telemetry.measure,
    Kind.THROUGHPUT: metrics.measure,
    Kind.RATIO: metrics.measure,
}


def measure(slis: Sequence[Sli], minutes: Sequence[datetime]) -> Measured:
    """Return the slice of every SLI and minute.

    Args:
        slis: With their service and source loaded.
        minutes: Starts of minutes, not necessarily adjacent.
    """
    found: Measured = {minute: {} for minute in minutes}
    own = [sli for sli in slis if sli.source_id is None and sli.kind in OWN]
    for one in dict.fromkeys(OWN.values()):
        mine = [sli for sli in own if OWN[sli.kind] is one]
        for minute, slices in (one(mine, minutes) if mine else {}).items():
            found[minute].update(slices)
    unmeasured = [sli.slot for sli in slis if sli not in own]
    for minute in minutes:
        found[minute].update(dict.fromkeys(unmeasured, GAP))
    return found
