"""Rotations across clock changes, and what layers and overrides make of them."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.walltime import instant
from oncall.domain.rotations import Layer, Restriction, Unit, turns
from oncall.domain.schedules import Override, Shift, fairness, final, gaps, on_call, overlaps
from oncall.domain.spans import Span, intersect, merged, subtract

CHICAGO, LONDON = ZoneInfo("America/Chicago"), ZoneInfo("Europe/London")
LORD_HOWE, KOLKATA = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kolkata")
ZONES = [CHICAGO, LONDON, LORD_HOWE, KOLKATA, ZoneInfo("UTC"), ZoneInfo("America/St_Johns")]
STEP = timedelta(minutes=15)
HOUR = timedelta(hours=1)
ANN, BOB, CAT, DAN = 1, 2, 3, 4


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def span(start: str, end: str) -> Span:
    return Span(utc(start), utc(end))


@pytest.mark.parametrize(
    ("zone", "wall", "expected"),
    [
        # Both clock changes of 2026, and the half hour of Lord Howe.
        (CHICAGO, "2026-03-08T01:59", "2026-03-08T07:59"),
        (CHICAGO, "2026-03-08T02:30", "2026-03-08T08:00"),
        (CHICAGO, "2026-03-08T03:00", "2026-03-08T08:00"),
        (CHICAGO, "2026-11-01T01:30", "2026-11-01T06:30"),
        (CHICAGO, "2026-11-01T02:00", "2026-11-01T08:00"),
        (LONDON, "2026-03-29T01:30", "2026-03-29T01:00"),
        (LONDON, "2026-10-25T01:30", "2026-10-25T00:30"),
        (LORD_HOWE, "2026-10-04T02:15", "2026-10-03T15:30"),
        (LORD_HOWE, "2026-04-05T01:45", "2026-04-04T14:45"),
        (KOLKATA, "2026-03-29T02:30", "2026-03-28T21:00"),
        (ZoneInfo("Pacific/Apia"), "2011-12-30T12:00", "2011-12-30T10:00"),
    ],
)
def test_wall_times_are_instants(zone: ZoneInfo, wall: str, expected: str) -> None:
    """Twice is the first time; never is when the clocks have changed."""
    at = datetime.fromisoformat(wall)
    assert instant(at.date(), at.time(), zone) == utc(expected)


@pytest.mark.parametrize(
    ("zone", "night", "hours"),
    [
        (CHICAGO, date(2026, 3, 8), 23),
        (CHICAGO, date(2026, 11, 1), 25),
        (LONDON, date(2026, 3, 29), 23),
        (LONDON, date(2026, 10, 25), 25),
        (LORD_HOWE, date(2026, 10, 4), 23.5),
        (LORD_HOWE, date(2026, 4, 5), 24.5),
        (KOLKATA, date(2026, 3, 29), 24),
    ],
)
def test_daily_turns_change_at_the_same_wall_time(
    zone: ZoneInfo, night: date, hours: float
) -> None:
    """A turn over a clock change is shorter or longer; nobody is on call at 08:00 instead of 09:00."""
    layer = Layer((ANN, BOB), zone, night - timedelta(days=1), time(9), Unit.DAYS)
    window = Span(layer.boundary(0), layer.boundary(3))
    found = turns(layer, window)
    assert [turn.person for turn in found] == [ANN, BOB, ANN]
    assert found[0].span.length == hours * HOUR
    assert {turn.span.start.astimezone(zone).time() for turn in found} == {time(9)}
    assert gaps([Shift(turn.span, turn.person) for turn in found], window) == []


def test_hourly_turns_on_the_night_of_25_hours() -> None:
    """The turn at 01:00 lasts two hours; on the night of 23 hours the one at 02:00 is skipped."""
    autumn = Layer((ANN, BOB, CAT), CHICAGO, date(2026, 11, 1), time(0), Unit.HOURS, 1)
    found = turns(autumn, span("2026-11-01T05:00", "2026-11-01T09:00"))
    assert [(turn.person, turn.span.length / HOUR) for turn in found] == [
        (ANN, 1),
        (BOB, 2),
        (CAT, 1),
    ]
    spring = Layer((ANN, BOB, CAT, DAN), CHICAGO, date(2026, 3, 8), time(0), Unit.HOURS, 1)
    found = turns(spring, span("2026-03-08T06:00", "2026-03-08T09:00"))
    assert [turn.person for turn in found] == [ANN, BOB, DAN]


def wall_of(at: datetime, zone: ZoneInfo) -> datetime:
    """Return the wall time of an instant; the second time round it stands still until it is new."""
    local = at.astimezone(zone)
    if not local.fold:
        return local.replace(tzinfo=None)
    first = at
    while first.astimezone(zone).fold:
        first -= timedelta(minutes=1)
    last = first.astimezone(zone).replace(tzinfo=None) + timedelta(minutes=1)
    return last - timedelta(microseconds=1)


def naive(layer: Layer, at: datetime) -> int | None:
    """Return who is on call by plain arithmetic on the wall clock."""
    wall = wall_of(at, layer.zone)
    length = {Unit.HOURS: HOUR, Unit.DAYS: HOUR * 24, Unit.WEEKS: HOUR * 168}[layer.unit]
    number = (wall - datetime.combine(layer.first, layer.handover)) // (length * layer.every)
    if number < 0 or not all_hold(layer.restrictions, wall):
        return None
    return layer.people[number % len(layer.people)]


def all_hold(restrictions: tuple[Restriction, ...], wall: datetime) -> bool:
    """Return whether one of the restrictions allows a wall time, or there is none."""
    return not restrictions or any(holds(rule, wall) for rule in restrictions)


def holds(rule: Restriction, wall: datetime) -> bool:
    yesterday = (wall.weekday() - 1) % 7
    if rule.begins < rule.ends:
        return wall.weekday() in rule.weekdays and rule.begins <= wall.time() < rule.ends
    begun = wall.weekday() in rule.weekdays and wall.time() >= rule.begins
    return begun or (yesterday in rule.weekdays and wall.time() < rule.ends)


quarters = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
restrictions = st.builds(
    Restriction,
    quarters,
    quarters,
    st.frozensets(st.integers(0, 6), min_size=1),
)
lengths = st.one_of(
    st.tuples(st.just(Unit.HOURS), st.sampled_from([1, 2, 3, 4, 6, 8, 12, 24])),
    st.tuples(st.just(Unit.DAYS), st.integers(1, 9)),
    st.tuples(st.just(Unit.WEEKS), st.integers(1, 3)),
)
changes = st.sampled_from(
    [date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 10, 4), date(2026, 10, 25)]
)


@given(
    zone=st.sampled_from(ZONES),
    change=changes,
    begun=st.integers(0, 400),
    handover=quarters,
    length=lengths,
    people=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    rules=st.lists(restrictions, max_size=2),
)
def test_turns_are_those_of_the_wall_clock(
    zone: ZoneInfo,
    change: date,
    begun: int,
    handover: time,
    length: tuple[Unit, int],
    people: list[int],
    rules: list[Restriction],
) -> None:
    """Whatever the zone, the night and the hours: at each quarter of an hour the same person."""
    first = change - timedelta(days=begun)
    layer = Layer(tuple(people), zone, first, handover, *length, restrictions=tuple(rules))
    start = instant(change - timedelta(days=1), time(12), zone)
    window = Span(start, start + 48 * HOUR)
    found = turns(layer, window)
    at = window.start
    while at < window.end:
        here = [turn.person for turn in found if turn.span.start <= at < turn.span.end]
        expected = naive(layer, at)
        assert here == ([] if expected is None else [expected]), at.astimezone(zone)
        at += STEP


def test_equal_ends_are_a_whole_day() -> None:
    """A window from 00:00 to 00:00 pages somebody."""
    rule = Restriction(time(0), time(0))
    layer = Layer((ANN,), LONDON, date(2026, 5, 1), restrictions=(rule,))
    window = span("2026-05-04T00:00", "2026-05-05T00:00")
    assert [turn.span for turn in turns(layer, window)] == [window]


@pytest.mark.parametrize(("unit", "every"), [(Unit.HOURS, 5), (Unit.DAYS, 0), (Unit.WEEKS, 53)])
def test_lengths_that_cannot_be_are_refused(unit: Unit, every: int) -> None:
    """Five hours would change at another time each day."""
    with pytest.raises(ValueError, match=f"got {every}"):
        Layer((ANN,), LONDON, date(2026, 5, 1), unit=unit, every=every)


DAYS = Layer((ANN, BOB), ZoneInfo("UTC"), date(2026, 5, 1), time(0), Unit.DAYS)
OFFICE = Layer(
    (CAT,),
    ZoneInfo("UTC"),
    date(2026, 5, 1),
    restrictions=(Restriction(time(9), time(17)),),
)
DAY = span("2026-05-03T00:00", "2026-05-04T00:00")


def people(shifts: list[Shift]) -> list[tuple[int, str]]:
    return [(shift.person, f"{shift.span.start:%H}-{shift.span.end:%H}") for shift in shifts]


def test_a_layer_above_holds_where_it_says() -> None:
    """Cat has office hours, Ann the rest of the day."""
    assert people(final([DAYS, OFFICE], [], DAY)) == [
        (ANN, "00-09"),
        (CAT, "09-17"),
        (ANN, "17-00"),
    ]
    assert people(final([DAYS], [], DAY)) == [(ANN, "00-00")]


def test_a_deleted_layer_leaves_nobody_behind() -> None:
    """Without the layer its people are gone, and what nobody has is a gap."""
    assert final([], [], DAY) == []
    assert gaps(final([OFFICE], [], DAY), DAY) == [
        span("2026-05-03T00:00", "2026-05-03T09:00"),
        span("2026-05-03T17:00", "2026-05-04T00:00"),
    ]


def test_an_override_is_applied_once() -> None:
    """Bob takes over from Ann, Dan takes over from Bob later: the last one said wins, once."""
    first = Override(span("2026-05-03T08:00", "2026-05-03T12:00"), BOB)
    second = Override(span("2026-05-03T10:00", "2026-05-03T11:00"), DAN)
    expected = [(ANN, "00-08"), (BOB, "08-10"), (DAN, "10-11"), (BOB, "11-12"), (ANN, "12-00")]
    assert people(final([DAYS], [first, second], DAY)) == expected
    # Bob covers Ann; that Cat covers Bob on another day does not make it Cat.
    other = Override(span("2026-05-04T00:00", "2026-05-05T00:00"), CAT)
    found = on_call([DAYS], [other, first], utc("2026-05-03T09:00"))
    assert found is not None
    assert (found.person, found.layer) == (BOB, None)


def test_an_override_by_nobody_is_a_gap() -> None:
    """A holiday without anybody is shown as what it is."""
    nobody = Override(span("2026-05-03T08:00", "2026-05-03T12:00"), None)
    assert gaps(final([DAYS, OFFICE], [nobody], DAY), DAY) == [nobody.span]
    assert on_call([DAYS], [nobody], utc("2026-05-03T09:00")) is None


def test_somebody_on_call_twice_is_found() -> None:
    """Over all schedules of a team."""
    office, days = final([OFFICE], [], DAY), final([DAYS], [], DAY)
    assert overlaps([*office, *days]) == []
    mine = Shift(span("2026-05-03T10:00", "2026-05-03T20:00"), ANN)
    assert overlaps([*office, *days, mine]) == [(ANN, mine.span)]


def test_nights_and_weekends_count() -> None:
    """A week of Ann: seven nights of nine hours, a weekend of 48 hours."""
    week = span("2026-05-04T00:00", "2026-05-11T00:00")
    load = fairness([Shift(week, ANN)], ZoneInfo("UTC"))[ANN]
    assert (load.total, load.nights, load.weekends) == (168 * HOUR, 63 * HOUR, 48 * HOUR)
    assert load.weighted == 279 * HOUR
    # The night of the clock change has one hour less.
    night = Span(
        instant(date(2026, 3, 28), time(22), LONDON), instant(date(2026, 3, 29), time(7), LONDON)
    )
    assert fairness([Shift(night, ANN)], LONDON)[ANN].nights == 8 * HOUR


numbers = st.tuples(st.integers(0, 40), st.integers(1, 10)).map(
    lambda pair: Span(DAY.start + HOUR * pair[0], DAY.start + HOUR * sum(pair))
)


@given(st.lists(numbers, max_size=6), st.lists(numbers, max_size=6), numbers)
def test_sets_of_spans_are_sets_of_hours(ours: list[Span], theirs: list[Span], one: Span) -> None:
    """Union, intersection and difference, hour by hour."""

    def hours(spans: list[Span]) -> set[datetime]:
        counted = [int(span.length / HOUR) for span in spans]
        return {s.start + HOUR * n for s, c in zip(spans, counted, strict=True) for n in range(c)}

    assert hours(merged(ours)) == hours(ours)
    assert hours(intersect(ours, theirs)) == hours(ours) & hours(theirs)
    assert hours(list(subtract(one, theirs))) == hours([one]) - hours(theirs)
    for found in (merged(ours), list(subtract(one, theirs))):
        assert all(a.end < b.start for a, b in pairwise(found))


@given(
    st.lists(st.tuples(numbers, st.one_of(st.none(), st.integers(1, 4))), max_size=4),
    st.booleans(),
)
def test_nobody_shares_an_hour_and_gaps_are_the_rest(
    said: list[tuple[Span, int | None]], with_days: bool
) -> None:
    """Shifts and gaps together are the window, without overlap."""
    window = Span(DAY.start, DAY.start + 50 * HOUR)
    layers = [DAYS, OFFICE] if with_days else [OFFICE]
    shifts = final(layers, [Override(span, person) for span, person in said], window)
    pieces = sorted([*(shift.span for shift in shifts), *gaps(shifts, window)])
    assert pieces[0].start == window.start
    assert pieces[-1].end == window.end
    assert all(a.end == b.start for a, b in pairwise(pieces))
