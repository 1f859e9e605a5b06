"""Slices of two counters: good (or bad) events, and all of them."""

from typing import NamedTuple

from slo.domain.blocks import GAP, Slice

__all__ = ["Counted", "counter_slice"]

_THOUSANDTHS = 1000


class Counted(NamedTuple):
    """What one selector came to in a minute.

    Args:
        thousandths: What its counters added, in thousandths of an event.
        series: How many counters it selects.
    """

    thousandths: int
    series: int

    @property
    def events(self) -> int:
        """Whole events; a counter of fractions is rounded, halves to even."""
        return round(self.thousandths / _THOUSANDTHS)


def counter_slice(
    total: Counted, *, good: Counted | None = None, bad: Counted | None = None, capped: bool = False
) -> Slice:
    """Return the slice of a minute in which the service reported.

    Without a counter of all events, or of the good ones, nothing is known: a gap. A counter of bad
    events may be born with the first of them, so until then there were none.

    Args:
        total: All valid events.
        good: Good ones; give these or `bad`.
        bad: Bad ones.
        capped: More good events than all of them are all of them, as when a backlog is worked off;
            otherwise such a minute contradicts itself and is a gap.
    """
    if total.series == 0 or (good is not None and good.series == 0):
        return GAP
    counted = total.events - (bad.events if bad else 0) if good is None else good.events
    if capped:
        counted = min(max(counted, 0), total.events)
    if not 0 <= counted <= total.events:
        return GAP
    return Slice(counted, total.events)
