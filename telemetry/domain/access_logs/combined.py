"""The combined log format of nginx and Apache, with a duration at the end of the line.

    203.0.113.7 - - [26/Nov/2026:00:38:26 +0000] "GET /users HTTP/1.1" 200 512 "-" "curl" 0.012

nginx: `log_format timed '… "$http_user_agent" $request_time'` (seconds with three decimals).
Apache: `LogFormat "… \"%{User-Agent}i\" %D"` (whole microseconds). Fields between the user agent
and the duration do no harm, nor does a host before the address, nor does `rt=` before the figure.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from functools import lru_cache

from telemetry.domain.access_logs.lines import (
    SWITCHING_PROTOCOLS,
    LoggedRequest,
    NotUnderstood,
    request_line,
    shortened,
    status_code,
)

_LINE = re.compile(
    r'[^\[]+\[([^\]]{17,30})\] "((?:[^"\\]|\\.)*)" (\S+) (?:\d+|-)(?: (?:.* )?(\S+))?\s*\Z'
)
_DURATION = re.compile(r'(?:[A-Za-z_]+[=:])?"?(\d{1,12}(?:\.\d{1,9})?)(?:us|ms|s)?"?\Z')
_TIME = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\Z")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class Unit(StrEnum):
    """Of which unit the duration at the end of a line is."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"

    @property
    def in_ms(self) -> float:
        """How many milliseconds it is."""
        return {"s": 1000.0, "ms": 1.0, "us": 0.001}[self.value]


def detect_unit(lines: Sequence[str]) -> Unit:
    """Return the unit that the durations of some lines are of.

    nginx writes seconds with three decimals always and Apache's `%D` whole microseconds, so a
    point tells them apart. Milliseconds (`%{ms}T`) look like the latter and must be told.
    """
    ends = (_duration_text(line) for line in lines)
    return Unit.SECONDS if any(end and "." in end for end in ends) else Unit.MICROSECONDS


def parse(line: str, unit: Unit) -> LoggedRequest | None:
    """Return the request of a line, or None for a websocket.

    Raises:
        NotUnderstood: If it is not of this format, or holds an impossible time, status or duration.
    """
    match = _LINE.match(line)
    if match is None:
        raise NotUnderstood(f"is not in the combined format: {shortened(line)}")
    time, request, code, end = match.groups()
    status = status_code(code)
    if status == SWITCHING_PROTOCOLS:
        return None
    duration = _DURATION.match(end or "")
    if duration is None:
        raise NotUnderstood("has no duration at its end; log $request_time (nginx) or %D (Apache)")
    method, target = request_line(request)
    return LoggedRequest(_instant(time), method, target, status, float(duration[1]) * unit.in_ms)


def _duration_text(line: str) -> str | None:
    match = _LINE.match(line)
    duration = _DURATION.match(match[4] or "") if match else None
    return duration[1] if duration else None


@lru_cache(maxsize=4096)
def _instant(text: str) -> float:
    """Return seconds since 1970; neighbouring lines share their second, hence the cache."""
    match = _TIME.match(text)
    if match is None or match[2] not in _MONTHS:
        raise NotUnderstood(f"{shortened(text)} is no time such as 26/Nov/2026:00:38:26 +0000")
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        at = datetime(
            int(year),
            _MONTHS.index(month) + 1,
            int(day),
            int(hour),
            int(minute),
            # A leap second is counted with the last one of its minute.
            min(int(second), 59),
            tzinfo=timezone(-offset if sign == "-" else offset) if offset else UTC,
        )
        return at.timestamp()
    except (ValueError, OverflowError) as error:
        raise NotUnderstood(f"{shortened(text)} is no time: {error}") from error
