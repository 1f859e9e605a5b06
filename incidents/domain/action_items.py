"""When something that somebody promised to do is late: by the day where they are."""

from datetime import date, datetime, tzinfo

__all__ = ["day_in", "is_overdue"]


def day_in(zone: tzinfo, now: datetime) -> date:
    """Return which day it is in a time zone."""
    return now.astimezone(zone).date()


def is_overdue(due_on: date | None, zone: tzinfo, now: datetime) -> bool:
    """Return whether the day on which something is due has ended in its owner's time zone.

    Args:
        due_on: The last day on which it is in time; None is never late.
        zone: The owner's.
        now: The present, aware.
    """
    return due_on is not None and due_on < day_in(zone, now)
