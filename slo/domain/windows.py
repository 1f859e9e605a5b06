"""Windows that end at the watermark, and the objectives in force inside them."""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

BURN_WINDOWS: dict[str, timedelta] = {
    "5m": timedelta(minutes=5),
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "2h": timedelta(hours=2),
    "6h": timedelta(hours=6),
    "1d": timedelta(days=1),
    "3d": timedelta(days=3),
}


class Period(StrEnum):
    """Calendar periods a window can follow."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True)
class Window:
    """Half-open interval [start, end)."""

    start: datetime
    end: datetime

    @property
    def minutes(self) -> int:
        """Whole minutes in the window."""
        return max(0, int((self.end - self.start) / timedelta(minutes=1)))


@dataclass(frozen=True)
class Version:
    """An objective and the moment from which it holds."""

    objective: Decimal
    effective_from: datetime


def rolling(length: timedelta, *, end: datetime) -> Window:
    """Return the window of `length` that ends at `end`."""
    return Window(end - length, end)


def calendar_window(period: Period, *, end: datetime, zone: str) -> Window:
    """Return the part of the calendar period around `end` that has passed, in the SLO's zone.

    Days of 23 and 25 hours are as long as they are: borders are local midnights.
    """
    tz = ZoneInfo(zone)
    # The last instant inside the window decides the period: at a border the old one is complete.
    local = (end - timedelta(microseconds=1)).astimezone(tz).date()
    first = _first_day(period, local)
    start = datetime.combine(first, time.min, tzinfo=tz).astimezone(UTC)
    return Window(start, end)


def calendar_period_end(period: Period, *, start: datetime, zone: str) -> datetime:
    """Return when the calendar period that starts at `start` ends."""
    tz = ZoneInfo(zone)
    local = start.astimezone(tz).date()
    return datetime.combine(_next_first_day(period, local), time.min, tzinfo=tz).astimezone(UTC)


def _first_day(period: Period, day: date) -> date:
    if period is Period.DAY:
        return day
    if period is Period.WEEK:
        return day - timedelta(days=day.weekday())
    if period is Period.MONTH:
        return day.replace(day=1)
    if period is Period.QUARTER:
        return day.replace(month=3 * ((day.month - 1) // 3) + 1, day=1)
    return day.replace(month=1, day=1)


def _next_first_day(period: Period, day: date) -> date:
    if period is Period.DAY:
        return day + timedelta(days=1)
    if period is Period.WEEK:
        return day + timedelta(days=7)
    months = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}[period]
    for _ in range(months):
        day += timedelta(days=calendar.monthrange(day.year, day.month)[1])
    return day


def split_by_version(window: Window, versions: list[Version]) -> list[tuple[Decimal, Window]]:
    """Cut `window` where the objective changed; the first version also judges what came before it.

    A version holds for the minutes that start at or after it, so cuts lie on minute borders.

    Args:
        window: The window to cut.
        versions: All versions, oldest first; at least one.

    Returns:
        (objective, part) pairs, oldest first, that cover the window without overlap.
    """
    parts: list[tuple[Decimal, Window]] = []
    start = window.start
    for current, following in zip(versions, [*versions[1:], None], strict=True):
        border = ceil_minute(following.effective_from) if following else window.end
        end = min(max(border, start), window.end)
        if end > start:
            parts.append((current.objective, Window(start, end)))
            start = end
    return parts


def ceil_minute(at: datetime) -> datetime:
    """Return the first minute border at or after `at`."""
    floor = at.replace(second=0, microsecond=0)
    return floor if floor == at else floor + timedelta(minutes=1)
