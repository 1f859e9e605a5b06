"""One SLO judged exactly: every figure a whole number or a fraction.

This is the reference for `slo.domain.rounds`, which judges thousands at once, and the only way for
SLOs whose sums are not one column under one objective.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from slo.domain.blocks import ACTIVE, GOOD, MEASURED, MET, MILLIONTHS, RATED, TOTAL, UNITS, Block
from slo.domain.burn_alerts import Spending, Tier, reaches, tiers_for
from slo.domain.corrections import Delta
from slo.domain.counts import Counts
from slo.domain.plans import WINDOWS, Method, Plan, allowed_units
from slo.domain.state import MINIMUM_COVERAGE, coverage
from slo.domain.windows import BURN_WINDOWS, Window, split_by_version

# Which counter is good and which is all, and how much of the latter one trial is.
COLUMNS = {
    Method.OCCURRENCES: (GOOD, TOTAL, 1),
    Method.TIME_SLICES: (MET, ACTIVE, 1),
    Method.RATIO_OF_SLICES: (RATED, ACTIVE, MILLIONTHS),
}
NAMES = {length: name for name, length in BURN_WINDOWS.items()}
Deltas = Mapping[tuple[int, Window], Delta]


@dataclass(frozen=True)
class Judgement:
    """One window of one SLO.

    Args:
        good: Good events in the method's unit: events, minutes, or millionths of minutes.
        total: All of them, in the same unit; 0 is no data.
        measured: Minutes measured.
        expected: Minutes that should have been.
        bad: Bad events in the same unit.
        allowed: Bad events allowed, in the same unit.
        events: Valid events, whatever the method.
        trials: Events or minutes that may be bad by chance; 0 for a composite.
        unit: How much of `total` is one trial.
        missing: Ids of a composite's members that have no data.
    """

    good: int
    total: int
    measured: int
    expected: int
    bad: Fraction
    allowed: Fraction
    events: int
    trials: int
    unit: int = 1
    missing: tuple[int, ...] = ()

    @property
    def burn_rate(self) -> Fraction | None:
        """How many times faster than allowed the budget is spent; None without data."""
        return self.bad / self.allowed if self.allowed else None

    @property
    def remaining(self) -> Fraction | None:
        """Share of the budget left, signed; None without data."""
        return 1 - self.bad / self.allowed if self.allowed else None

    @property
    def covered(self) -> Fraction | None:
        """Share of the expected minutes that were measured."""
        return coverage(measured=self.measured, expected=self.expected)

    @property
    def is_known(self) -> bool:
        """Whether there is enough data to fire or resolve anything."""
        covered = self.covered
        return self.total > 0 and covered is not None and covered >= MINIMUM_COVERAGE

    @property
    def spending(self) -> Spending:
        """What burn alerts look at."""
        return Spending(self.bad, self.allowed, self.events, self.trials, self.unit)


class Reading:
    """Sums of windows of single SLIs, from prefixes already fetched.

    Args:
        prefixes: What was counted before each edge.
        deltas: What corrections add, by SLO and window or part of one.
    """

    def __init__(self, prefixes: Mapping[datetime, Block], deltas: Deltas) -> None:
        self.prefixes = prefixes
        self.deltas = deltas

    def counters(self, slot: int, window: Window) -> list[int]:
        """Return all counters of one slot over `window`."""
        if window.start >= window.end:
            return self._before(slot, window.end, zero=True)
        after = self._before(slot, window.end)
        return [b - a for a, b in zip(self._before(slot, window.start), after, strict=True)]

    def _before(self, slot: int, at: datetime, *, zero: bool = False) -> list[int]:
        block = self.prefixes[at]
        if zero or slot >= block.slots:
            return [0] * len(block.counters)
        return [int(value) for value in block.counters[:, slot]]

    def counted(self, plan: Plan, window: Window) -> "Counted":
        """Return what an SLO counts over `window`, as corrected."""
        delta = self.deltas.get((plan.pk, window), _NOTHING)
        counters = plus(self.counters(plan.slot, window), delta)
        good, total, unit = COLUMNS[plan.method]
        return Counted(
            Counts(counters[good], counters[total] * unit, counters[MEASURED]),
            counters[TOTAL],
            expected_minutes(plan.data_since, window) + delta.expected,
        )


class Counted(NamedTuple):
    """What one SLO counts over one window.

    Args:
        counts: In the unit of its method.
        events: Valid events, whatever the method.
        expected: Minutes that should have been measured.
    """

    counts: Counts
    events: int
    expected: int


_NOTHING = Delta()


def plus(counters: Sequence[int], delta: Delta) -> list[int]:
    """Return all counters, in their order, as corrected."""
    added = [delta.good, delta.total, delta.measured, 0, delta.active, delta.met, delta.rated]
    return [count + more for count, more in zip(counters, added, strict=True)]


def expected_minutes(since: datetime | None, window: Window) -> int:
    """Return how many minutes of `window` should have been measured: those since the first data."""
    if since is None or since >= window.end:
        return 0
    return Window(max(window.start, since), window.end).minutes


def judge(plan: Plan, window: Window, reading: Reading) -> Judgement:
    """Return the judgement of one window, each part by the objective that was in force."""
    parts = split_by_version(window, list(plan.versions))
    if plan.is_composite:
        return _judge_composite(plan, window, parts, reading)
    counts, events, expected, allowed = Counts(), 0, 0, 0
    for objective, part in parts:
        found = reading.counted(plan, part)
        counts, events = counts + found.counts, events + found.events
        expected += found.expected
        allowed += allowed_units(objective) * found.counts.total
    unit = COLUMNS[plan.method][2]
    return Judgement(
        good=counts.good,
        total=counts.total,
        measured=counts.measured,
        expected=expected,
        bad=Fraction(counts.bad),
        allowed=Fraction(allowed, UNITS),
        events=events,
        trials=counts.total // unit,
        unit=unit,
    )


@dataclass(frozen=True)
class _Share:
    """The SLI of one member over a window."""

    ratio: Fraction | None
    events: int
    measured: int
    expected: int
    missing: tuple[int, ...]

    @property
    def covered(self) -> Fraction:
        """Share of expected minutes measured; nothing expected is nothing covered."""
        return coverage(measured=self.measured, expected=self.expected) or Fraction(0)


def _share(plan: Plan, window: Window, reading: Reading) -> _Share:
    if not plan.is_composite:
        counts, events, expected = reading.counted(plan, window)
        lacking = () if counts.total else (plan.pk,)
        return _Share(counts.ratio, events, counts.measured, expected, lacking)
    shares = [(_share(m.plan, window, reading), m.weight) for m in plan.members]
    missing = tuple(dict.fromkeys(pk for share, _ in shares for pk in share.missing))
    if missing or not shares:
        worst = min((share for share, _ in shares), key=lambda s: s.covered, default=None)
        measured, expected = (worst.measured, worst.expected) if worst else (0, 0)
        return _Share(None, 0, measured, expected, missing)
    weights = sum(weight for _, weight in shares)
    ratio = (
        sum((weight * (share.ratio or Fraction(0)) for share, weight in shares), Fraction(0))
        / weights
    )
    worst = min((share for share, _ in shares), key=lambda share: share.covered)
    events = sum(share.events for share, _ in shares)
    return _Share(ratio, events, worst.measured, worst.expected, ())


def _judge_composite(
    plan: Plan, window: Window, parts: Sequence[tuple[Decimal, Window]], reading: Reading
) -> Judgement:
    """Judge the weighted mean; objectives weigh by the members' events while they were in force."""
    share = _share(plan, window, reading)
    if share.ratio is None:
        nothing = Fraction(0)
        return Judgement(
            0, 0, share.measured, share.expected, nothing, nothing, 0, 0, missing=share.missing
        )
    allowed = sum(
        (
            allowed_units(objective)
            * sum(reading.counted(leaf, part).events for leaf in plan.leaves())
            for objective, part in parts
        )
    )
    bad = (1 - share.ratio) * share.events
    return Judgement(
        good=int(share.events - bad),
        total=share.events,
        measured=share.measured,
        expected=share.expected,
        bad=bad,
        allowed=Fraction(allowed, UNITS),
        events=share.events,
        trials=0,
    )


def decide(
    plan: Plan, objective: Decimal, judgements: Sequence[Judgement]
) -> tuple[Tier | None, bool]:
    """Return the fastest tier that holds, and whether the decision is frozen for lack of data.

    A fast tier inhibits the slower ones: one SLO has one burn alert. Frozen means that neither
    firing nor resolving is justified: some window is not covered, or had no events.

    Args:
        plan: The SLO.
        objective: In force at the end of the windows.
        judgements: In the order of `WINDOWS`.
    """
    by_name = dict(zip(WINDOWS, judgements, strict=True))
    frozen = False
    for tier in tiers_for(objective, plan.rule.length):
        long, short = by_name[NAMES[tier.share.long]], by_name[NAMES[tier.short]]
        if not (long.is_known and short.is_known):
            frozen = True
        elif reaches(
            tier,
            long=long.spending,
            short=short.spending,
            minimum_events=plan.minimum_events,
        ):
            return tier, False
    return None, frozen
