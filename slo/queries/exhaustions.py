"""When budgets will be spent if the last hour goes on, of all SLOs of a round."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from slo.domain import exhaustion
from slo.domain.blocks import DAY, UNITS, minute_number, start_of
from slo.domain.exhaustion import Pace, Search, Spending
from slo.domain.figures import EXHAUSTS_NEVER, EXHAUSTS_UNKNOWN, Round
from slo.domain.judging import Reading, judge
from slo.domain.plans import OWN, WINDOWS, Plan, WindowRule, allowed_units
from slo.domain.windows import Window, split_by_version
from slo.queries import adjustments
from slo.queries.slices import SliceReader
from slo.queries.spending import SpendingReader

Ints = NDArray[np.int64]
HOUR = WINDOWS.index("1h")
ONE_DAY = timedelta(days=1)
STRETCHES = 30
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
        in_parts = {row for row in rows if plans[row].is_adjusted or plans[row].cuts([own])}
        plain = [row for row in rows if row not in in_parts]
        spending = SpendingReader([plans[row] for row in plain])
        if rule.days:
            places = _may_be_spent(plain, found, own, spending)
            plain = [plain[place] for place in places]
            spending = spending.narrowed([plans[row] for row in plain], places)
        searches = [
            _Search(plans[row], row, found, own, _Plain(plans[row], column, spending, own.end))
            for column, row in enumerate(plain)
        ]
        searches += [
            _Search(plans[row], row, found, own, _InParts(plans[row], own, reader))
            for row in sorted(in_parts)
        ]
        times[rows] = EXHAUSTS_NEVER
        for row, at in _run(searches, spending).items():
            times[row] = EXHAUSTS_NEVER if at is None else minute_number(at)
    return times


class _Sums(Protocol):
    """What happened from an instant to now: bad events and allowed ones, in one unit."""

    def __call__(self, instants: Sequence[datetime], minutes: int) -> list[Spending]:
        """Return it for each instant, times `minutes`, in 1e-8 events."""


class _Search:
    """The search for one budget's end, which goes on when what it asks for was fetched."""

    def __init__(self, plan: Plan, row: int, found: Round, own: Window, sums: _Sums) -> None:
        self.row = row
        self._minutes = max(int(found.measured[row, HOUR]), 1)
        last = int(found.total[row, HOUR])
        bad = last - int(found.good[row, HOUR])
        # Whole numbers in units of 1e-8 events and of the minutes that the pace was measured over.
        pace = Pace(bad * UNITS, last * int(found.allowed[row]))
        self._sums = sums
        self._steps = _steps(plan, own, pace)
        self.wanted = next(self._steps)

    def go_on(self) -> None:
        """Take the next step.

        Raises:
            StopIteration: With the answer, None for never.
        """
        self.wanted = self._steps.send(self._sums(self.wanted, self._minutes))


def _steps(plan: Plan, own: Window, pace: Pace) -> Search:
    if plan.rule.days:
        return exhaustion.search_rolling(now=own.end, length=own.end - own.start, pace=pace)
    return _calendar(plan, own, pace)


def _calendar(plan: Plan, own: Window, pace: Pace) -> Search:
    (spent,) = yield [own.start]
    end = plan.rule.next_period(own.end)
    return exhaustion.calendar(now=own.end, end=end, spent=spent, pace=pace)


def _run(searches: Sequence[_Search], spending: SpendingReader) -> dict[int, datetime | None]:
    """Return what each search finds, by row: what all ask for at a time is one query."""
    found: dict[int, datetime | None] = {}
    going_on = list(searches)
    while going_on:
        spending.before({at for search in going_on for at in search.wanted})
        for search in going_on:
            try:
                search.go_on()
            except StopIteration as end:
                found[search.row] = end.value
        going_on = [search for search in going_on if search.row not in found]
    return found


def _may_be_spent(
    rows: Sequence[int], found: Round, own: Window, spending: SpendingReader
) -> list[int]:
    """Return the places of rows whose budget may be spent before the window is over; the rest never is.

    The bound of `slo.domain.exhaustion` for stretches of whole days, for all at once.
    """
    edges = _stretches(own)
    before = spending.before(edges)
    counted = np.array([before[at] for at in edges])
    allowed = found.allowed[rows] / UNITS
    bad_left, total_left = counted[-1, 0] - counted[:, 0], counted[-1, 1] - counted[:, 1]
    last = found.total[rows, HOUR]
    minutes = np.maximum(found.measured[rows, HOUR], 1)
    pace_bad, pace_allowed = (last - found.good[rows, HOUR]) / minutes, last * allowed / minutes
    passed = np.array([minute_number(at) - minute_number(own.start) for at in edges])
    loss = pace_bad - pace_allowed
    going_on = loss * np.where(loss > 0, passed[1:, None], passed[:-1, None])
    least = total_left[1:] * allowed
    may = (bad_left[:-1] + going_on >= least * (1 - _BAND) - _BAND).any(axis=0) | (loss > 0)
    places: list[int] = np.flatnonzero(may).tolist()
    return places


def _stretches(own: Window) -> list[datetime]:
    # Fewer than twice as many rows are read for any longer window.
    length = max((own.end - own.start) // (STRETCHES * ONE_DAY), 1) * ONE_DAY
    edges = [own.start]
    while edges[-1] < own.end:
        edges.append(min(start_of(DAY, edges[-1]) + length, own.end))
    return edges


class _Plain:
    """Sums of an SLO that one column and one objective say."""

    def __init__(self, plan: Plan, column: int, spending: SpendingReader, end: datetime) -> None:
        self._units = allowed_units(plan.objective_at(end))
        self._column = column
        self._spending = spending
        self._end = end

    def __call__(self, instants: Sequence[datetime], minutes: int) -> list[Spending]:
        """See `_Sums`."""
        before = self._spending.before([*instants, self._end])
        bad, every = before[self._end][:, self._column].tolist()
        counted = (before[at][:, self._column].tolist() for at in instants)
        return [
            ((bad - gone_bad) * UNITS * minutes, (every - gone) * self._units * minutes)
            for gone_bad, gone in counted
        ]


class _InParts:
    """Sums of an SLO that is corrected, or whose objective changed within the window.

    All that is asked for ends now, so what follows a change of the objective is judged once.
    """

    def __init__(self, plan: Plan, own: Window, reader: SliceReader) -> None:
        self._plan = plan
        self._own = own
        self._reader = reader

    def __call__(self, instants: Sequence[datetime], minutes: int) -> list[Spending]:
        """See `_Sums`."""
        behind = self._behind
        nexts = [min(border for border in behind if border >= at) for at in instants]
        heads = [Window(at, border) for at, border in zip(instants, nexts, strict=True)]
        scale = UNITS * minutes
        return [
            ((bad + behind[border][0]) * scale, (allowed + behind[border][1]) * scale)
            for (bad, allowed), border in zip(self._spent(heads), nexts, strict=True)
        ]

    @cached_property
    def _behind(self) -> dict[datetime, Spending]:
        """What happened from each change of the objective to now, and nothing from now on."""
        parts = [part for _, part in split_by_version(self._own, list(self._plan.versions))][1:]
        bad, allowed = Fraction(0), Fraction(0)
        behind: dict[datetime, Spending] = {self._own.end: (bad, allowed)}
        for part, (more_bad, more) in reversed([*zip(parts, self._spent(parts), strict=True)]):
            bad, allowed = bad + more_bad, allowed + more
            behind[part.start] = bad, allowed
        return behind

    @cached_property
    def _corrections(self) -> adjustments.Corrections | None:
        pk = self._plan.pk
        return adjustments.within(self._own, [pk]).get(pk) if self._plan.is_adjusted else None

    def _spent(self, windows: Sequence[Window]) -> list[tuple[Fraction, Fraction]]:
        """Return bad and allowed events of windows, in each of which one objective holds."""
        prefixes = self._reader.prefixes([at for w in windows for at in (w.start, w.end)])
        deltas = self._corrections.over(windows) if self._corrections else {}
        judged = (judge(self._plan, window, Reading(prefixes, deltas)) for window in windows)
        return [(found.bad, found.allowed) for found in judged]
