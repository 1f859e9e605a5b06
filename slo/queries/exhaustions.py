"""When budgets will be spent if the last hour goes on, of all SLOs of a round."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from slo.domain import exhaustion
from slo.domain.blocks import DAY, UNITS, minute_number, start_of
from slo.domain.exhaustion import Pace, Search, Spending
from slo.domain.figures import EXHAUSTS_NEVER, EXHAUSTS_UNKNOWN, Round
from slo.domain.judging import COLUMNS, Reading, judge
from slo.domain.plans import OWN, WINDOWS, Plan, WindowRule, allowed_units
from slo.domain.rounds import pieces
from slo.domain.windows import Window
from slo.queries import adjustments
from slo.queries.slices import SliceReader

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
HOUR = WINDOWS.index("1h")
ONE_DAY = timedelta(days=1)
_BAND = 1e-9


def of(plans: Sequence[Plan], found: Round, reader: SliceReader) -> Ints:
    """Return when each budget of a round is spent, minutes since 1970, or one of the two marks.

    Unknown is a composite, and whatever had no events in the last hour.

    Args:
        plans: In the order of the round.
        found: The round.
        reader: Its rows are used again.
    """
    times = np.full(len(plans), EXHAUSTS_UNKNOWN, dtype=np.int64)
    by_rule: dict[WindowRule, list[int]] = {}
    for row, plan in enumerate(plans):
        if not plan.is_composite and found.total[row, HOUR]:
            by_rule.setdefault(plan.rule, []).append(row)
    for rule, rows in by_rule.items():
        own = rule.windows(found.watermark)[OWN]
        chosen = rows if not rule.days else _may_be_spent(plans, rows, found, own, reader)
        times[rows] = EXHAUSTS_NEVER
        searches = {row: _Search(plans[row], row, found, own, reader) for row in chosen}
        for row, at in _run(searches, reader).items():
            times[row] = EXHAUSTS_NEVER if at is None else minute_number(at)
    return times


class _Search:
    """The search for one budget's end, which goes on when what it asks for was fetched."""

    def __init__(
        self, plan: Plan, row: int, found: Round, own: Window, reader: SliceReader
    ) -> None:
        minutes = max(int(found.measured[row, HOUR]), 1)
        last = int(found.total[row, HOUR])
        bad = last - int(found.good[row, HOUR])
        # Whole numbers in units of 1e-8 events and of the minutes that the pace was measured over.
        pace = Pace(bad * UNITS, last * int(found.allowed[row]))
        self._sums = _spending(plan, minutes, own, reader)
        self._steps = _steps(plan, own, pace)
        self.wanted = next(self._steps)

    def go_on(self) -> None:
        """Take the next step.

        Raises:
            StopIteration: With the answer, None for never.
        """
        self.wanted = self._steps.send(self._sums(self.wanted))


def _steps(plan: Plan, own: Window, pace: Pace) -> Search:
    if plan.rule.days:
        return exhaustion.search_rolling(now=own.end, length=own.end - own.start, pace=pace)
    return _calendar(plan, own, pace)


def _calendar(plan: Plan, own: Window, pace: Pace) -> Search:
    (spent,) = yield [own.start]
    end = plan.rule.next_period(own.end)
    return exhaustion.calendar(now=own.end, end=end, spent=spent, pace=pace)


def _run(searches: Mapping[int, _Search], reader: SliceReader) -> dict[int, datetime | None]:
    """Return what each search finds: what all ask for at a time is one query."""
    found: dict[int, datetime | None] = {}
    while open_ := {row: search for row, search in searches.items() if row not in found}:
        reader.prefixes({at for search in open_.values() for at in search.wanted})
        for row, search in open_.items():
            try:
                search.go_on()
            except StopIteration as end:
                found[row] = end.value
    return found


def _may_be_spent(
    plans: Sequence[Plan], rows: Sequence[int], found: Round, own: Window, reader: SliceReader
) -> list[int]:
    """Return the rows whose budget may be spent before the window is over; the rest never is.

    The bound of `slo.domain.exhaustion` by days, for all at once. Whoever is judged in parts is asked
    by itself.
    """
    edges = _days(own)
    prefixes = reader.prefixes(edges)
    good, total = _columns(plans, rows, [prefixes[at].counters for at in edges])
    allowed = found.allowed[rows] / UNITS
    bad_left = (total[-1] - good[-1]) - (total - good)
    allowed_left = (total[-1] - total) * allowed
    last = found.total[rows, HOUR]
    minutes = np.maximum(found.measured[rows, HOUR], 1)
    pace_bad, pace_allowed = (last - found.good[rows, HOUR]) / minutes, last * allowed / minutes
    passed = np.array([minute_number(at) - minute_number(own.start) for at in edges])
    most = bad_left[:-1] + pace_bad * passed[1:, None]
    least = allowed_left[1:] + pace_allowed * passed[:-1, None]
    may = (most >= least * (1 - _BAND) - _BAND).any(axis=0) | (pace_bad > pace_allowed)
    in_parts = [plans[row].is_adjusted or len(plans[row].versions) > 1 for row in rows]
    return [row for row, one, parts in zip(rows, may, in_parts, strict=True) if one or parts]


def _days(own: Window) -> list[datetime]:
    edges = [own.start]
    while edges[-1] < own.end:
        edges.append(min(start_of(DAY, edges[-1]) + ONE_DAY, own.end))
    return edges


def _columns(
    plans: Sequence[Plan], rows: Sequence[int], counters: Sequence[Ints]
) -> tuple[Ints, Ints]:
    """Return good and all events by instant and SLO, in the unit of each one's method."""
    slots = np.array([plans[row].slot for row in rows], dtype=np.int64)
    columns = np.array([COLUMNS[plans[row].method] for row in rows], dtype=np.int64)
    width = int(slots.max(initial=-1)) + 1
    found = np.zeros((2, len(counters), len(rows)), dtype=np.int64)
    for number, block in enumerate(counters):
        padded = np.zeros((len(block), width), dtype=np.int64)
        padded[:, : block.shape[1]] = block[:, :width]
        found[0, number] = padded[columns[:, 0], slots]
        found[1, number] = padded[columns[:, 1], slots] * columns[:, 2]
    return found[0], found[1]


def _spending(
    plan: Plan, minutes: int, own: Window, reader: SliceReader
) -> Callable[[Sequence[datetime]], list[Spending]]:
    if plan.is_adjusted or plan.cuts([own]):
        return _in_parts(plan, minutes, own, reader)
    units = allowed_units(plan.objective_at(own.end)) * minutes
    good, total, unit = COLUMNS[plan.method]

    def counted(at: datetime) -> tuple[int, int]:
        counters = reader.prefixes([at])[at].counters
        if plan.slot >= counters.shape[1]:
            return 0, 0
        every = int(counters[total, plan.slot]) * unit
        return every - int(counters[good, plan.slot]), every

    def sums(instants: Sequence[datetime]) -> list[Spending]:
        reader.prefixes(instants)
        bad_now, all_now = counted(own.end)
        return [
            ((bad_now - bad) * UNITS * minutes, (all_now - every) * units)
            for bad, every in map(counted, instants)
        ]

    return sums


def _in_parts(
    plan: Plan, minutes: int, own: Window, reader: SliceReader
) -> Callable[[Sequence[datetime]], list[Spending]]:
    def sums(instants: Sequence[datetime]) -> list[Spending]:
        windows = [Window(at, own.end) for at in instants]
        parts = [part for window in windows for part in pieces(plan, [window])]
        prefixes = reader.prefixes([at for part in parts for at in (part.start, part.end)])
        deltas = adjustments.of({plan.pk: parts}) if plan.is_adjusted else {}
        reading = Reading(prefixes, deltas)
        judged = [judge(plan, window, reading) for window in windows]
        scale = UNITS * minutes
        return [(found.bad * scale, found.allowed * scale) for found in judged]

    return sums
