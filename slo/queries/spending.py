"""What some SLOs spent before an instant: only their columns are unpacked and kept."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from slo.domain.blocks import MINUTE, Block, start_of
from slo.domain.judging import COLUMNS
from slo.domain.plans import Plan
from slo.domain.prefixes import Probe, probes
from slo.queries.slices import newest

Ints = NDArray[np.int64]


class SpendingReader:
    """Bad and all events of SLOs, in the unit of each one's method.

    Args:
        plans: Of SLOs whose sums are one column: no composites, nothing corrected.
    """

    def __init__(self, plans: Sequence[Plan]) -> None:
        columns = np.array([COLUMNS[plan.method] for plan in plans], dtype=np.int64).reshape(-1, 3)
        self._good, self._total, self._units = columns.T
        self._slots = np.array([plan.slot for plan in plans], dtype=np.int64)
        self._rows: dict[Probe, Ints] = {}
        self._before: dict[datetime, Ints] = {}

    def before(self, instants: Iterable[datetime]) -> dict[datetime, Ints]:
        """Return what was counted before each instant: a row of bad events and one of all.

        A column an SLO, in the order given. One query for all that was not asked before.
        """
        wanted = {start_of(MINUTE, at) for at in instants} - self._before.keys()
        if wanted:
            self._load({probe for at in wanted for probe in probes(at)})
        for at in wanted:
            self._before[at] = sum(
                (self._rows[probe] for probe in probes(at)), np.zeros((2, len(self._slots)), int)
            )
        return self._before

    def _load(self, needed: set[Probe]) -> None:
        missing = sorted(needed - self._rows.keys())
        nothing = np.zeros((2, len(self._slots)), dtype=np.int64)
        self._rows |= dict.fromkeys(missing, nothing)
        for probe, data in newest(missing):
            bad, every = Block.pick_spent(data, self._good, self._total, self._slots)
            self._rows[probe] = np.stack([bad, every * self._units])
