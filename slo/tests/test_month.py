"""A month of incidents, judged as the tick does, and minute after minute the slow way."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from operator import sub

import numpy as np
import pytest

from slo.domain import rounds
from slo.domain.blocks import GAP, UNITS, Block, Slice, minute_number, with_slices
from slo.domain.figures import STATES
from slo.domain.plans import Method, Plan, WindowRule
from slo.domain.state import State
from slo.domain.windows import BURN_WINDOWS, Period, Version
from slo.tests.naive import MINUTE, Seen, counted, objective_for, state_after, tier_of

pytestmark = pytest.mark.long

START = datetime(2026, 4, 1, tzinfo=UTC)
MINUTES = 30 * 1440
TARGET = Fraction(99, 100)
LENGTHS = [7 * 1440, *(int(length / MINUTE) for length in BURN_WINDOWS.values())]
RULE = WindowRule(7, Period.MONTH, "", timedelta())

# From minute, minutes, share of requests that fail; None: nothing could be measured.
INCIDENTS = (
    (1_600, 1, 1.0),
    (3_000, 12, 1.0),
    (6_100, 400, 0.06),
    (9_000, 200, None),
    (12_000, 2_000, 0.02),
    (17_000, 5, 0.5),
    (20_000, 1_400, None),
    (26_000, 40, 0.9),
    (33_000, 3_000, 0.012),
    (40_000, 90, 0.3),
)


def month() -> list[Slice]:
    """Return minutes of a service with days, nights without a request for hours, and incidents."""
    chance = random.Random(20260401)
    shares: list[float | None] = [0.0005] * MINUTES
    for start, length, share in INCIDENTS:
        shares[start : start + length] = [share] * length
    found = []
    for minute, share in enumerate(shares):
        hour = minute // 60 % 24
        requests = chance.randint(10, 40) if 7 <= hour < 22 else chance.choice((0, 0, 0, 1))
        if share is None:
            found.append(GAP)
        else:
            bad = sum(chance.random() < share for _ in range(requests))
            found.append(Slice(requests - bad, requests))
    return found


class Naive:
    """Running sums of plain whole numbers, a list a figure, for one SLO."""

    def __init__(self, slices: Sequence[Slice], plan: Plan) -> None:
        versions = [(Fraction(v.objective), v.effective_from) for v in plan.versions]
        own = [counted(value, plan.method, TARGET) for value in slices]
        objectives = [objective_for(START + MINUTE * n, versions) for n in range(len(slices))]
        allowed = [
            int((1 - o) * UNITS) * total for o, (_, total, _) in zip(objectives, own, strict=True)
        ]
        columns: list[list[int]] = [
            [good for good, _, _ in own],
            [total for _, total, _ in own],
            [int(value.measured) for value in slices],
            allowed,
            [value.total for value in slices],
            [trials for _, _, trials in own],
        ]
        sums = [accumulate(column, initial=0) for column in columns]
        self.objectives = objectives
        self.sums = list(zip(*sums, strict=True))
        self.plan, self.state = plan, State.NO_DATA

    def judge(self, end: int) -> tuple[State, int, bool]:
        """Return state, tier and whether it is frozen when the first `end` minutes are over."""
        own, *burns = (self._seen(max(0, end - length), end) for length in LENGTHS)
        tier, frozen = tier_of(
            dict(zip(LENGTHS[1:], burns, strict=True)),
            objective=self.objectives[end - 1],
            days=7,
            minimum=self.plan.minimum_events,
            unit=10**6 if self.plan.method is Method.RATIO_OF_SLICES else 1,
        )
        self.state = state_after(self.state, own, tier)
        return self.state, tier, frozen

    def _seen(self, start: int, end: int) -> Seen:
        good, total, measured, allowed, events, trials = map(sub, self.sums[end], self.sums[start])
        return Seen(good, total, measured, end - start, Fraction(allowed, UNITS), events, trials)


def plans() -> list[Plan]:
    """Return one SLO a method; the objective of the first changes twice."""
    steady: tuple[Version, ...] = (Version(Decimal("0.99"), START - timedelta(days=1)),)
    changed = (
        *steady,
        Version(Decimal("0.995"), START + timedelta(days=9, hours=11, seconds=20)),
        Version(Decimal("0.98"), START + timedelta(days=21, hours=15)),
    )
    kinds = [(method, steady) for method in Method]
    kinds[0] = (Method.OCCURRENCES, changed)
    return [
        Plan(number, 0, method, RULE, versions, minimum_events=10, data_since=START)
        for number, (method, versions) in enumerate(kinds, 1)
    ]


def looked_at(reference: list[list[tuple[State, int, bool]]]) -> list[int]:
    """Return every minute beside a change, and each thirtieth of those between changes."""
    changes = [n for n in range(1, MINUTES) if reference[n] != reference[n - 1]]
    near = {n + off for n in changes for off in (-1, 0, 1)}
    return [n for n in range(MINUTES) if n in near or n % 30 == 0]


def test_a_month_has_the_states_of_a_naive_reference_to_the_minute() -> None:
    """States, burn alerts and freezes change in the very minute in which plain running sums do."""
    slices, judged = month(), plans()
    targets = {0: int(TARGET * UNITS)}
    own = [with_slices(Block.empty(1), {0: value}, targets).counters for value in slices]
    totals = np.concatenate([np.zeros((1, *own[0].shape), dtype=np.int64), np.cumsum(own, axis=0)])
    first = minute_number(START)
    references = [Naive(slices, plan) for plan in judged]
    wanted = [[naive.judge(end) for naive in references] for end in range(1, MINUTES + 1)]

    for number in looked_at(wanted):
        watermark = START + MINUTE * (number + 1)
        windows = rounds.windows_of(judged, watermark)
        prefixes = {
            at: Block(totals[max(minute_number(at) - first, 0)])
            for at in rounds.edges(judged, windows)
        }
        found = rounds.evaluate(judged, windows, prefixes, watermark=watermark)
        states = [STATES[code] for code in found.states.tolist()]
        outcome = list(zip(states, found.tiers.tolist(), found.frozen.tolist(), strict=True))
        assert outcome == wanted[number], watermark
        for plan, state in zip(judged, states, strict=True):
            if plan.state is not state or plan.state_since is None:
                plan.state, plan.state_since = state, watermark

    # The month is worth comparing: it has every state, and every tier fires.
    met = {(state, tier) for outcome in wanted for state, tier, _ in outcome}
    assert {state for state, _ in met} == set(State)
    assert {tier for _, tier in met} == {0, 1, 2, 3, 4}
