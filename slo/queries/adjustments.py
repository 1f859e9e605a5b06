"""What corrections change: counts added to or taken from windows of SLOs.

An SLO with corrections is judged by itself, exactly; all others never ask here.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from slo.domain.blocks import (
    ACTIVE,
    COUNTERS,
    GOOD,
    MEASURED,
    MET,
    RATED,
    TOTAL,
    minute_number,
)
from slo.domain.corrections import Delta
from slo.domain.plans import Plan
from slo.domain.windows import Window
from slo.models import SliceAdjustment

HOUR = timedelta(hours=1)


def adjusted_slos() -> frozenset[int]:
    """Return the ids of SLOs that have corrections which changed something."""
    return frozenset(SliceAdjustment.objects.values_list("slo_id", flat=True).distinct())


def sums(wanted: Mapping[int, tuple[Plan, Sequence[Window]]]) -> dict[tuple[int, Window], Delta]:
    """Return what corrections add to windows, by SLO id and window; nothing where they do not.

    Args:
        wanted: The plan of each SLO with corrections, by id, and the windows it is judged over:
            whole ones, and the parts of those in which its objective changed.
    """
    return of({pk: windows for pk, (_, windows) in wanted.items()})


def of(wanted: Mapping[int, Sequence[Window]]) -> dict[tuple[int, Window], Delta]:
    """Return what corrections add to each SLO's windows: one query for all."""
    every = [window for windows in wanted.values() for window in windows]
    if not every:
        return {}
    whole = Window(min(w.start for w in every), max(w.end for w in every))
    deltas: dict[tuple[int, Window], Delta] = {}
    for slo, corrections in within(whole, wanted).items():
        deltas |= corrections.over(wanted[slo])
    return deltas


@dataclass(frozen=True)
class Corrections:
    """What corrections add to one SLO's minutes.

    Args:
        slo: Its id.
        minutes: Numbers of the minutes, ascending.
        running: What is added before each of them, and before the end; a column a part of `Delta`.
    """

    slo: int
    minutes: NDArray[np.int64]
    running: NDArray[np.int64]

    def over(self, windows: Iterable[Window]) -> dict[tuple[int, Window], Delta]:
        """Return what they add to windows; nothing where they do not."""
        found: dict[tuple[int, Window], Delta] = {}
        for window in windows:
            ends = [minute_number(window.start), minute_number(window.end)]
            first, last = np.searchsorted(self.minutes, ends)
            delta = Delta(*(self.running[last] - self.running[first]).tolist())
            if any(delta):
                found[self.slo, window] = delta
        return found


def within(window: Window, slos: Iterable[int]) -> dict[int, Corrections]:
    """Return the corrections of minutes in `window`, by SLO id; of those that have any."""
    rows: dict[int, list[NDArray[np.int64]]] = defaultdict(list)
    found = SliceAdjustment.objects.filter(
        slo__in=list(slos), hour__gt=window.start - HOUR, hour__lt=window.end
    ).order_by("slo_id", "hour")
    for slo, hour, minutes in found.values_list("slo_id", "hour", "minutes"):
        part = np.array(minutes, dtype=np.int64)
        part[:, 0] += minute_number(hour)
        rows[slo].append(part)
    return {slo: Corrections(slo, *_running(parts)) for slo, parts in rows.items()}


def _running(
    parts: Sequence[NDArray[np.int64]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the minutes of some parts, and what is added before each of them."""
    minutes = np.concatenate(parts)
    zero = np.zeros((1, minutes.shape[1] - 1), dtype=np.int64)
    return minutes[:, 0], np.concatenate([zero, np.cumsum(minutes[:, 1:], axis=0)])


@dataclass(frozen=True)
class Running:
    """What corrections add to everything before some instants.

    Args:
        counters: A row an instant, a column a counter of a block.
        expected: Minutes that should have been measured.
    """

    counters: NDArray[np.int64]
    expected: NDArray[np.int64]


def before(slo: int, instants: Sequence[datetime]) -> Running:
    """Return what corrections add to one SLO's counters before each instant."""
    parts = [np.zeros((0, 1 + len(Delta._fields)), dtype=np.int64)]
    rows = SliceAdjustment.objects.filter(slo=slo).order_by("hour")
    for hour, minutes in rows.values_list("hour", "minutes"):
        part = np.array(minutes, dtype=np.int64)
        part[:, 0] += minute_number(hour)
        parts.append(part)
    minutes, running = _running(parts)
    found = running[np.searchsorted(minutes, [minute_number(at) for at in instants])]
    counters = np.zeros((len(instants), COUNTERS), dtype=np.int64)
    by_counter = {GOOD: "good", TOTAL: "total", MEASURED: "measured"}
    by_counter |= {ACTIVE: "active", MET: "met", RATED: "rated"}
    for counter, name in by_counter.items():
        counters[:, counter] = found[:, Delta._fields.index(name)]
    return Running(counters, found[:, Delta._fields.index("expected")])
