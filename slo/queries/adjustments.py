"""What corrections change: counts added to or taken from windows of SLOs.

An SLO with corrections is judged by itself, exactly; all others never ask here.
"""

from collections.abc import Mapping, Sequence

from slo.domain.counts import Counts
from slo.domain.plans import Plan
from slo.domain.windows import Window


def adjusted_slos() -> frozenset[int]:
    """Return the ids of SLOs that have corrections."""
    return frozenset()


def sums(wanted: Mapping[int, tuple[Plan, Sequence[Window]]]) -> dict[tuple[int, Window], Counts]:
    """Return what corrections add to windows, by SLO id and window; nothing where they do not.

    Args:
        wanted: The plan of each SLO with corrections, by id, and the windows it is judged over:
            whole ones, and the parts of those in which its objective changed. Counts are in the
            unit of the plan's method (`slo.domain.judging.COLUMNS`).
    """
    return {}
