"""Round places for grid lines, and how values are written beside them."""

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_TIME_STEPS_S = (
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3600 * hours for hours in (1, 2, 3, 6, 12)),
    *(86_400 * days for days in (1, 2, 7, 14)),
)
_MONTH_STEPS = (1, 2, 3, 6, 12)
_DAY_S = 86_400
_MONTH_S = 30.44 * _DAY_S


def nice_step(span: float, count: int) -> float:
    """Return the smallest of 1, 2, 2.5, 5 × 10ⁿ that cuts `span` into at most `count` parts."""
    if not (math.isfinite(span) and span > 0):
        return 1.0
    raw = span / max(count, 1)
    magnitude = 10.0 ** math.floor(math.log10(raw))
    return next(step * magnitude for step in _STEPS if step * magnitude >= raw * (1 - 1e-9))


def nice_range(
    low: float, high: float, count: int, *, keep_low: bool, keep_high: bool
) -> tuple[float, float, list[float]]:
    """Return (bottom, top, grid values) around `low` … `high`.

    Args:
        low: Lowest value to show.
        high: Highest value to show.
        count: About how many parts.
        keep_low: Leave the bottom at `low` instead of rounding it down.
        keep_high: Leave the top at `high` instead of rounding it up.
    """
    size = max(abs(low), abs(high))
    if high - low <= max(size * 1e-9, 1e-9):
        high = low + max(size * 0.1, 1e-6) if size else low + 1.0
    step = nice_step(high - low, count)
    bottom = low if keep_low else math.floor(low / step + 1e-9) * step
    top = high if keep_high else math.ceil(high / step - 1e-9) * step
    first = math.ceil(bottom / step - 1e-9)
    last = math.floor(top / step + 1e-9)
    return bottom, top, [round(index * step, 12) + 0.0 for index in range(first, last + 1)]


def decimals(step: float) -> int:
    """Return how many decimals tell multiples of `step` apart: 2.5 → 1, 0.001 → 3, 50 → 0."""
    for digits in range(10):
        if math.isclose(round(step, digits), step, rel_tol=1e-6):
            return digits
    return 10


def written(value: float | None, unit: str, digits: int | None = None) -> str:
    """Return a value with its unit, in at most 4 significant digits: `214 ms`, `99.94 %`."""
    if value is None or not math.isfinite(value):
        return "no data"
    shown = value * 100 if unit == "%" else value
    if digits is None:
        size = math.floor(math.log10(abs(shown))) if shown else 0
        digits = min(max(3 - size, 0), 6)
        text = f"{shown:,.{digits}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{shown:,.{digits}f}"
    text = text.replace("-", "−") if text.strip("-0.,") else text.lstrip("-")
    return f"{text} {unit}".strip()


def time_ticks(
    start: datetime, end: datetime, count: int = 7, tz: tzinfo = UTC
) -> list[tuple[datetime, str]]:
    """Return (instant, label) at round wall-clock times of `tz` within `start` … `end`.

    Within a day labels are `14:30`, with the date at midnight; over days `23 Nov`; over months
    `Nov`, with the year in January. Instants rise strictly, across clock changes too.
    """
    seconds = (end - start).total_seconds()
    if seconds <= 0:
        return []
    raw = seconds / max(count, 1)
    if raw > _TIME_STEPS_S[-1]:
        return _kept(_months(start, end, raw, tz), start, end)
    step = next(candidate for candidate in _TIME_STEPS_S if candidate >= raw)
    if step >= _DAY_S:
        return _kept(_days(start, end, step // _DAY_S, tz), start, end)
    return _kept(_wall_times(start, end, step, tz), start, end)


def day_label(day: date) -> str:
    """Return `23 Nov`."""
    return f"{day.day} {day:%b}"


def _kept(
    candidates: Iterator[tuple[datetime, str]], start: datetime, end: datetime
) -> list[tuple[datetime, str]]:
    kept: list[tuple[datetime, str]] = []
    for at, label in candidates:
        if start <= at <= end and (not kept or at > kept[-1][0]):
            kept.append((at, label))
    return kept


def _dates(start: datetime, end: datetime, tz: tzinfo) -> Iterator[date]:
    day = start.astimezone(tz).date()
    last = end.astimezone(tz).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def _midnight(day: date, tz: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=tz)


def _wall_times(
    start: datetime, end: datetime, step: int, tz: tzinfo
) -> Iterator[tuple[datetime, str]]:
    for day in _dates(start, end, tz):
        for offset in range(0, _DAY_S, step):
            wall = _midnight(day, tz) + timedelta(seconds=offset)
            at = wall.astimezone(UTC)
            if at.astimezone(tz).replace(tzinfo=None) != wall.replace(tzinfo=None):
                continue  # a time the clock change skips
            yield at, f"{wall:%H:%M}" if offset else day_label(day)


def _days(start: datetime, end: datetime, step: int, tz: tzinfo) -> Iterator[tuple[datetime, str]]:
    for day in _dates(start, end, tz):
        if day.toordinal() % step == (1 if step % 7 == 0 else 0):  # weeks start on Mondays
            yield _midnight(day, tz).astimezone(UTC), day_label(day)


def _months(
    start: datetime, end: datetime, raw_s: float, tz: tzinfo
) -> Iterator[tuple[datetime, str]]:
    wanted = raw_s / _MONTH_S
    step = next(
        (months for months in _MONTH_STEPS if months >= wanted), math.ceil(wanted / 12) * 12
    )
    first = start.astimezone(tz).date()
    index = first.year * 12 + first.month - 1
    last = end.astimezone(tz).date()
    while index <= last.year * 12 + last.month - 1:
        if index % step == 0:
            day = date(index // 12, index % 12 + 1, 1)
            label = f"{day:%b}" if day.month > 1 else str(day.year)
            yield _midnight(day, tz).astimezone(UTC), label
        index += 1
