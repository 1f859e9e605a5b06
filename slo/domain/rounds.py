"""All SLOs of a minute judged at once.

Sums are whole numbers in arrays. Comparisons are made in floating point only where it can tell: what
lies within a narrow band around a border, and everything that might fire, is decided with the exact
arithmetic of `slo.domain.judging`, so the outcome is that of judging each SLO by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from slo.domain.blocks import COUNTERS, MEASURED, TOTAL, UNITS, Block, minute_number
from slo.domain.burn_alerts import DEFAULT_SHARES, Tier, Urgency, tiers_for
from slo.domain.figures import EXHAUSTS_UNKNOWN, METHODS, STATES, Ints, Round
from slo.domain.judging import COLUMNS, NAMES, Deltas, Judgement, Reading, decide, judge, plus
from slo.domain.plans import OWN, WINDOWS, Plan, WindowRule, allowed_units
from slo.domain.state import MINIMUM_COVERAGE, State, StatePolicy, next_state
from slo.domain.windows import Window, split_by_version

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

# Far above what float64 loses in these products, far below any difference that is more than a tie.
BAND = 1e-9
LONG = [WINDOWS.index(NAMES[share.long]) for share in DEFAULT_SHARES]
SHORT = [WINDOWS.index(NAMES[share.long / 12]) for share in DEFAULT_SHARES]

RuleWindows = dict[WindowRule, tuple[Window, ...]]


def windows_of(plans: Sequence[Plan], watermark: datetime) -> RuleWindows:
    """Return the windows of every rule among `plans`."""
    return {rule: rule.windows(watermark) for rule in {plan.rule for plan in plans}}


def pieces(plan: Plan, windows: Sequence[Window]) -> list[Window]:
    """Return the windows of one SLO and the parts into which its objectives cut them."""
    found = list(windows)
    if len(plan.versions) > 1:
        for window in windows:
            found += [part for _, part in split_by_version(window, list(plan.versions))]
    return found


def edges(plans: Sequence[Plan], windows: RuleWindows) -> set[datetime]:
    """Return every instant before which must be counted to judge `plans`."""
    wanted = {at for group in windows.values() for w in group for at in (w.start, w.end)}
    for plan in plans:
        if len(plan.versions) > 1 and plan.needs_exact(windows[plan.rule]):
            wanted |= {p.start for p in pieces(plan, windows[plan.rule])}
    return wanted


@dataclass(frozen=True)
class Decision:
    """What follows for one SLO."""

    tier: Tier | None
    frozen: bool
    state: State


def evaluate(
    plans: Sequence[Plan],
    windows: RuleWindows,
    prefixes: Mapping[datetime, Block],
    *,
    watermark: datetime,
    deltas: Deltas | None = None,
) -> Round:
    """Return the figures and states of all `plans` at `watermark`.

    Args:
        plans: The SLOs, in the order that the round keeps.
        windows: From `windows_of`.
        prefixes: What was counted before each of `edges`.
        watermark: End of the last measured minute.
        deltas: What corrections add, by SLO and window or part of one.
    """
    objectives = [plan.objective_at(windows[plan.rule][OWN].end) for plan in plans]
    sums = _Sums.read(plans, objectives, windows, prefixes)
    reading = Reading(prefixes, deltas or {})
    decided = _decide_many(plans, objectives, sums)
    exact: dict[int, list[Judgement]] = {}
    for number, plan in enumerate(plans):
        if plan.needs_exact(windows[plan.rule]):
            found = [judge(plan, window, reading) for window in windows[plan.rule]]
            exact[plan.pk] = found
            decided.put(number, _decide_one(plan, objectives[number], found))
            if delta := reading.deltas.get((plan.pk, windows[plan.rule][OWN])):
                sums.own[number] = plus(sums.own[number].tolist(), delta)
    ends = [windows[plan.rule][OWN].end for plan in plans]
    return Round(
        watermark=watermark,
        ids=np.array([plan.pk for plan in plans], dtype=np.int64),
        ends=np.array([minute_number(end) for end in ends], dtype=np.int64),
        starts=np.array(
            [minute_number(windows[plan.rule][OWN].start) for plan in plans], dtype=np.int64
        ),
        allowed=sums.allowed,
        methods=sums.methods,
        states=decided.states,
        since=_since(plans, decided.states, watermark),
        tiers=decided.tiers,
        frozen=decided.frozen.astype(np.int64),
        exhausts=np.full(len(plans), EXHAUSTS_UNKNOWN, dtype=np.int64),
        good=sums.good,
        total=sums.total,
        measured=sums.measured,
        expected=sums.expected,
        own=sums.own,
        exact=exact,
    )


def _since(plans: Sequence[Plan], states: Ints, watermark: datetime) -> Ints:
    """Return since when each state holds: as before while it is the same, else from now on."""
    begun = [
        plan.state_since if plan.state_since and plan.state is STATES[state] else watermark
        for plan, state in zip(plans, states, strict=True)
    ]
    return np.array([minute_number(at) for at in begun], dtype=np.int64)


@dataclass(frozen=True)
class _Sums:
    """Arrays with a row an SLO and a column a window; `own` has all counters of the own window."""

    good: Ints
    total: Ints
    measured: Ints
    expected: Ints
    events: Ints
    units: Ints
    own: Ints
    allowed: Ints
    methods: Ints

    @classmethod
    def read(
        cls,
        plans: Sequence[Plan],
        objectives: Sequence[Decimal],
        windows: RuleWindows,
        prefixes: Mapping[datetime, Block],
    ) -> "_Sums":
        """Add up the windows of all plans."""
        groups = {rule: number for number, rule in enumerate(windows)}
        group = np.array([groups[plan.rule] for plan in plans], dtype=np.int64)
        slots = np.array([plan.slot for plan in plans], dtype=np.int64)
        methods = np.array([METHODS.index(plan.method) for plan in plans], dtype=np.int64)
        counters = _window_sums(list(windows.values()), group, slots, prefixes)
        columns = np.array([COLUMNS[method] for method in METHODS], dtype=np.int64)[methods]
        good = np.take_along_axis(counters, columns[:, None, :1], axis=2)[:, :, 0]
        total = np.take_along_axis(counters, columns[:, None, 1:2], axis=2)[:, :, 0]
        units = columns[:, 2]
        return cls(
            good=good,
            total=total * units[:, None],
            measured=counters[:, :, MEASURED],
            expected=_expected(plans, windows, group),
            events=counters[:, :, TOTAL],
            units=units,
            own=counters[:, OWN, :],
            allowed=np.array([allowed_units(o) for o in objectives], dtype=np.int64),
            methods=methods,
        )

    def judgement(self, row: int, window: int) -> Judgement:
        """Return one window of one SLO as exact figures."""
        good, total = int(self.good[row, window]), int(self.total[row, window])
        unit = int(self.units[row])
        return Judgement(
            good=good,
            total=total,
            measured=int(self.measured[row, window]),
            expected=int(self.expected[row, window]),
            bad=Fraction(total - good),
            allowed=Fraction(int(self.allowed[row]) * total, UNITS),
            events=int(self.events[row, window]),
            trials=total // unit,
            unit=unit,
        )

    @property
    def spent(self) -> Floats:
        """Burn rate by SLO and window; NaN without events."""
        allowed = self.allowed[:, None].astype(np.float64) / UNITS * self.total
        with np.errstate(invalid="ignore", divide="ignore"):
            rates: Floats = (self.total - self.good) / allowed
        return rates

    @property
    def covered(self) -> Bools:
        """Whether enough of each window's minutes were measured."""
        least = MINIMUM_COVERAGE.numerator * self.expected
        measured = np.minimum(self.measured, self.expected)
        return (self.expected > 0) & (measured * MINIMUM_COVERAGE.denominator >= least)


def _window_sums(
    groups: Sequence[Sequence[Window]],
    group: Ints,
    slots: Ints,
    prefixes: Mapping[datetime, Block],
) -> Ints:
    """Return all counters by SLO and window: the prefix at its end without that at its start."""
    numbers: dict[datetime, int] = {}
    for windows in groups:
        for window in windows:
            numbers.setdefault(window.start, len(numbers))
            numbers.setdefault(window.end, len(numbers))
    width = int(slots.max(initial=-1)) + 1
    before = np.zeros((len(numbers), COUNTERS, width), dtype=np.int64)
    for edge, number in numbers.items():
        counters = prefixes[edge].counters[:, :width]
        before[number, :, : counters.shape[1]] = counters
    starts = np.array([[numbers[w.start] for w in ws] for ws in groups], dtype=np.int64)
    ends = np.array([[numbers[w.end] for w in ws] for ws in groups], dtype=np.int64)
    if not len(slots):
        return np.zeros((0, len(WINDOWS), COUNTERS), dtype=np.int64)
    column = slots[:, None]
    sums: Ints = before[ends[group], :, column] - before[starts[group], :, column]
    return sums


def _expected(plans: Sequence[Plan], windows: RuleWindows, group: Ints) -> Ints:
    """Return the minutes of each window since the SLI's first data."""
    borders = np.array(
        [[(minute_number(w.start), minute_number(w.end)) for w in ws] for ws in windows.values()],
        dtype=np.int64,
    ).reshape(len(windows), len(WINDOWS), 2)
    never = np.iinfo(np.int64).max
    numbers = {since: minute_number(since) for plan in plans if (since := plan.data_since)}
    first_data = np.array(
        [numbers[plan.data_since] if plan.data_since else never for plan in plans], dtype=np.int64
    )
    starts, ends = borders[group, :, 0], borders[group, :, 1]
    first = np.minimum(np.maximum(starts, first_data[:, None]), ends)
    expected: Ints = ends - first
    return expected


@dataclass(frozen=True)
class _Decided:
    """Arrays with a row an SLO; a tier is its number from 1 on, 0 is none."""

    states: Ints
    tiers: Ints
    frozen: Bools

    def put(self, row: int, decision: Decision) -> None:
        """Set what was decided for one SLO."""
        self.states[row] = STATES.index(decision.state)
        self.tiers[row] = _number_of(decision.tier)
        self.frozen[row] = decision.frozen


def _number_of(tier: Tier | None) -> int:
    return 0 if tier is None else DEFAULT_SHARES.index(tier.share) + 1


def _decide_many(plans: Sequence[Plan], objectives: Sequence[Decimal], sums: _Sums) -> _Decided:
    """Decide what is clear for all SLOs at once, and the rest one by one."""
    spent, covered = sums.spent, sums.covered
    known = covered & (sums.total > 0)
    known_tiers = known[:, LONG] & known[:, SHORT]
    thresholds = _thresholds(plans, objectives) * (1 - BAND)
    with np.errstate(invalid="ignore"):
        burning = (spent[:, LONG] >= thresholds) & (spent[:, SHORT] >= thresholds) & known_tiers
    states = _states(plans, spent[:, OWN], known[:, OWN])
    frozen: Bools = np.logical_not(known_tiers.all(axis=1))
    decided = _Decided(states, np.zeros(len(plans), dtype=np.int64), frozen)
    near = _is_near(spent[:, OWN], _borders(plans))
    unclear = burning.any(axis=1) | (known[:, OWN] & near)
    for row in np.flatnonzero(unclear).tolist():
        found = [sums.judgement(row, window) for window in range(len(WINDOWS))]
        decided.put(row, _decide_one(plans[row], objectives[row], found))
    return decided


def _thresholds(plans: Sequence[Plan], objectives: Sequence[Decimal]) -> Floats:
    """Return each SLO's burn-rate thresholds; infinite where a tier is off."""
    numbers: dict[tuple[Decimal, timedelta], int] = {}
    keys = [(o, plan.rule.length) for plan, o in zip(plans, objectives, strict=True)]
    rows = [numbers.setdefault(key, len(numbers)) for key in keys]
    table = [
        [float(tier.threshold) if tier.enabled else np.inf for tier in tiers_for(*key)]
        for key in numbers
    ]
    shape = (len(table), len(DEFAULT_SHARES))
    thresholds: Floats = np.array(table, dtype=np.float64).reshape(shape)[
        np.array(rows, dtype=np.int64)
    ]
    return thresholds


def _states(plans: Sequence[Plan], spent: Floats, known: Bools) -> Ints:
    """Return the states that follow from the budget, for SLOs of which no paging tier holds."""
    was_exhausted = np.array([plan.state is State.EXHAUSTED for plan in plans], dtype=np.bool_)
    was_at_risk = np.array([plan.state is State.AT_RISK for plan in plans], dtype=np.bool_)
    borders = _borders(plans)
    at_risk, still, recovered = borders[:, 1], borders[:, 2], borders[:, 3]
    with np.errstate(invalid="ignore"):
        exhausted = (spent >= 1) | (was_exhausted & (spent >= recovered))
        risky = (spent > at_risk) | ((was_at_risk | was_exhausted) & (spent > still))
        chosen: Ints = np.select(
            [~known, exhausted, risky],
            [STATES.index(s) for s in (State.NO_DATA, State.EXHAUSTED, State.AT_RISK)],
            STATES.index(State.HEALTHY),
        ).astype(np.int64)
    return chosen


def _borders(plans: Sequence[Plan]) -> Floats:
    """Return the shares of the budget spent at which each SLO's states may begin or end."""
    known: dict[StatePolicy, tuple[float, ...]] = {}
    for plan in plans:
        if plan.policy not in known:
            left = (
                plan.policy.at_risk_below,
                plan.policy.healthy_from,
                plan.policy.recovered_above,
            )
            known[plan.policy] = (1.0, *(float(1 - share) for share in left))
    rows = [known[plan.policy] for plan in plans]
    return np.array(rows, dtype=np.float64).reshape(len(plans), 4)


def _is_near(spent: Floats, borders: Floats) -> Bools:
    """Return where a share spent is too close to a border for floating point."""
    near: Bools = np.any(np.abs(spent[:, None] - borders) <= BAND, axis=1)
    return near


def _decide_one(plan: Plan, objective: Decimal, found: Sequence[Judgement]) -> Decision:
    tier, frozen = decide(plan, objective, found)
    state = next_state(
        plan.state,
        remaining=found[OWN].remaining,
        covered=found[OWN].covered,
        burns_fast=tier is not None and tier.share.urgency is Urgency.PAGE,
        policy=plan.policy,
    )
    return Decision(tier, frozen, state)
