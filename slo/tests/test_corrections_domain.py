"""Corrections as arithmetic: which minutes, and what becomes of them."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.recurrence import parse_rule
from slo.domain.blocks import GAP, Slice
from slo.domain.corrections import Correction, Mode, by_minute, corrected, occurrences
from slo.domain.windows import Window

START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def once(mode: Mode = Mode.EXCLUDE, **changes: object) -> Correction:
    return Correction(**{"mode": mode, "start": START, "end": START + HOUR} | changes)  # type: ignore[arg-type]


def test_a_single_interval_is_clipped_to_the_window() -> None:
    """Only what lies inside the window is corrected in it."""
    window = Window(START + 30 * MINUTE, START + DAY)
    assert occurrences(once(), window) == [Window(START + 30 * MINUTE, START + HOUR)]
    assert occurrences(once(), Window(START + HOUR, START + DAY)) == []


def test_a_minute_that_is_touched_is_corrected_whole() -> None:
    """Slices are minutes: 02:00:30 to 02:01:10 takes two of them."""
    half = once(start=START + timedelta(seconds=30), end=START + timedelta(seconds=70))
    window = Window(START - HOUR, START + HOUR)
    assert occurrences(half, window) == [Window(START, START + 2 * MINUTE)]


def test_a_rule_that_nothing_can_be_worked_out_of_corrects_nothing() -> None:
    """It was stored before such rules were refused; objectives are counted all the same."""
    odd = once(rule="FREQ=DAILY;INTERVAL=1000000000")
    assert occurrences(odd, Window(START + DAY, START + 2 * DAY)) == []


def test_a_weekly_rule_follows_the_wall_clock_through_summer_time() -> None:
    """02:00 in Berlin is 01:00 UTC in winter and 00:00 UTC in summer."""
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 3, 22, 2, 0, tzinfo=berlin)
    weekly = Correction(
        Mode.EXCLUDE, start, start + HOUR, rule="FREQ=WEEKLY;BYDAY=SU", zone="Europe/Berlin"
    )
    window = Window(datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 4, 8, tzinfo=UTC))
    starts = [part.start for part in occurrences(weekly, window)]
    assert [at.hour for at in starts] == [1, 1, 0]
    assert [part.end - part.start for part in occurrences(weekly, window)] == [HOUR] * 3


def test_a_count_and_an_until_end_the_rule() -> None:
    """What RFC 5545 says ends a rule ends the correction."""
    window = Window(START, START + 30 * DAY)
    assert len(occurrences(once(rule="FREQ=DAILY;COUNT=3"), window)) == 3
    assert len(occurrences(once(rule="FREQ=DAILY;UNTIL=20260304T020000Z"), window)) == 4


def test_what_is_cancelled_ends_then_and_keeps_its_past() -> None:
    """A cancelled rule corrects what came before, and no more."""
    daily = once(rule="FREQ=DAILY", cancelled_at=START + 2 * DAY + 30 * MINUTE)
    parts = occurrences(daily, Window(START, START + 10 * DAY))
    assert [part.minutes for part in parts] == [60, 60, 30]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("WEEKLY", "Is no RRULE"),
        ("FREQ=OFTEN", "Is no RRULE"),
        ("FREQ=MINUTELY", "Repeat hourly at most"),
        ("DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY", "Give the rule alone"),
        ("FREQ=DAILY;UNTIL=tomorrow", "Is no RRULE"),
        ("FREQ=DAILY;UNTIL=20269999T000000Z", "Is no RRULE"),
    ],
)
def test_a_rule_that_is_none_is_refused_in_words(rule: str, message: str) -> None:
    """Whoever mistypes a rule is told so, not shown a traceback."""
    with pytest.raises(ValueError, match=message):
        parse_rule(rule, start=START, zone="UTC")


def test_excluding_wins_over_good_and_good_over_a_cap() -> None:
    """Overlapping corrections never add up: one of them decides a minute."""
    cap = once(Mode.CAP, cap=Fraction(1, 10))
    milder = once(Mode.CAP, cap=Fraction(1, 100))
    good = once(Mode.COUNT_AS_GOOD, start=START + 30 * MINUTE)
    out = once(end=START + 10 * MINUTE)
    found = by_minute([cap, milder, good, out], Window(START, START + HOUR))
    modes = [found[START + MINUTE * n][0] for n in (0, 10, 30)]
    assert modes == [Mode.EXCLUDE, Mode.CAP, Mode.COUNT_AS_GOOD]
    assert found[START + 10 * MINUTE][1] == Fraction(1, 100)
    assert len(found) == 60


@pytest.mark.parametrize(("mode", "percent"), [(Mode.EXCLUDE, 0.69), (Mode.COUNT_AS_GOOD, 0.60)])
def test_an_hour_down_in_a_week_with_a_day_corrected(mode: Mode, percent: float) -> None:
    """0.69 % is bad when the day leaves the window, 0.60 % when it counts as good."""
    week = Window(START, START + 7 * DAY)
    day = once(mode, start=START + DAY, end=START + 2 * DAY)
    modes = by_minute([day], week)
    good = total = 0
    for number in range(week.minutes):
        is_down = number < 60
        judged: Slice | None = Slice(0 if is_down else 10, 10)
        if (at := START + number * MINUTE) in modes:
            judged = corrected(Slice(10, 10), *modes[at])
        good += judged.good if judged else 0
        total += judged.total if judged else 0
    assert round(100 * (total - good) / total, 2) == percent


@given(
    good=st.integers(0, 1000),
    bad=st.integers(0, 1000),
    cap=st.fractions(0, 1, max_denominator=1000),
)
def test_a_correction_only_forgives(good: int, bad: int, cap: Fraction) -> None:
    """No correction adds a bad event or invents one of any kind; a cap is kept exactly."""
    measured = Slice(good, good + bad)
    for mode in Mode:
        judged = corrected(measured, mode, cap)
        if judged is None:
            continue
        assert judged.total == measured.total
        assert judged.total - judged.good <= bad
        if mode is Mode.CAP:
            assert judged.total - judged.good <= cap * judged.total
            assert judged.total - judged.good == min(bad, int(cap * judged.total))


def test_a_gap_stays_a_gap() -> None:
    """Counting as good does not turn no data into good data."""
    assert corrected(GAP, Mode.COUNT_AS_GOOD, Fraction(0)) == GAP
    assert corrected(GAP, Mode.CAP, Fraction(0)) == GAP
    assert corrected(GAP, Mode.EXCLUDE, Fraction(0)) is None
