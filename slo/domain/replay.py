"""What an objective would have meant: past minutes judged again, with the arithmetic of the tick.

Budgets are looked at by the hour. Burn alerts are looked at every five minutes, as far back as single
minutes are kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from slo.domain.blocks import HOUR, MEASURED, UNITS, Block, minute_number, start_of
from slo.domain.burn_alerts import Tier, Urgency, tiers_for
from slo.domain.corrections import Delta
from slo.domain.judging import COLUMNS, NAMES, Judgement, Reading, decide, judge
from slo.domain.plans import OWN, Plan, allowed_units
from slo.domain.rounds import pieces
from slo.domain.state import MINIMUM_COVERAGE, State, next_state
from slo.domain.windows import BURN_WINDOWS, Window

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
STEP = timedelta(minutes=5)
ONE_HOUR = timedelta(hours=1)
LONGEST = max(BURN_WINDOWS.values())
_BAND = 1e-9


@dataclass(frozen=True)
class Column:
    """One SLI's counters before some instants, corrections included.

    Args:
        instants: Sorted.
        counters: A row an instant, a column a counter.
        expected: What corrections add to the minutes expected before each instant.
    """

    instants: Sequence[datetime]
    counters: Ints
    expected: Ints

    def reading(self, pk: int) -> Reading:
        """Return the column as what judging reads; the SLO's slot in it is 0."""
        blocks = {
            at: Block(row.reshape(-1, 1))
            for at, row in zip(self.instants, self.counters, strict=True)
        }
        return Reading(blocks, _Expected(pk, self.numbers, self.expected.tolist()))

    @cached_property
    def numbers(self) -> dict[datetime, int]:
        """The row of each instant."""
        return {at: row for row, at in enumerate(self.instants)}


@dataclass(frozen=True)
class _Expected(Mapping[tuple[int, Window], Delta]):
    """What corrections add to the expected minutes of windows whose ends are known."""

    pk: int
    rows: Mapping[datetime, int]
    running: Sequence[int]

    def __getitem__(self, key: tuple[int, Window]) -> Delta:
        _, window = key
        before, after = self.rows[window.start], self.rows[window.end]
        return Delta(expected=self.running[after] - self.running[before])

    def __iter__(self) -> Iterator[tuple[int, Window]]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True)
class Period:
    """What is judged again.

    Args:
        start: First instant at which the budget is looked at, on the hour.
        end: Last one.
        minutes_from: From when on single minutes are kept.
    """

    start: datetime
    end: datetime
    minutes_from: datetime

    @property
    def alerts_from(self) -> datetime:
        """From when on burn alerts can be told: their longest window needs minutes."""
        return max(self.start, _ceil_hour(self.minutes_from) + LONGEST)

    @property
    def hours(self) -> list[datetime]:
        """The instants at which the budget is looked at."""
        return [*_steps(self.start, self.end, ONE_HOUR), self.end]

    @property
    def grid(self) -> list[datetime]:
        """The ends of the windows, long and short, by which burn alerts are decided."""
        past_end = self.end + timedelta(minutes=1)
        return list(_steps(self.alerts_from - LONGEST, past_end, STEP))


def _steps(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    at = start
    while at < end:
        yield at
        at += step


def _ceil_hour(at: datetime) -> datetime:
    floor = start_of(HOUR, at)
    return floor if floor == at else floor + ONE_HOUR


def instants(plan: Plan, period: Period) -> set[datetime]:
    """Return the instants before which must be counted to replay `plan`."""
    wanted = {*period.grid, *period.hours}
    for end in period.hours:
        for part in pieces(plan, [plan.rule.own_window(end=end)]):
            wanted |= {part.start, part.end}
    for end in period.grid if len(plan.versions) > 1 else ():
        for part in pieces(plan, plan.rule.windows(end + plan.rule.delay)[1:]):
            wanted |= {part.start, part.end}
    return wanted


@dataclass(frozen=True)
class Hour:
    """How a budget stood at one instant."""

    at: datetime
    judgement: Judgement
    state: State


@dataclass
class Replay:
    """What an objective would have meant.

    Args:
        hours: How the budget stood, oldest first; the last is now.
        pages: Burn alerts that would have paged.
        tickets: Those that would have made a ticket.
        alert_minutes: How long any of them would have lasted.
    """

    hours: list[Hour] = field(default_factory=list)
    pages: int = 0
    tickets: int = 0
    alert_minutes: int = 0

    @property
    def hours_in(self) -> dict[State, int]:
        """Hours in each state."""
        found = dict.fromkeys(State, 0)
        for hour in self.hours[:-1]:
            found[hour.state] += 1
        return found


def replay(plan: Plan, column: Column, period: Period) -> Replay:
    """Judge `period` by `plan`, whose counters are in `column`; not for composites."""
    alone = _alone(plan)
    reading = column.reading(plan.pk)
    found = Replay()
    tiers = dict(_alerts(alone, column, reading, period))
    has_ticket = False
    for (_, before), (_, tier) in pairwise([(None, None), *tiers.items()]):
        found.alert_minutes += int(STEP / timedelta(minutes=1)) * (tier is not None)
        found.pages += _is(tier, Urgency.PAGE) and not _is(before, Urgency.PAGE)
        # A ticket stays open, in silence, while something pages.
        is_new = _is(tier, Urgency.TICKET) and not has_ticket
        found.tickets += is_new
        has_ticket = tier is not None and (has_ticket or is_new)
    state = State.NO_DATA
    for at in period.hours:
        judgement = judge(alone, alone.rule.own_window(end=at), reading)
        state = next_state(
            state,
            remaining=judgement.remaining,
            covered=judgement.covered,
            burns_fast=_is(tiers.get(at), Urgency.PAGE),
            policy=plan.policy,
        )
        found.hours.append(Hour(at, judgement, state))
    return found


def _alone(plan: Plan) -> Plan:
    copy = Plan(**{name: getattr(plan, name) for name in Plan.__slots__})
    copy.slot = 0
    return copy


def _is(tier: Tier | None, urgency: Urgency) -> bool:
    return tier is not None and tier.share.urgency is urgency


def _alerts(
    plan: Plan, column: Column, reading: Reading, period: Period
) -> Iterator[tuple[datetime, Tier | None]]:
    """Yield the tier that holds at each step; lack of data changes nothing."""
    grid = period.grid
    rows = np.array([column.numbers[at] for at in grid], dtype=np.int64)
    near, known = _candidates(plan, column.counters[rows], column.expected[rows], grid)
    holding: Tier | None = None
    for number, at in enumerate(grid):
        if at < period.alerts_from:
            continue
        if near[number]:
            # The first window is the SLO's own, which burn alerts do not look at.
            windows = plan.rule.windows(at + plan.rule.delay)[OWN + 1 :]
            judged = [judge(plan, window, reading) for window in windows]
            tier, frozen = decide(plan, plan.objective_at(at), [judged[0], *judged])
            holding = holding if frozen else tier
        elif known[number]:
            holding = None
        yield at, holding


def _candidates(
    plan: Plan, counters: Ints, expected: Ints, grid: Sequence[datetime]
) -> tuple[Bools, Bools]:
    """Return at which steps a tier may hold, and at which all windows have data.

    The least threshold of all versions decides, so what may hold is never left out.
    """
    good, total, unit = COLUMNS[plan.method]
    everything = counters[:, total] * unit
    bad = everything - counters[:, good]
    objectives = {version.objective for version in plan.versions}
    allowed = min(allowed_units(objective) for objective in objectives) / UNITS
    near = np.zeros(len(grid), dtype=np.bool_)
    known = np.ones(len(grid), dtype=np.bool_)
    tiers = [tiers_for(objective, plan.rule.length) for objective in objectives]
    for same in zip(*tiers, strict=True):
        enabled = [float(tier.threshold) for tier in same if tier.enabled]
        least = min(enabled, default=0.0)
        may = np.full(len(grid), bool(enabled))
        for length in (same[0].share.long, same[0].short):
            assert NAMES[length]
            spent, all_ = _over(bad, length), _over(everything, length)
            may &= (all_ > 0) & (spent >= least * allowed * all_ * (1 - _BAND))
            known &= (all_ > 0) & _is_covered(plan, counters, expected, grid, length)
        near |= may
    return near, known


def _is_covered(
    plan: Plan, counters: Ints, expected: Ints, grid: Sequence[datetime], length: timedelta
) -> Bools:
    minutes = int(length / timedelta(minutes=1))
    if plan.data_since is None:
        return np.zeros(len(grid), dtype=np.bool_)
    since = minute_number(plan.data_since)
    ends = np.array([minute_number(at) for at in grid], dtype=np.int64)
    wanted = np.clip(ends - since, 0, minutes) + _over(expected, length)
    measured = np.minimum(_over(counters[:, MEASURED], length), wanted)
    least = MINIMUM_COVERAGE
    covered: Bools = (wanted > 0) & (measured * least.denominator >= least.numerator * wanted)
    return covered


def _over(running: Ints, length: timedelta) -> Ints:
    """Return by how much a running sum grew over the windows that end at each step."""
    steps = int(length / STEP)
    grown: Ints = running - np.concatenate([np.repeat(running[:1], steps), running])[: len(running)]
    return grown
