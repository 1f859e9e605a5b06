"""Hours of the week as people write them: `Mon-Fri 09:00-17:00`, `Sat,Sun`, `22:00-06:00`."""

import re
from collections.abc import Iterable
from datetime import time

from oncall.domain.rotations import Restriction

__all__ = ["read_hours", "written"]

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_EVERY_DAY = frozenset(range(7))
_LINE = re.compile(
    r"(?P<days>[a-z]+(?:[-,][a-z]+)*)?(?:(?:^|\s)(?P<begins>\d{1,2}:\d\d)-(?P<ends>\d{1,2}:\d\d))?",
    re.ASCII | re.IGNORECASE,
)
_HOW = "write hours like Mon-Fri 09:00-17:00"


def read_hours(line: str) -> Restriction:
    """Return the hours that one line says.

    Args:
        line: Days, hours or both. A range of days may go over Sunday; hours that do not end after
            they begin end on the next day; without hours it is the whole day.

    Raises:
        ValueError: It says none.
    """
    said = re.sub(r"\s*([,-])\s*", r"\1", line.replace("–", "-")).strip()
    found = _LINE.fullmatch(said)
    if not said or found is None:
        raise ValueError(f"{_HOW}, not {line.strip()!r}")
    begins, ends = (_time(found[name] or "00:00") for name in ("begins", "ends"))
    return Restriction(begins, ends, _days(found["days"]) if found["days"] else _EVERY_DAY)


def written(hours: Restriction) -> str:
    """Return hours as `read_hours` reads them."""
    days = "" if hours.weekdays == _EVERY_DAY else _days_written(hours.weekdays)
    is_whole = hours.begins == hours.ends == time()
    clock = "" if is_whole and days else f"{hours.begins:%H:%M}-{hours.ends:%H:%M}"
    return " ".join(filter(None, (days, clock)))


def _time(text: str) -> time:
    hour, minute = map(int, text.split(":"))
    if hour > 23 or minute > 59:
        raise ValueError(f"{text} is no time of day")
    return time(hour, minute)


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        ends = [_day(name) for name in part.split("-")]
        if len(ends) > 2:
            raise ValueError(f"{_HOW}, not {text!r}")
        first, last = ends[0], ends[-1]
        found |= {(first + step) % 7 for step in range((last - first) % 7 + 1)}
    return frozenset(found)


def _day(name: str) -> int:
    short = name[:3].capitalize()
    if short not in DAYS or not _NAMES[DAYS.index(short)].startswith(name.lower()):
        raise ValueError(f"{name} is no day of the week")
    return DAYS.index(short)


_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _days_written(weekdays: Iterable[int]) -> str:
    runs: list[list[int]] = []
    for day in sorted(weekdays):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(
        f"{DAYS[run[0]]}-{DAYS[run[-1]]}" if len(run) > 1 else DAYS[run[0]] for run in runs
    )
