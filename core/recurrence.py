"""Repetitions by RFC 5545 rules on the wall clock of a zone: pure, for every app."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import dropwhile, islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

__all__ = ["MAX_OCCURRENCES", "parse_rule", "starts"]

# Also the most that COUNT may ask for: all of them are gone through.
MAX_OCCURRENCES = 20_000
_LONGEST_INTERVAL = 10_000
_DAY = timedelta(days=1)
# How long a repetition's step is, in time or in months.
_PERIODS = {"HOURLY": timedelta(hours=1), "DAILY": _DAY, "WEEKLY": 7 * _DAY}
_MONTHS = {"MONTHLY": 1, "YEARLY": 12}
# Every month has it, so that a step of months leads from it to a day that there is.
_SAFE_DAY = 28
# The calendar is the same again after 400 years. Of its last ones that Python knows at least 40 are
# left, in which whatever happens does; what never happens is soon known, as there is no more time.
_CALENDAR_YEARS = 400
_LATE = 9959
_TOO_FAR = "Begins outside of the years that a calendar knows."


def parse_rule(text: str, *, start: datetime, zone: str) -> rrule:
    """Return the rule as local wall clock times from `start` on.

    Raises:
        ValueError: In words for people, when it is no RRULE, repeats more often than hourly or too
            rarely, never comes, or begins outside of what a calendar knows.
    """
    try:
        local = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    except OverflowError as error:
        raise ValueError(_TOO_FAR) from error
    parsed = _parsed(text, local, zone)
    if parsed is None:
        raise ValueError("This never happens, such as a 30th of February.")
    return parsed


@lru_cache(maxsize=1024)
def _parsed(text: str, local: datetime, zone: str) -> rrule | None:
    """Return the rule, None where it never happens.

    Raises:
        ValueError: As `parse_rule`.
    """
    upper = text.upper()
    if any(word in upper for word in ("\n", "DTSTART", "RDATE", "EXDATE", "EXRULE", "RRULE:")):
        raise ValueError("Give the rule alone, e.g. FREQ=WEEKLY;BYDAY=SU.")
    parts = _parts(upper)
    often = "," in parts.get("BYMINUTE", "") + parts.get("BYSECOND", "")
    if often or parts.get("FREQ") in {"SECONDLY", "MINUTELY"}:
        raise ValueError("Repeat hourly at most.")
    _check_number(parts, "INTERVAL", _LONGEST_INTERVAL)
    _check_number(parts, "COUNT", MAX_OCCURRENCES)
    try:
        parsed = rrulestr(_local_until(text, zone), dtstart=local)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise ValueError(f"Is no RRULE: {error}.") from error
    assert isinstance(parsed, rrule)
    late = local.year + (_LATE - local.year) // _CALENDAR_YEARS * _CALENDAR_YEARS
    once = parsed.replace(dtstart=local.replace(year=late), until=None, count=1)
    return parsed if next(iter(once), None) is not None else None


def _check_number(parts: Mapping[str, str], name: str, most: int) -> None:
    given = parts.get(name, "1")
    # Long digits are not even read: Python refuses thousands of them, and takes its time for less.
    is_number = given.isascii() and given.isdigit() and len(given) <= 9
    if not (is_number and 1 <= int(given) <= most):
        raise ValueError(f"{name} is a whole number from 1 to {most}.")


def _parts(upper: str) -> dict[str, str]:
    named = (part.partition("=") for part in upper.split(";"))
    return {name.strip(): value.strip() for name, _, value in named}


def _local_until(text: str, zone: str) -> str:
    """Return the rule with its UNTIL as local time, a mere day with all of it: no time has a zone."""
    parts = []
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if name.strip().upper() == "UNTIL":
            value = _local_time(value.strip().upper(), zone)
        parts.append(f"{name}={value}" if value else name)
    return ";".join(parts)


def _local_time(said: str, zone: str) -> str:
    """Return the last moment that an UNTIL names."""
    if said.endswith("Z"):
        until = datetime.strptime(said, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return until.astimezone(ZoneInfo(zone)).strftime("%Y%m%dT%H%M%S")
    return said if "T" in said else f"{said}T235959"


def _near(
    parsed: rrule, rule: str, start: datetime, zone: str, first: datetime, *, is_watched: bool
) -> rrule:
    """Return a rule with a later start that the same occurrences follow: not all are gone through."""
    parts = _parts(rule.upper())
    # Whoever watches how long it takes does so while it is counted, too; and places within the week,
    # month or year are counted from the start in the first one.
    if "COUNT" in parts and (is_watched or "BYSETPOS" in parts):
        return parsed
    if "COUNT" in parts:
        month = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        at, passed = _counted(rule, start, zone, month)
        return parsed.replace(dtstart=at, count=int(parts["COUNT"]) - passed)
    return parsed.replace(dtstart=_nearer(parts, start, first))


@lru_cache(maxsize=1024)
def _counted(rule: str, start: datetime, zone: str, until: datetime) -> tuple[datetime, int]:
    """Return the last occurrence before a time, and how many come before that one.

    They are counted once a month, not at each look: a rule that is over costs as much as it ever had.
    """
    last, passed = start, 0
    for number, at in enumerate(_parsed(rule, start, zone) or ()):
        if at >= until:
            break
        last, passed = at, number
    return last, passed


def _nearer(parts: Mapping[str, str], start: datetime, first: datetime) -> datetime:
    """Return a later start of a rule without COUNT that the same occurrences follow."""
    if first <= start:
        return start
    interval, often = int(parts.get("INTERVAL", "1")), parts.get("FREQ", "")
    if often in _PERIODS:
        period = _PERIODS[often] * interval
        return start + max(0, (first - start) // period - 1) * period
    if often in _MONTHS and start.day <= _SAFE_DAY:
        step = _MONTHS[often] * interval
        passed = (first.year - start.year) * 12 + first.month - start.month
        month = start.year * 12 + start.month - 1 + max(0, passed // step - 1) * step
        return start.replace(year=month // 12, month=month % 12 + 1)
    return start


def _watched(times: Iterable[datetime], go_on: Callable[[], None] | None) -> Iterator[datetime]:
    for at in times:
        if go_on is not None:
            go_on()
        yield at


def starts(
    rule: str,
    start: datetime,
    zone: str,
    after: datetime,
    before: datetime,
    *,
    go_on: Callable[[], None] | None = None,
) -> Iterator[datetime]:
    """Yield the beginnings of occurrences within [after, before), oldest first.

    Args:
        rule: RRULE without DTSTART; empty for once.
        start: Beginning of the first occurrence.
        zone: IANA zone whose wall clock the rule follows.
        after: First instant that counts.
        before: First instant that no longer counts.
        go_on: Called for each occurrence that is gone through, those before `after` too; what it
            raises ends the search.

    Raises:
        ValueError: It is no rule that `parse_rule` takes, or leads outside of what a calendar knows.
    """
    if not rule:
        if after <= start < before:
            yield start
        return
    try:
        yield from _repeated(rule, start, zone, (after, before), go_on)
    except OverflowError as error:
        raise ValueError(_TOO_FAR) from error


def _repeated(
    rule: str,
    start: datetime,
    zone: str,
    within: tuple[datetime, datetime],
    go_on: Callable[[], None] | None,
) -> Iterator[datetime]:
    after, before = within
    local_zone = ZoneInfo(zone)
    # A day of slack on both sides: local and absolute order differ around changes of the clock.
    first = (after - _DAY).astimezone(local_zone).replace(tzinfo=None)
    last = (before + _DAY).astimezone(local_zone).replace(tzinfo=None)
    local_start = start.astimezone(local_zone).replace(tzinfo=None)
    parsed = _parsed(rule, local_start, zone)
    if parsed is None:
        return
    near = _near(parsed, rule, local_start, zone, first, is_watched=go_on is not None)
    later = dropwhile(lambda local: local < first, _watched(near, go_on))
    latest = None
    for local in islice(later, MAX_OCCURRENCES):
        if local > last:
            break
        found = local.replace(tzinfo=local_zone).astimezone(UTC)
        if found < start:
            # Of times that come twice the first counts, but not before the beginning.
            found = local.replace(tzinfo=local_zone, fold=1).astimezone(UTC)
        # What a change of the clock skips begins when something else may begin, too.
        if after <= found < before and found != latest:
            yield found
        latest = found
