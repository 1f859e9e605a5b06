"""Thousands of objectives judged at once come to what each minute by itself says."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.models import Service
from slo.domain import rounds
from slo.domain.blocks import GAP, UNITS, Block, Slice, minute_number, with_slices
from slo.domain.figures import Round
from slo.domain.plans import OWN, WINDOWS, Member, Method, Plan, WindowRule
from slo.domain.state import State
from slo.domain.windows import BURN_WINDOWS, Period, Version
from slo.models import Sli, SliceBlock
from slo.queries import rounds as reading
from slo.services import slices
from slo.tests.naive import Seen, look, state_after, tier_of

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
END = datetime(2026, 5, 3, 0, 30, tzinfo=UTC)
TARGET = Fraction(95, 100)
SLOTS = 3
ROLLING = WindowRule(7, Period.MONTH, "", timedelta())
OBJECTIVES = st.sampled_from([Decimal("0.9"), Decimal("0.99"), Decimal("0.999")])
# Most of a history lies in the last hours, where all windows differ; some of it days before.
OFFSETS = st.one_of(st.integers(-400, 20), st.integers(-12_000, 0))
SLICES = st.one_of(
    st.just(GAP),
    st.integers(0, 300).flatmap(
        lambda total: st.builds(Slice, st.integers(total * 9 // 10, total), st.just(total))
    ),
)
WRITES = st.lists(st.tuples(OFFSETS, st.integers(0, SLOTS - 1), SLICES), max_size=60)
# Bad of 100 events in every minute of the last hours, by slot: without them few windows burn.
STEADY = st.tuples(*[st.sampled_from([0, 1, 3, 20])] * SLOTS)
STEADY_MINUTES = 600
# Late minutes come a few at a time.
AT_ONCE = 12
# Seconds within the minute, too: a version holds from the next whole minute on.
CHANGES = st.lists(st.tuples(OBJECTIVES, st.integers(-500 * 60, 0)), max_size=3)

History = dict[datetime, Slice]


def plan_of(pk: int, slot: int, method: Method, versions: tuple[Version, ...]) -> Plan:
    return Plan(pk=pk, slot=slot, method=method, rule=ROLLING, versions=versions, minimum_events=10)


def exactly(versions: tuple[Version, ...]) -> list[tuple[Fraction, datetime]]:
    return [(Fraction(version.objective), version.effective_from) for version in versions]


def seen(plan: Plan, history: History, start: datetime, end: datetime) -> Seen:
    return look(
        history,
        start,
        end,
        versions=exactly(plan.versions),
        method=plan.method,
        target=TARGET,
        since=plan.data_since,
    )


@pytest.mark.django_db
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEADY, WRITES, OBJECTIVES, CHANGES, st.randoms(use_true_random=False))
def test_rounds_equal_brute_force(
    steady: tuple[int, ...],
    writes: list[tuple[int, int, Slice]],
    first: Decimal,
    changes: list[tuple[Decimal, int]],
    order: random.Random,
) -> None:
    """Late and overwritten minutes, versions and methods: each figure is that of a plain count."""
    SliceBlock.objects.all().delete()
    Sli.objects.all().delete()
    service, _ = Service.objects.get_or_create(slug="pay", name="Pay")
    for slot in range(SLOTS):
        slug, target = f"pay-{slot}", Decimal("0.95")
        Sli.objects.create(
            slug=slug, service=service, kind="availability", slot=slot, slice_target=target
        )
    last = [END - MINUTE * (number + 1) for number in range(STEADY_MINUTES)]
    histories: list[History] = [dict.fromkeys(last, Slice(100 - bad, 100)) for bad in steady]
    slices.write({m: {slot: histories[slot][m] for slot in range(SLOTS)} for m in last})
    for number in range(0, len(writes), AT_ONCE):
        late: dict[datetime, dict[int, Slice]] = {}
        for offset, slot, value in writes[number : number + AT_ONCE]:
            late.setdefault(END + MINUTE * offset, {})[slot] = value
            histories[slot][END + MINUTE * offset] = value
        slices.write(late)
    # Parts of it once more, in any order, change nothing.
    repeated = [(minute, slot) for slot in range(SLOTS) for minute in histories[slot]]
    for minute, slot in order.sample(repeated, 5):
        assert not slices.write({minute: {slot: histories[slot][minute]}})

    later = sorted((END + timedelta(seconds=seconds), o) for o, seconds in changes)
    versions = (Version(first, END - 90 * DAY), *(Version(o, at) for at, o in later))
    plans = [
        plan_of(10 * slot + number, slot, method, versions[: 1 + slot * 2])
        for slot in range(SLOTS)
        for number, method in enumerate(Method)
    ]
    since = dict(Sli.objects.values_list("slot", "data_since"))
    for plan in plans:
        plan.data_since = since[plan.slot]
        measured = [m for m, value in histories[plan.slot].items() if value.measured]
        assert plan.data_since is None or plan.data_since <= min(measured, default=END)

    found = reading.evaluate(plans, END)

    assert_same(plans, histories, Round.unpack(END, found.pack()))


def assert_same(plans: list[Plan], histories: list[History], found: Round) -> None:
    for plan in plans:
        history, figures = histories[plan.slot], found.get(plan.pk)
        assert figures is not None
        own = seen(plan, history, END - 7 * DAY, END)
        by_length = {
            int(length / MINUTE): seen(plan, history, END - length, END)
            for length in BURN_WINDOWS.values()
        }
        for expected, name in zip((own, *by_length.values()), WINDOWS, strict=True):
            judged = figures.windows[name]
            assert (judged.good, judged.total) == (expected.good, expected.total)
            assert (judged.measured, judged.expected) == (expected.measured, expected.expected)
            assert judged.burn_rate == expected.burn
        unit = 10**6 if plan.method is Method.RATIO_OF_SLICES else 1
        tier, frozen = tier_of(
            by_length,
            objective=Fraction(plan.objective_at(END)),
            days=7,
            minimum=plan.minimum_events,
            unit=unit,
        )
        assert (int(found.tiers[figures.row]), figures.is_frozen) == (tier, frozen)
        assert figures.state is state_after(State.NO_DATA, own, tier)


def prefixes_of(plans: list[Plan], totals: np.ndarray, first: datetime) -> dict[datetime, Block]:
    windows = rounds.windows_of(plans, END)
    last = totals.shape[0] - 1
    return {
        at: Block(totals[min(max(minute_number(at) - minute_number(first), 0), last)])
        for at in rounds.edges(plans, windows)
    }


@given(
    st.lists(st.tuples(SLICES, SLICES), min_size=1, max_size=200),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_composites_are_the_weighted_mean_of_their_members(
    minutes: list[tuple[Slice, Slice]], weights: tuple[int, int]
) -> None:
    """Weights, not traffic, decide; a member without events leaves no figure and is named."""
    first = END - MINUTE * len(minutes)
    own = [
        with_slices(Block.empty(2), dict(enumerate(pair)), {0: UNITS, 1: UNITS}).counters
        for pair in minutes
    ]
    totals = np.array([np.zeros_like(own[0]), *accumulate(own)])
    versions = (Version(Decimal("0.99"), END - 90 * DAY),)
    members = [plan_of(pk, pk - 1, Method.OCCURRENCES, versions) for pk in (1, 2)]
    whole = plan_of(3, 0, Method.OCCURRENCES, versions)
    for plan in (*members, whole):
        plan.data_since = first
    whole.is_composite = True
    whole.members = tuple(
        Member(plan, weight) for plan, weight in zip(members, weights, strict=True)
    )
    plans = [*members, whole]

    found = rounds.evaluate(
        plans, rounds.windows_of(plans, END), prefixes_of(plans, totals, first), watermark=END
    )

    figures = found.get(3)
    assert figures is not None
    for number, name in enumerate(WINDOWS):
        if number == OWN:
            length = len(minutes)
        else:
            length = min(len(minutes), int(BURN_WINDOWS[name] / MINUTE))
        parts = [
            (
                sum(pair[n].good for pair in minutes[-length:]),
                sum(p[n].total for p in minutes[-length:]),
            )
            for n in range(2)
        ]
        judged = figures.windows[name]
        silent = tuple(pk for pk, (_, total) in enumerate(parts, 1) if not total)
        assert judged.missing == silent
        if silent:
            assert judged.burn_rate is None
            continue
        ratio = sum(w * Fraction(*part) for w, part in zip(weights, parts, strict=True))
        assert judged.burn_rate == (1 - ratio / sum(weights)) / Fraction(1, 100)
