"""When a sign of life is overdue: the dead man's switch, by arithmetic alone."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import StrEnum

from cronsim import CronSim, CronSimError

__all__ = [
    "DEFAULTS",
    "LONGEST_KEY",
    "Expected",
    "Sign",
    "due_after",
    "key_of_sender",
    "next_after",
    "sign_of",
]

LONGEST_KEY = 100
_DIGITS = 32
_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)
_FIELDS = "a schedule has five fields, e.g. 0 3 * * 1-5"


class Sign(StrEnum):
    """What a ping says."""

    SUCCESS = "success"
    START = "start"
    FAIL = "fail"
    LOG = "log"


@dataclass(frozen=True)
class Expected:
    """How often a sign of life is expected.

    Args:
        period: From one to the next.
        grace: How much later it may come before somebody is told.
        cron: When it is expected instead of every period: five fields, e.g. 0 3 * * 1-5.
        zone: In which `cron` is read.
    """

    period: timedelta
    grace: timedelta
    cron: str = ""
    zone: tzinfo = UTC


# What a heartbeat is made with when its first ping arrives; edited afterwards.
DEFAULTS = {
    "alertmanager": Expected(timedelta(minutes=15), timedelta(minutes=5)),
    "grafana": Expected(timedelta(minutes=15), timedelta(minutes=5)),
    "opsgenie": Expected(timedelta(minutes=10), timedelta(minutes=1)),
    "healthchecks": Expected(timedelta(days=1), timedelta(hours=1)),
}


def due_after(
    ended_at: datetime | None, started_at: datetime | None, expected: Expected
) -> datetime | None:
    """Return when somebody is told unless another sign comes; None while nothing is expected.

    A run that has started must end in time, and that it has puts nothing off.

    Args:
        ended_at: When a run last ended, well or not.
        started_at: When the one began that has not ended since, or the first of them.
        expected: How often.
    """
    moments = [started_at] if started_at else []
    if ended_at:
        moments.append(_expected_after(ended_at, expected))
    return min(moments) + expected.grace if moments else None


def _expected_after(at: datetime, expected: Expected) -> datetime:
    if expected.cron:
        return next_after(expected.cron, at, expected.zone)
    return at + expected.period


def next_after(cron: str, at: datetime, zone: tzinfo) -> datetime:
    """Return the first moment later than `at` that a cron expression names, in UTC.

    As Debian's cron does it: what falls into an hour that a clock change skips comes right after
    it, what falls into one that comes twice comes once, the first time. Where minute or hour begin
    with a star it goes by the clock alone, whatever that shows.

    Raises:
        ValueError: It is no such expression, or names no moment at all.
    """
    fields = cron.split()
    if len(fields) != 5:
        raise ValueError(_FIELDS)
    try:
        if fields[0].startswith("*") or fields[1].startswith("*"):
            return _next_by_clock(cron, at, zone)
        moments = (moment.astimezone(UTC) for moment in CronSim(cron, at.astimezone(zone)))
        # In an hour that comes again, the library begins with its first time.
        return next(moment for moment in moments if moment > at)
    except CronSimError as error:
        raise ValueError(_FIELDS) from error
    except StopIteration as error:
        raise ValueError("no day is ever like that") from error


def _next_by_clock(cron: str, at: datetime, zone: tzinfo) -> datetime:
    """Return the first moment later than `at` at which the clock shows what an expression names.

    From one clock change to the next: over one the library goes on by whole hours, which leads past
    what half an hour moved.
    """
    since = at
    while True:
        offset = _offset(since, zone)
        found = next(CronSim(cron, at.astimezone(timezone(offset)))).astimezone(UTC)
        change = _change_between(since, found, zone)
        if change is None:
            return found
        since, at = change, change - _SECOND


def _change_between(since: datetime, until: datetime, zone: tzinfo) -> datetime | None:
    """Return when the clock changes for the first time after `since`, until `until`; None: never."""
    offset = _offset(since, zone)
    low = since
    while low < until:
        high = min(low + _DAY, until)
        if _offset(high, zone) == offset:
            low = high
            continue
        while high - low > _SECOND:
            middle = low + (high - low) / 2
            low, high = (middle, high) if _offset(middle, zone) == offset else (low, middle)
        return high.replace(microsecond=0)
    return None


def _offset(at: datetime, zone: tzinfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def key_of_sender(name: str) -> str:
    """Return by what the heartbeat is found that senders call `name`; a long name ends in its hash."""
    name = name.strip()
    if len(name) <= LONGEST_KEY:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
    return f"{name[: LONGEST_KEY - _DIGITS - 1]}-{digest}"


def sign_of(word: str) -> Sign | None:
    """Return what the end of a ping's address says: "", start, fail, log, or an exit status."""
    if word.isascii() and word.isdigit() and int(word) <= 255:
        return Sign.FAIL if int(word) else Sign.SUCCESS
    return {"": Sign.SUCCESS, "start": Sign.START, "fail": Sign.FAIL, "log": Sign.LOG}.get(word)
