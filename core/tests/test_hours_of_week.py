"""Hours of the week as spans of time: which instants a clock shows as Monday, 03 something."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.walltime import hours_of_week

HOUR = timedelta(hours=1)
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Etc/GMT+10",
    "Asia/Kathmandu",
]


def test_an_hour_comes_once_a_week() -> None:
    """Tuesday 09:00 in Berlin, in winter."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    found = list(hours_of_week(1, 9, begin, begin + timedelta(14), ZoneInfo("Europe/Berlin")))
    assert [since for since, _ in found] == [
        datetime(2026, 1, 6, 8, tzinfo=UTC),
        datetime(2026, 1, 13, 8, tzinfo=UTC),
    ]
    assert all(until - since == HOUR for since, until in found)


@pytest.mark.parametrize(
    ("day", "zone", "length"),
    [
        # Clocks go from 02:00 to 03:00: there is no such hour.
        ("2026-03-29", "Europe/Berlin", timedelta()),
        # And from 03:00 back to 02:00: it comes twice.
        ("2026-10-25", "Europe/Berlin", 2 * HOUR),
        # By half an hour only: from 02:00 to 02:30, and half a year before the other way, at 02:00 to 01:30.
        ("2026-10-04", "Australia/Lord_Howe", HOUR / 2),
        ("2026-04-05", "Australia/Lord_Howe", HOUR),
    ],
)
def test_a_change_of_clocks_makes_an_hour_longer_or_none(
    day: str, zone: str, length: timedelta
) -> None:
    """The hour from 02:00 of that Sunday is as long as clocks show it."""
    begin = datetime.fromisoformat(f"{day}T00:00:00+00:00") - timedelta(1)
    spans = hours_of_week(6, 2, begin, begin + timedelta(2.5), ZoneInfo(zone))
    assert sum((until - since for since, until in spans), timedelta()) == length


def test_spans_end_with_the_period() -> None:
    """An hour that the period cuts is as much of it as lies in it."""
    monday = datetime(2026, 1, 5, 3, 20, tzinfo=UTC)
    assert list(hours_of_week(0, 3, monday, monday + HOUR / 3, UTC)) == [
        (monday, monday + HOUR / 3)
    ]
    assert list(hours_of_week(0, 3, monday, monday, UTC)) == []


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
    st.floats(0, 1),
)
def test_an_instant_is_in_the_hour_that_its_clock_shows_and_in_no_other(
    zone: str, at: datetime, place: float
) -> None:
    """Of a period around it, whatever the zone and the season."""
    begin = at - place * timedelta(30)
    end, local = begin + timedelta(30, 1), at.astimezone(ZoneInfo(zone))

    def holds(weekday: int, hour: int) -> int:
        spans = hours_of_week(weekday, hour, begin, end, ZoneInfo(zone))
        return sum(since <= at < until for since, until in spans)

    assert holds(local.weekday(), local.hour) == 1
    assert holds(local.weekday(), (local.hour + 1) % 24) == 0
    assert holds((local.weekday() + 1) % 7, local.hour) == 0


@given(st.sampled_from(ZONES), st.integers(0, 300), st.integers(1, 40))
def test_all_hours_together_are_the_period(zone: str, start: int, days: int) -> None:
    """None is missing and none counts twice."""
    begin = datetime(2026, 1, 1, 0, 7, tzinfo=UTC) + timedelta(start)
    spans = [
        until - since
        for weekday in range(7)
        for hour in range(24)
        for since, until in hours_of_week(
            weekday, hour, begin, begin + timedelta(days), ZoneInfo(zone)
        )
    ]
    assert sum(spans, timedelta()) == timedelta(days)
