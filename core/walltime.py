"""Wall-clock times of a zone as instants, on days of 23, 24 and 25 hours.

Rotations are kept as local time and IANA zone: "Monday 09:00 in London" stays Monday 09:00 when the
clocks change. Kept as seconds it would be an hour off for half of the year.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

__all__ = ["hours_of_week", "instant", "local_date"]

_WEEK = timedelta(weeks=1)
# No zone changes its clock twice within so long.
_STEP = timedelta(hours=12)


def instant(day: date, at: time, zone: tzinfo) -> datetime:
    """Return when it is `at` on `day` in `zone`, in UTC.

    A time that happens twice is its first; one that a clock change skips is the end of the skip
    (02:30 on a night that jumps from 02:00 to 03:00 is 03:00), so that instants never run backwards.
    """
    wall = datetime.combine(day, at.replace(tzinfo=None, fold=0))
    found = wall.replace(tzinfo=zone).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
        return found
    return _end_of_skip(found, zone)


def _end_of_skip(after: datetime, zone: tzinfo) -> datetime:
    """Return the clock change before `after`: no skip is longer than a day (Samoa, December 2011)."""
    return _change_between(after - timedelta(hours=25), after, zone)


def _change_between(low: datetime, high: datetime, zone: tzinfo) -> datetime:
    """Return when the clock of `high` begins to hold, which is later than `low`, to the second."""
    offset = _offset(high, zone)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if _offset(middle, zone) == offset:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


def _offset(at: datetime, zone: tzinfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def hours_of_week(
    weekday: int, hour: int, since: datetime, until: datetime, zone: tzinfo
) -> Iterator[tuple[datetime, datetime]]:
    """Yield each time at which a clock shows that hour of that weekday: begin and end, in UTC.

    An hour that a clock change repeats counts each time; one that it skips is none. Databases do not
    agree on zones such as Etc/GMT+10; on spans of UTC they do.

    Args:
        weekday: 0 is Monday.
        hour: 0 to 23.
        since: Begin of the period.
        until: Its end.
        zone: Whose clock.
    """
    for begin, end, offset in _of_one_offset(since.astimezone(UTC), until.astimezone(UTC), zone):
        # Wall clocks are written as if they were UTC.
        wall = begin + offset
        monday = wall.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(wall.weekday())
        starts = monday + timedelta(days=weekday, hours=hour) - offset
        while starts < end:
            span = max(starts, begin), min(starts + timedelta(hours=1), end)
            if span[0] < span[1]:
                yield span
            starts += _WEEK


def _of_one_offset(
    since: datetime, until: datetime, zone: tzinfo
) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Yield the stretches of a period between changes of the clock, with the offset from UTC."""
    begin = at = since
    offset = _offset(since, zone)
    while at < until:
        step = min(at + _STEP, until)
        if _offset(step, zone) != offset:
            change = _change_between(at, step, zone)
            yield begin, change, offset
            begin, offset = change, _offset(change, zone)
        at = step
    if begin < until:
        yield begin, until, offset


def local_date(at: datetime, zone: tzinfo) -> date:
    """Return the date at an instant in `zone`."""
    return at.astimezone(zone).date()
