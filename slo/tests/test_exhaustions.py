"""When budgets will be spent, of what the portal really counted."""

import random
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from slo.domain.blocks import Slice
from slo.models import Correction, Slo
from slo.queries import figures
from slo.services import corrections, evaluation, objectives, slices
from slo.tests.world import MINUTE, NOON, World

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def world() -> World:
    """Return a portal with the Users API at noon."""
    return World()


def evaluate(slo: Slo, minutes: list[Slice]) -> datetime:
    """Store minutes from noon on and judge at their end."""
    slices.write({NOON + MINUTE * n: {slo.sli.slot: s} for n, s in enumerate(minutes)})
    end = NOON + MINUTE * len(minutes)
    evaluation.refresh_statuses(watermark=end, now=end)
    return end


def looked_at(minutes: list[Slice], *, days: int, allowed: Fraction) -> int | None:
    """Return after how many minutes the budget is spent, by the definition."""
    window = [Slice(0, 0)] * (days * 1440 - len(minutes)) + minutes
    hour = minutes[-60:]
    rate = Fraction(sum(s.total for s in hour), len(hour))
    loss = Fraction(sum(s.total - s.good for s in hour), len(hour))
    bad, total = sum(s.total - s.good for s in window), sum(s.total for s in window)
    for number, gone in enumerate(window):
        if bad + loss * number >= allowed * (total + rate * number) > 0:
            return number
        bad, total = bad - (gone.total - gone.good), total - gone.total
    return None


def test_a_burning_budget_says_when_it_is_spent(world: World) -> None:
    """2 % of 100 a minute fail: the same minute as by looking at each."""
    slo = world.custom("burning", "0.99")
    Slo.objects.filter(pk=slo.pk).update(window_days=1)
    minutes = [Slice(100, 100)] * 300 + [Slice(98, 100)] * 60
    end = evaluate(slo, minutes)
    found = figures.of(slo)
    assert found is not None
    expected = looked_at(minutes, days=1, allowed=Fraction(1, 100))
    assert expected
    assert found.exhausts_at == end + MINUTE * expected


def test_a_calm_budget_lasts(world: World) -> None:
    """Nothing bad in the last hour: never, which is another answer than not knowing."""
    slo = world.custom("calm", "0.99")
    evaluate(slo, [Slice(98, 100)] * 10 + [Slice(100, 100)] * 100)
    found = figures.of(slo)
    assert found is not None
    assert (found.exhausts_at, found.never_exhausts) == (None, True)


def test_without_traffic_nobody_can_tell(world: World) -> None:
    """An hour without events has no pace."""
    slo = world.custom("quiet", "0.99")
    evaluate(slo, [Slice(98, 100)] * 10 + [Slice(0, 0)] * 61)
    found = figures.of(slo)
    assert found is not None
    assert (found.exhausts_at, found.never_exhausts) == (None, False)


def test_versions_and_corrections_are_taken_into_account(world: World) -> None:
    """A budget judged in parts is asked part by part; an excluded outage spends nothing."""
    slo = world.custom("parts", "0.9")
    minutes = [Slice(100, 100)] * 100 + [Slice(0, 100)] * 10 + [Slice(98, 100)] * 70
    end = evaluate(slo, minutes)
    objectives.set_objective(
        slo=slo, objective=Decimal("0.99"), actor="test", now=NOON + MINUTE * 120
    )
    corrections.create(
        actor="test",
        now=end,
        slo=slo,
        mode=Correction.Mode.EXCLUDE,
        starts_at=NOON + MINUTE * 100,
        ends_at=NOON + MINUTE * 110,
        reason="drill",
    )
    evaluation.refresh_statuses(watermark=end, now=end)
    found = figures.of(slo)
    assert found is not None
    # Allowed: 110 minutes by 0.9 and 60 by 0.99; each minute to come is allowed 1 and loses 2.
    left = Fraction(110 * 10 + 60 * 1 - 70 * 2)
    assert found.exhausts_at == end + MINUTE * int(left)


@pytest.mark.parametrize("days", [29, 120])
def test_long_windows_of_many_objectives(world: World, days: int) -> None:
    """Whatever stretches are passed over for all at once, each finds the minute by its definition."""
    chance = random.Random(days)
    slos = [world.custom(f"long-{number}", "0.99") for number in range(12)]
    Slo.objects.update(window_days=days)
    length = days * 1440
    written: dict[datetime, dict[int, Slice]] = {}
    for slo in slos:
        turn = length * chance.random()
        for minute in chance.sample(range(length - 60), 30):
            # What was good leaves before what was bad: so a budget is spent while nothing fails.
            total = chance.choice((2_000, 20_000, 200_000))
            bad = total * chance.choice((8, 12, 14) if minute > turn else (0,)) // 1000
            written.setdefault(NOON + MINUTE * minute, {})[slo.sli.slot] = Slice(total - bad, total)
        last = Slice(chance.choice((1, 1, 1, 0)), 1)
        written.setdefault(NOON + MINUTE * (length - 1), {})[slo.sli.slot] = last
    slices.write(written)
    end = NOON + timedelta(days=days)
    evaluation.refresh_statuses(watermark=end, now=end)
    answers = set()
    for slo in slos:
        mine = {at: of[slo.sli.slot] for at, of in written.items() if slo.sli.slot in of}
        found = figures.of(slo)
        assert found is not None
        expected = by_definition(mine, end=end, days=days)
        assert found.exhausts_at == expected, slo.slug
        if expected != end:
            answers.add((mine[end - MINUTE].good, expected is not None))
    assert answers == {(1, False), (1, True), (0, True)}


@pytest.mark.parametrize("days", [29, 90, 180])
def test_spent_for_five_hours_far_ahead(world: World, days: int) -> None:
    """Much good traffic leaves, five hours later what was bad: in between the budget is spent."""
    slo = world.custom("between", "0.99")
    Slo.objects.update(window_days=days)
    begun = NOON + timedelta(days=days // 2)
    end = NOON + timedelta(days=days)
    events = [
        (begun, Slice(3_000_000, 3_000_000)),
        (begun + timedelta(hours=5), Slice(0, 20_000)),
        (end - MINUTE, Slice(1, 1)),
    ]
    slices.write({at: {slo.sli.slot: counted} for at, counted in events})
    evaluation.refresh_statuses(watermark=end, now=end)
    found = figures.of(slo)
    assert found is not None
    assert found.exhausts_at == begun + timedelta(days=days) + MINUTE


def by_definition(counts: dict[datetime, Slice], *, end: datetime, days: int) -> datetime | None:
    """Return the first minute at which a budget of 1 % is spent, looking at each."""
    last = counts[end - MINUTE]
    bad, total = (
        sum(s.total - s.good for s in counts.values()),
        sum(s.total for s in counts.values()),
    )
    at = end
    while at <= end + timedelta(days=days):
        number = (at - end) // MINUTE
        allowed = total + last.total * number
        if 100 * (bad + (last.total - last.good) * number) >= allowed > 0:
            return at
        if gone := counts.get(at - timedelta(days=days)):
            bad, total = bad - (gone.total - gone.good), total - gone.total
        at += MINUTE
    return None


def test_many_changes_are_asked_for_once(world: World) -> None:
    """Eleven changes of the objective and two corrections: the minute that looking at each finds,
    and what was corrected is read once, however many steps the search takes."""
    slo = world.custom("restless", "0.99")
    Slo.objects.filter(pk=slo.pk).update(window_days=1)
    chance = random.Random(7)
    minutes = [Slice(100 - chance.choice((0, 0, 0, 1, 3)), 100) for _ in range(660)]
    minutes[-60:] = [Slice(98, 100)] * 60
    for number in range(1, 12):
        objective = Decimal("0.985" if number % 2 else "0.99")
        at = NOON + MINUTE * 55 * number
        objectives.set_objective(slo=slo, objective=objective, actor="test", now=at)
    end = evaluate(slo, minutes)
    for first in (100, 330):
        corrections.create(
            actor="test",
            now=end,
            slo=slo,
            mode=Correction.Mode.EXCLUDE,
            starts_at=NOON + MINUTE * first,
            ends_at=NOON + MINUTE * (first + 30),
            reason="drill",
        )
        minutes[first : first + 30] = [Slice(0, 0)] * 30
    with CaptureQueriesContext(connection) as captured:
        evaluation.refresh_statuses(watermark=end, now=end)
    read = [q["sql"] for q in captured if "minutes" in q["sql"] and "sliceadjustment" in q["sql"]]
    assert len(read) == 2, "once by the round, once by the search"

    share = [Fraction("0.015") if number // 55 % 2 else Fraction("0.01") for number in range(660)]
    ahead = [(0, Fraction(0))] * (1440 - 660)
    window = [
        *ahead,
        *((m.total - m.good, a * m.total) for m, a in zip(minutes, share, strict=True)),
    ]
    bad, allowed = sum(b for b, _ in window), sum((a for _, a in window), Fraction(0))
    expected = None
    for number, (gone_bad, gone) in enumerate(window):
        if bad + 2 * number >= allowed + share[-1] * 100 * number:
            expected = number
            break
        bad, allowed = bad - gone_bad, allowed - gone
    assert expected
    found = figures.of(slo)
    assert found is not None
    assert found.exhausts_at == end + MINUTE * expected


def test_a_calendar_budget_is_spent_within_its_period_or_never(world: World) -> None:
    """What would be spent after the month's end is not spent."""
    slo = world.custom("monthly", "0.99")
    Slo.objects.filter(pk=slo.pk).update(window_kind="calendar", calendar_period="month")
    end = evaluate(slo, [Slice(100, 100)] * 300 + [Slice(98, 100)] * 60)
    found = figures.of(slo)
    assert found is not None
    assert found.exhausts_at == end + MINUTE * (360 - 120)
    Slo.objects.filter(pk=slo.pk).update(calendar_period="day", timezone="Asia/Tokyo")
    evaluation.refresh_statuses(watermark=end, now=end)
    daily = figures.of(slo)
    assert daily is not None
    midnight = datetime(2026, 5, 3, 15, tzinfo=end.tzinfo)
    assert (daily.window_start, end > midnight) == (midnight, True)
    assert daily.exhausts_at == end + timedelta(minutes=180 - 120)
