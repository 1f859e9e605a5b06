"""Wall-clock times of a zone as instants, on days of 23, 24 and 25 hours.

Rotations are kept as local time and IANA zone: "Monday 09:00 in London" stays Monday 09:00 when the
clocks change. Kept as seconds it would be an hour off for half of the year.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

__all__ = ["instant", "local_date"]


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
    low, high = after - timedelta(hours=25), after
    offset = high.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


def local_date(at: datetime, zone: tzinfo) -> date:
    """Return the date at an instant in `zone`."""
    return at.astimezone(zone).date()
