"""Durations and time windows of OpenSLO, and the windows of the portal that are the same.

A duration is a whole number and one letter: m, h, d, w, and in v1 also M, Q, Y.
Source: OpenSLO specification, "duration-shorthand" and "SLO",
https://github.com/OpenSLO/OpenSLO
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.yaml_documents import Path
from slo.domain.exchange.checks import Check, Report, read_moment
from slo.domain.windows import Period

__all__ = ["Duration", "WindowDraft", "duration", "read_duration", "read_window", "write_window"]

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LONG_UNITS = {"M": 30, "Q": 90, "Y": 365}
PERIODS = {
    "1d": Period.DAY,
    "1w": Period.WEEK,
    "7d": Period.WEEK,
    "1M": Period.MONTH,
    "1Q": Period.QUARTER,
    "3M": Period.QUARTER,
    "1Y": Period.YEAR,
    "12M": Period.YEAR,
}
DURATION_OF = {
    Period.DAY: "1d",
    Period.WEEK: "1w",
    Period.MONTH: "1M",
    Period.QUARTER: "1Q",
    Period.YEAR: "1Y",
}
LONGEST = timedelta(days=366)
# A Monday, and the first of a month, a quarter and a year: every period may begin there.
ANCHOR = "2024-01-01 00:00:00"
_DURATION = re.compile(r"([1-9][0-9]{0,8})([mhdwMQY])")


@dataclass(frozen=True)
class Duration:
    """A duration as written, and how long it is; months, quarters and years nominally."""

    text: str
    length: timedelta
    is_nominal: bool


@dataclass(frozen=True)
class WindowDraft:
    """A window of the portal: rolling days, or a calendar period in a zone."""

    days: int = 30
    period: Period | None = None
    timezone: str = "UTC"


def read_duration(value: Any, *, units: str = "mhdwMQY") -> Duration | None:
    """Return the duration that `value` spells, or None."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] not in units:
        return None
    count, unit = int(match[1]), match[2]
    if unit in LONG_UNITS:
        return Duration(value, timedelta(days=count * LONG_UNITS[unit]), is_nominal=True)
    return Duration(value, timedelta(**{UNITS[unit]: count}), is_nominal=False)


def duration(units: str = "mhdwMQY") -> Check:
    """Accept a duration in these units."""

    def check(value: Any, path: Path, report: Report) -> None:
        try:
            known = read_duration(value, units=units)
        except OverflowError:
            known = None
        if known is None:
            letters = ", ".join(units)
            report.wrong(
                path, f"Expected a whole number and one of {letters} without a space, e.g. 4w."
            )

    return check


def read_window(window: Mapping[str, Any], path: Path, report: Report) -> WindowDraft | None:
    """Return the portal's window for a checked one, or None when there is none like it."""
    written = read_duration(window["duration"])
    if written is None:
        return None
    if window.get("calendar"):
        return _calendar(written, window["calendar"], path, report)
    return _rolling(written, (*path, "duration"), report)


def _rolling(written: Duration, path: Path, report: Report) -> WindowDraft | None:
    if written.length % timedelta(days=1) or written.length > LONGEST:
        report.lose(path, "Rolling windows are whole days, from 1d to 366d; choose one of these.")
        return None
    days = written.length.days
    if written.is_nominal:
        report.warn(path, f"Read as {days}d: the length of {written.text} varies.")
    return WindowDraft(days=days)


def _calendar(
    written: Duration, calendar: Mapping[str, Any], path: Path, report: Report
) -> WindowDraft | None:
    period = PERIODS.get(written.text)
    if period is None:
        report.lose(
            (*path, "duration"),
            "Calendar windows are 1d, 1w, 1M, 1Q or 1Y; choose one of these.",
        )
        return None
    start = read_moment(calendar["startTime"])
    if start is not None and not _is_border(start, period):
        first = {Period.DAY: "midnight", Period.WEEK: "midnight before Monday"}
        where = first.get(period, f"midnight before the first day of the {period}")
        report.lose((*path, "calendar", "startTime"), f"A {period} begins at {where}.")
    return WindowDraft(period=period, timezone=calendar["timeZone"])


def _is_border(start: datetime, period: Period) -> bool:
    day_of_period = {
        Period.DAY: True,
        Period.WEEK: start.weekday() == 0,
        Period.MONTH: start.day == 1,
        Period.QUARTER: start.day == 1 and start.month % 3 == 1,
        Period.YEAR: start.day == 1 and start.month == 1,
    }
    return (start.hour, start.minute, start.second) == (0, 0, 0) and day_of_period[period]


def write_window(window: WindowDraft) -> dict[str, Any]:
    """Return a window as OpenSLO v1 writes it."""
    if window.period is None:
        return {"duration": f"{window.days}d", "isRolling": True}
    return {
        "duration": DURATION_OF[window.period],
        "isRolling": False,
        "calendar": {"startTime": ANCHOR, "timeZone": window.timezone},
    }
