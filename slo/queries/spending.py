"""What some SLOs spent before an instant: only their columns are unpacked and kept."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from slo.domain.blocks import MINUTE, SpentPicker, start_of
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
        good, total, units = columns.T
        self._picker = SpentPicker(good, total, np.array([p.slot for p in plans], dtype=np.int64))
        # Bad minutes' shares are kept in millionths; minutes are not.
        self._units = np.stack([np.ones_like(units), units])
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
            self._before[at] = sum((self._rows[probe] for probe in probes(at)), self._nothing())
        return self._before

    def narrowed(self, plans: Sequence[Plan], places: Sequence[int]) -> "SpendingReader":
        """Return a reader of some of these SLOs that knows what this one has read.

        Args:
            plans: Of those.
            places: Of each among the plans of this reader.
        """
        reader = SpendingReader(plans)
        reader._rows = {probe: row[:, places] for probe, row in self._rows.items()}
        return reader

    def _load(self, needed: set[Probe]) -> None:
        missing = sorted(needed - self._rows.keys())
        self._rows |= dict.fromkeys(missing, self._nothing())
        for probe, data in newest(missing):
            self._rows[probe] = self._picker.pick(data) * self._units

    def _nothing(self) -> Ints:
        return np.zeros_like(self._units)
