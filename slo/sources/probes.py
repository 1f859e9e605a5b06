"""SLIs measured by the portal's own synthetic checks."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from slo.domain.blocks import Slice
from slo.domain.probes import MINUTE, Check, Outcome, probe_slice
from slo.models import ProbeResult, Sli

__all__ = ["measure"]


def measure(slis: Sequence[Sli], minutes: Sequence[datetime]) -> dict[datetime, dict[int, Slice]]:
    """Return the slice of every probe and minute; a minute without a check is a gap.

    Args:
        slis: Of kind probe.
        minutes: Starts of minutes, not necessarily adjacent.
    """
    longest = max((sli.probe_every_s for sli in slis), default=0)
    rows = ProbeResult.objects.filter(
        sli__in=slis,
        at__gte=min(minutes) - timedelta(seconds=longest) - MINUTE,
        at__lt=max(minutes) + MINUTE,
    )
    checks: dict[int, list[Check]] = defaultdict(list)
    if slis:
        for sli_id, at, outcome in rows.values_list("sli_id", "at", "outcome"):
            checks[sli_id].append(Check(at, Outcome(outcome)))
    return {
        minute: {
            sli.slot: probe_slice(
                checks[sli.pk], minute, every=timedelta(seconds=sli.probe_every_s)
            )
            for sli in slis
        }
        for minute in minutes
    }
