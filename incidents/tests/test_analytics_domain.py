"""The arithmetic of incident analytics: what each figure counts, and what it leaves out."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.domain.analytics import (
    Figures,
    Happened,
    Repeat,
    Share,
    Tally,
    spread,
    suggested_fix,
)
from incidents.domain.calls import PageTally

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")


def incident(at: datetime = MONDAY, **values: Any) -> Happened:
    """Return an incident of service 1 that nobody has answered."""
    usual: dict[str, Any] = {"pk": 1, "service": 1, "severity": "P1", "group": "g"}
    return Happened(at, **{**usual, **values})


def ended(minutes: float, at: datetime = MONDAY, **values: Any) -> Happened:
    """Return one that ended by itself after so many minutes."""
    end = at + minutes * MINUTE
    return incident(at, **{"resolved_at": end, "over_at": end, "is_by_itself": True} | values)


def figures(*happened: Happened) -> Figures:
    """Return the figures of incidents in UTC."""
    tally = Tally(UTC)
    for one in sorted(happened, key=attrgetter("opened_at")):
        tally.add(one)
    return tally.figures()


def test_median_and_p90_lie_between_neighbours() -> None:
    """As PostgreSQL's percentile_cont: of 1 to 5 the 90th percentile is 4.6."""
    found = spread([5.0, 1.0, 2.0, 4.0, 3.0])
    assert found is not None
    assert (found.n, found.mean, found.median) == (5, 3 * MINUTE / 60, timedelta(seconds=3))
    assert found.p90 == timedelta(seconds=4.6)


def test_nothing_has_no_median() -> None:
    assert spread([]) is None


@given(st.lists(st.floats(0, 1e8), min_size=1))
def test_a_spread_lies_within_what_it_is_of(seconds: list[float]) -> None:
    """Lowest ≤ median ≤ 90th percentile ≤ highest, and the mean between the ends."""
    found = spread(seconds)
    assert found is not None
    low, high = timedelta(seconds=min(seconds)), timedelta(seconds=max(seconds))
    slack = timedelta(microseconds=2)
    assert low - slack <= found.median <= found.p90 <= high + slack
    assert low - slack <= found.mean <= high + slack


def test_who_never_answered_is_no_answer_at_once() -> None:
    """It is counted beside the times, not among them as zero."""
    found = figures(incident(answered_at=MONDAY + 10 * MINUTE), incident(), ended(3))
    assert found.to_acknowledge is not None
    assert (found.to_acknowledge.n, found.to_acknowledge.median) == (1, 10 * MINUTE)
    assert (found.count, found.unanswered, found.still_open) == (3, 2, 2)


def test_a_clock_that_ran_behind_makes_no_negative_time() -> None:
    found = figures(incident(answered_at=MONDAY - MINUTE)).to_acknowledge
    assert found is not None
    assert found.median == timedelta()


def test_without_incidents_there_are_no_times_and_no_shares() -> None:
    found = figures()
    assert (found.count, found.to_acknowledge, found.to_resolve, found.between) == (
        0,
        None,
        None,
        None,
    )
    assert found.without_action.fraction is None
    assert found.short.fraction is None


def test_time_between_failures_is_from_an_end_to_the_next_beginning() -> None:
    """One hour up, then two: of one service; another's failures say nothing about it."""
    found = figures(
        ended(60),
        ended(60, MONDAY + 2 * HOUR),
        ended(60, MONDAY + 5 * HOUR),
        ended(5, MONDAY + HOUR / 2, service=2),
        ended(5, MONDAY + HOUR / 2, service=None),
        ended(5, MONDAY + 9 * HOUR, service=None),
    )
    one, other = found.by_service[1].between, found.by_service[2].between
    assert one is not None
    assert (one.n, one.mean) == (2, 1.5 * HOUR)
    assert other is None
    assert found.between == one
    assert found.by_service[None].count == 2


def test_failures_that_overlap_are_one_failure() -> None:
    """What begins while another one lasts ends no time without failures; what is open has no end."""
    found = figures(
        ended(180),
        ended(10, MONDAY + HOUR),
        ended(10, MONDAY + 4 * HOUR),
        incident(MONDAY + 5 * HOUR),
        ended(10, MONDAY + 9 * HOUR),
    ).by_service[1]
    assert found.between is not None
    assert (found.count, found.between.n) == (5, 2)
    assert found.between.mean == (60 * MINUTE + 50 * MINUTE) / 2


def test_hours_are_those_of_the_reader() -> None:
    """Monday 23:30 UTC is Tuesday in Berlin, half past midnight."""
    tally = Tally(BERLIN)
    tally.add(incident(datetime(2026, 3, 2, 23, 30, tzinfo=UTC)))
    found = tally.figures()
    assert found.by_hour[1][0] == 1
    assert sum(map(sum, found.by_hour)) == 1
    assert found.by_day == {date(2026, 3, 3): 1}


def test_acknowledged_without_action() -> None:
    """Answered, and over by itself without anything that a person did; of those answered and over."""
    answered = {"answered_at": MONDAY + MINUTE}
    found = figures(
        ended(20, **answered),
        ended(20, is_acted_on=True, **answered),
        ended(20, is_by_itself=False, is_acted_on=True, **answered),
        ended(20),
        incident(**answered),
    )
    assert found.without_action == Share(1, 3)


def test_short_is_over_by_itself_within_five_minutes() -> None:
    """A hold that waits for more of the same makes it no longer; a person who ends it is no itself."""
    found = figures(
        ended(5),
        ended(5.1),
        ended(20, over_at=MONDAY + 4 * MINUTE),
        ended(2, is_by_itself=False),
        incident(),
    )
    assert found.short == Share(2, 4)


def repeats(*happened: Happened) -> Sequence[Repeat]:
    """Return what repeats among incidents."""
    tally = Tally(UTC, {one.group for one in happened})
    for number, one in enumerate(happened):
        tally.add(one._replace(pk=number))
    return tally.repeats()


def test_three_times_is_a_repeat() -> None:
    """Twice is none; the most often is first, with its newest incident."""
    often = [ended(3, MONDAY + n * HOUR, group="often") for n in range(4)]
    thrice = [ended(n, MONDAY + n * HOUR, group="thrice") for n in (10, 20, 60)]
    twice = [ended(3, MONDAY + n * HOUR, group="twice") for n in range(2)]
    one, other = repeats(*often, *thrice, *twice)
    assert (one.group, one.count, one.newest) == ("often", 4, 3)
    assert (other.group, other.count, other.median) == ("thrice", 3, 20 * MINUTE)
    assert (other.short, other.by_itself, other.acted_on) == (Share(0, 3), Share(3, 3), Share(0, 3))


@pytest.mark.parametrize(
    ("count", "short", "by_itself", "acted_on", "fix"),
    [
        (10, 9, 10, 0, "It is over by itself within 5 min, 9 of 10 times: let its rule wait longer (“for”), or its integration hold off."),
        (10, 7, 10, 0, "Nobody did anything about it, 10 of 10 times: make it a P3, or delete it."),
        (10, 2, 6, 3, ""),
        (10, 0, 1, 9, "People dealt with it 9 of 10 times: write what they do into its runbook, or have a program do it."),
        (2, 0, 2, 0, ""),
        (0, 0, 0, 0, ""),
    ],
)  # fmt: skip
def test_a_fix_is_suggested_where_the_figures_say_so(
    count: int, short: int, by_itself: int, acted_on: int, fix: str
) -> None:
    """Three that are over at least; most of them alike."""
    shares = (Share(part, count) for part in (short, by_itself, acted_on))
    assert suggested_fix(Repeat("g", 1, 10, None, *shares)) == fix


def test_pages_at_night_and_on_weekends_are_by_the_clock_of_whoever_is_called() -> None:
    """Saturday 21:30 UTC is 22:30 in Berlin: a night, and a weekend; in London it is neither night."""
    saturday = datetime(2026, 3, 7, 21, 30, tzinfo=UTC)
    tally = PageTally()
    tally.add("ann", saturday, BERLIN, 3)
    tally.add("bob", saturday, ZoneInfo("Europe/London"), 1)
    ann, bob = tally.of("ann"), tally.of("bob")
    assert (ann.pages, ann.messages, ann.at_night, ann.at_weekends, ann.nights) == (1, 3, 1, 1, 1)
    assert (bob.pages, bob.messages, bob.at_night, bob.at_weekends, bob.nights) == (1, 1, 0, 1, 0)


@pytest.mark.parametrize(
    ("at", "is_night"), [("21:59", 0), ("22:00", 1), ("00:00", 1), ("05:59", 1), ("06:00", 0)]
)
def test_a_night_is_from_22_to_06(at: str, is_night: int) -> None:
    tally = PageTally()
    tally.add("ann", datetime.fromisoformat(f"2026-03-03T{at}:00+00:00"), UTC, 1)
    assert tally.of("ann").at_night == is_night


def test_one_night_is_interrupted_once() -> None:
    """Before and after midnight is one night; the next evening is another."""
    tally = PageTally()
    for hours in (10.5, 14, 17.5, 34.5):
        tally.add("ann", MONDAY + hours * HOUR, UTC, 1)
    assert (tally.of("ann").at_night, tally.of("ann").nights) == (4, 2)


INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))
ZONES = st.sampled_from(["UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe"])


@given(st.lists(INSTANTS), ZONES)
def test_a_heat_map_and_days_count_every_incident_once(at: list[datetime], zone: str) -> None:
    tally = Tally(ZoneInfo(zone))
    for each in sorted(at):
        tally.add(incident(each))
    found = tally.figures()
    assert (
        sum(map(sum, found.by_hour)) == found.by_day.total() == found.by_severity.total() == len(at)
    )
    assert sum(one.count for one in found.by_service.values()) == found.count == len(at)


@given(st.lists(INSTANTS), ZONES)
def test_interrupted_nights_are_no_more_than_pages_at_night(at: list[datetime], zone: str) -> None:
    tally = PageTally()
    for each in at:
        tally.add("ann", each, ZoneInfo(zone), 1)
    load = tally.of("ann")
    assert load.nights <= load.at_night <= load.pages == len(at)
    assert (load.nights == 0) == (load.at_night == 0)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 100))))
def test_times_between_failures_and_failures_fill_no_more_than_the_time(
    spans: list[tuple[int, int]],
) -> None:
    """Gaps do not overlap: together they are no longer than from the first beginning to the last."""
    happened = [ended(length, MONDAY + begin * MINUTE) for begin, length in sorted(spans)]
    found = figures(*happened).between
    if found is not None:
        assert found.n < len(happened)
        assert found.n * found.mean <= happened[-1].opened_at - happened[0].opened_at + MINUTE / 60
