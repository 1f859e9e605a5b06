"""Rules that repeat: what they mean, and that none of them keeps anybody waiting."""

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from core.recurrence import parse_rule, starts

ZONE = "Europe/Berlin"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
LONG_AGO = datetime(2000, 2, 29, 3, 30, tzinfo=UTC)
A_MONTH = timedelta(days=30)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY; interval = 00",
        "FREQ=SECONDLY",
        "freq=minutely;INTERVAL=30",
        "FREQ=HOURLY;BYMINUTE=0,30",
        "FREQ=DAILY;BYSECOND=0,1",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYMONTH=4;BYMONTHDAY=31",
        "FREQ=DAILY;BYYEARDAY=366;BYMONTH=1",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=HOURLY;INTERVAL=-5",
        "FREQ=DAILY;INTERVAL=1000000000",
        "FREQ=WEEKLY;INTERVAL=99999999999999999999",
        "FREQ=YEARLY;INTERVAL=10001",
        "FREQ=DAILY;INTERVAL=²",
        "FREQ=HOURLY;COUNT=99999999",
        "FREQ=DAILY;COUNT=0",
        "FREQ=FORTNIGHTLY",
        "FREQ=DAILY;COUNT=many",
        "rubbish",
    ],
)
def test_what_never_comes_or_never_ends_is_refused(rule: str) -> None:
    """In words, and at once: a search for it would go on to the year 9999, or for ever."""
    began = time.process_time()
    with pytest.raises(ValueError, match=r"[A-Z].+[.]"):
        parse_rule(rule, start=LONG_AGO, zone=ZONE)
    assert time.process_time() - began < 2


def test_a_rule_that_was_stored_before_holds_nobody_up() -> None:
    """Whoever asks for its occurrences is told that there are none."""
    began = time.process_time()
    assert (
        list(starts("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", LONG_AGO, ZONE, NOW, NOW + A_MONTH)) == []
    )
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("start", "zone"),
    [
        (datetime(9999, 12, 31, 23, tzinfo=UTC), "Pacific/Kiritimati"),
        (datetime(1, 1, 1, tzinfo=UTC), "America/Chicago"),
    ],
)
def test_what_begins_outside_of_every_calendar_is_refused_in_words(
    start: datetime, zone: str
) -> None:
    with pytest.raises(ValueError, match="years that a calendar knows"):
        parse_rule("FREQ=DAILY", start=start, zone=zone)
    with pytest.raises(ValueError, match="years that a calendar knows"):
        list(starts("FREQ=DAILY", start, zone, NOW, NOW + A_MONTH))


@pytest.mark.parametrize("often", ["HOURLY", "YEARLY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14"])
def test_a_rule_of_long_ago_costs_no_more_than_a_young_one(often: str) -> None:
    began = time.process_time()
    rule = f"FREQ={often};BYDAY=MO,TU,WE,TH,FR,SA,SU"
    for _ in range(20):
        next(starts(rule, LONG_AGO.replace(day=28), ZONE, NOW, NOW + A_MONTH))
    assert time.process_time() - began < 2


def test_a_rule_that_counts_is_counted_once_a_month() -> None:
    """Each look of a pager at what is over long ago would go through all of it, and calls would wait."""
    rule = "FREQ=HOURLY;COUNT=20000;BYDAY=MO,TU,WE,TH,FR,SA,SU"
    began = time.process_time()
    for minute in range(100):
        at = NOW + timedelta(minutes=minute)
        assert not list(starts(rule, LONG_AGO, ZONE, at, at + timedelta(hours=1)))
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=HOURLY;INTERVAL=7;COUNT=1500",
        "FREQ=DAILY;COUNT=400",
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO,SU;COUNT=120",
        "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=40",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=2,-1;COUNT=60",
        "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2;COUNT=90",
        "FREQ=MONTHLY;COUNT=30",
        "FREQ=YEARLY;BYMONTH=1,7;BYDAY=1MO,-1FR;BYHOUR=4,9;COUNT=25",
        "FREQ=DAILY;COUNT=1",
    ],
)
def test_what_is_counted_is_the_same_wherever_one_looks(rule: str) -> None:
    """Each month of ten years has what it has of all of them, by RFC 5545's count from the first."""
    start = datetime(2024, 1, 31, 9, tzinfo=UTC)
    every = [*rrulestr(rule, dtstart=start)]
    months = [
        datetime(2023 + number // 12, number % 12 + 1, 3, tzinfo=UTC) for number in range(120)
    ]
    found = [
        at for begins, ends in pairwise(months) for at in starts(rule, start, "UTC", begins, ends)
    ]
    assert found == [at for at in every if months[0] <= at < months[-1]]
    assert found


def test_rare_is_not_never() -> None:
    """A leap day that is a Monday comes every 28 years."""
    rule = "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO"
    far = datetime(2099, 1, 1, tzinfo=UTC)
    assert [at.year for at in starts(rule, LONG_AGO, ZONE, LONG_AGO, far)] == [2016, 2044, 2072]


@pytest.mark.parametrize("rule", ["FREQ=WEEKLY;BYDAY=SU", "FREQ=DAILY;COUNT=8", "FREQ=HOURLY"])
def test_what_begins_when_a_time_comes_the_second_time_does_not_begin_an_hour_before(
    rule: str,
) -> None:
    """Half past two comes twice on 25 October; a week later it comes once."""
    start = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    found = list(starts(rule, start, ZONE, start - A_MONTH, start + A_MONTH))
    assert found[0] == start
    assert start + timedelta(days=7) in found


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        ("FREQ=HOURLY;BYMINUTE=30", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=45", datetime(2026, 10, 25, 1, 45, tzinfo=UTC)),
    ],
)
def test_nothing_begins_before_the_start_in_an_hour_that_comes_again(
    rule: str, first: datetime
) -> None:
    """From the second two o'clock on, half past two is the second one, too."""
    start = datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert next(starts(rule, start, ZONE, start - A_MONTH, start + A_MONTH)) == first


@pytest.mark.parametrize(
    ("zone", "night", "hours"),
    [
        # Half past one and half past two in Berlin, of which the second is not; then half past three.
        ("Europe/Berlin", datetime(2026, 3, 29, 0, 30, tzinfo=UTC), [0.5, 1.5, 2.5]),
        # The hour that comes twice counts once: what is to be silent in both goes by UTC.
        ("Europe/Berlin", datetime(2026, 10, 24, 23, 30, tzinfo=UTC), [-0.5, 0.5, 2.5]),
        ("UTC", datetime(2026, 10, 24, 23, 30, tzinfo=UTC), [-0.5, 0.5, 1.5]),
        # Half an hour is put forward: three occurrences of the wall are three instants.
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 14, 30, tzinfo=UTC), [14.5, 15.5, 16]),
    ],
)
def test_an_hourly_rule_begins_once_at_a_time_when_clocks_change(
    zone: str, night: datetime, hours: list[float]
) -> None:
    found = list(starts("FREQ=HOURLY", night, zone, night, night + timedelta(hours=6)))
    midnight = night.replace(hour=0, minute=0) + timedelta(days=night.hour > 20)
    assert [(at - midnight) / timedelta(hours=1) for at in found[:3]] == hours
    assert len(found) == len(set(found))


def test_a_start_within_a_second_is_the_second_time_as_well() -> None:
    start = datetime(2026, 10, 25, 1, 30, 0, 500, tzinfo=UTC)
    found = next(starts("FREQ=WEEKLY", start, ZONE, start - A_MONTH, start + A_MONTH))
    assert found == start.replace(microsecond=0)


@pytest.mark.parametrize("until", ["20261203", "20261203T040000", "20261203T030000Z"])
def test_the_last_day_is_one_of_them(until: str) -> None:
    """Each night at four in Berlin until 3 December, however that is written."""
    start = datetime(2026, 12, 1, 3, tzinfo=UTC)
    found = starts(f"FREQ=DAILY;UNTIL={until}", start, ZONE, NOW, NOW + A_MONTH)
    assert [at.day for at in found] == [1, 2, 3]


RULES = st.builds(
    "FREQ={};INTERVAL={}{}{}".format,
    st.sampled_from(["HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.integers(1, 40),
    st.sampled_from(["", ";BYDAY=MO,FR", ";BYMONTH=11,12", ";BYHOUR=3", ";BYMONTHDAY=13,28,-1"]),
    st.sampled_from(["", ";WKST=SU", ";COUNT=700", ";UNTIL=20261210T040000"]),
)


@given(rule=RULES, age=st.integers(0, 3_000), hour=st.integers(0, 23))
def test_a_shorter_way_finds_the_same(rule: str, age: int, hour: int) -> None:
    """Not going through all that was changes nothing: the occurrences are those of the whole rule."""
    start = (NOW - timedelta(days=age)).replace(hour=hour)
    zone = ZoneInfo(ZONE)
    local = start.astimezone(zone).replace(tzinfo=None)
    last = (NOW + A_MONTH).astimezone(zone).replace(tzinfo=None) + timedelta(days=1)
    try:
        every = takewhile(lambda at: at <= last, rrulestr(rule, dtstart=local))
        found = [at.replace(tzinfo=zone).astimezone(UTC) for at in every]
        parse_rule(rule, start=start, zone=ZONE)
    except ValueError:
        return
    expected = [at for at in found if NOW <= at < NOW + A_MONTH]
    assert list(starts(rule, start, ZONE, NOW, NOW + A_MONTH)) == expected
