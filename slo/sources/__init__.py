"""Where SLIs are measured: each answers for its own, and what nobody could measure is a gap."""

from collections.abc import Sequence
from datetime import datetime

from slo.domain.blocks import GAP, Slice
from slo.models import Sli
from slo.sources import telemetry

Kind = Sli.Kind
OF_REQUESTS = {Kind.AVAILABILITY, Kind.SUCCESS, Kind.LATENCY, Kind.FRESHNESS}


def measure(slis: Sequence[Sli], minutes: Sequence[datetime]) -> dict[datetime, dict[int, Slice]]:
    """Return the slice of every SLI and minute.

    Args:
        slis: With their service and source loaded.
        minutes: Starts of minutes, not necessarily adjacent.
    """
    own = [sli for sli in slis if sli.source_id is None and sli.kind in OF_REQUESTS]
    found = telemetry.measure(own, minutes)
    unmeasured = [sli.slot for sli in slis if sli not in own]
    for minute in minutes:
        found[minute].update(dict.fromkeys(unmeasured, GAP))
    return found
