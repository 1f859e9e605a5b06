"""Where SLIs are measured: each answers for its own, and what nobody could measure is a gap.

SLIs of an outside source are not among them: a slow source must not delay the others, so
`slo.services.pulling` fetches them by itself and writes their slices when they come.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from slo.domain.blocks import GAP, Slice
from slo.models import Sli
from slo.sources import metrics, own_values, probes, telemetry

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
    Kind.TIME_SLICES: own_values.measure,
    Kind.PROBE: probes.measure,
}


def measure(slis: Sequence[Sli], minutes: Sequence[datetime]) -> Measured:
    """Return the slice of every SLI and minute, but for SLIs of an outside source.

    Args:
        slis: With their service and source loaded.
        minutes: Starts of minutes, not necessarily adjacent.
    """
    found: Measured = {minute: {} for minute in minutes}
    own = [sli for sli in slis if sli.source_id is None]
    for one in dict.fromkeys(OWN.values()):
        mine = [sli for sli in own if OWN.get(sli.kind) is one]
        for minute, slices in (one(mine, minutes) if mine else {}).items():
            found[minute].update(slices)
    unmeasured = [sli.slot for sli in own if sli.kind not in OWN]
    for minute in minutes:
        found[minute].update(dict.fromkeys(unmeasured, GAP))
    return found
