"""Windows and versions cover time without overlap, daylight saving included."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from slo.domain.windows import (
    Period,
    Version,
    Window,
    calendar_period_end,
    calendar_window,
    rolling,
    split_by_version,
)

NOON = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_rolling_window_ends_at_the_watermark() -> None:
    """30 days before the watermark, to the second."""
    assert rolling(timedelta(days=30), end=NOON).start == datetime(2026, 4, 3, 12, tzinfo=UTC)


def test_calendar_day_in_berlin_has_23_and_25_hours() -> None:
    """The days on which clocks change are as long as they are."""
    spring = datetime(2026, 3, 29, 22, 0, tzinfo=UTC)
    autumn = datetime(2026, 10, 25, 23, 0, tzinfo=UTC)
    for end, hours in ((spring, 23), (autumn, 25)):
        window = calendar_window(Period.DAY, end=end, zone="Europe/Berlin")
        assert window.end - window.start == hours * HOUR
        assert calendar_period_end(Period.DAY, start=window.start, zone="Europe/Berlin") == end


def test_at_its_border_a_month_is_complete() -> None:
    """Midnight of the first belongs to the month that ended."""
    end = datetime(2026, 5, 1, tzinfo=UTC)
    assert calendar_window(Period.MONTH, end=end, zone="UTC").start == datetime(
        2026, 4, 1, tzinfo=UTC
    )


def test_weeks_begin_on_monday_quarters_in_january_years_too() -> None:
    """3 May 2026 is a Sunday in the second quarter."""
    starts = {
        Period.WEEK: datetime(2026, 4, 27, tzinfo=UTC),
        Period.QUARTER: datetime(2026, 4, 1, tzinfo=UTC),
        Period.YEAR: datetime(2026, 1, 1, tzinfo=UTC),
    }
    for period, start in starts.items():
        assert calendar_window(period, end=NOON, zone="UTC").start == start


def test_version_judges_from_its_moment_on() -> None:
    """A change at 11:30:20 judges the minutes that start at 11:31 and later."""
    versions = [
        Version(Decimal("0.999"), datetime(1970, 1, 1, tzinfo=UTC)),
        Version(Decimal("0.99"), datetime(2026, 5, 3, 11, 30, 20, tzinfo=UTC)),
    ]
    border = datetime(2026, 5, 3, 11, 31, tzinfo=UTC)
    assert split_by_version(Window(NOON - HOUR, NOON), versions) == [
        (Decimal("0.999"), Window(NOON - HOUR, border)),
        (Decimal("0.99"), Window(border, NOON)),
    ]


def test_first_version_judges_what_came_before_it() -> None:
    """Data older than the SLO is judged by its first objective."""
    versions = [Version(Decimal("0.9"), NOON - timedelta(minutes=5))]
    window = Window(NOON - HOUR, NOON)
    assert split_by_version(window, versions) == [(Decimal("0.9"), window)]


@given(st.lists(st.integers(-200, 200), min_size=1, max_size=8), st.integers(1, 150))
def test_versions_partition_the_window(offsets: list[int], length: int) -> None:
    """The parts adjoin, cover the window and are never empty."""
    versions = [
        Version(Decimal("0.9"), NOON + timedelta(seconds=37 * offset)) for offset in sorted(offsets)
    ]
    window = Window(NOON - timedelta(minutes=length), NOON)
    parts = [part for _, part in split_by_version(window, versions)]
    assert parts[0].start == window.start
    assert parts[-1].end == window.end
    assert all(a.end == b.start for a, b in pairwise(parts))
    assert all(part.start < part.end for part in parts)
