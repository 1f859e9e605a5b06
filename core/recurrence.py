"""Repetitions by RFC 5545 rules on the wall clock of a zone: pure, for every app."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

__all__ = ["MAX_OCCURRENCES", "parse_rule", "starts"]

MAX_OCCURRENCES = 20_000
_DAY = timedelta(days=1)


def parse_rule(text: str, *, start: datetime, zone: str) -> rrule:
    """Return the rule as local wall clock times from `start` on.

    Raises:
        ValueError: In words for people, when it is no RRULE or repeats more often than hourly.
    """
    upper = text.upper()
    if any(word in upper for word in ("\n", "DTSTART", "RDATE", "EXDATE", "EXRULE", "RRULE:")):
        raise ValueError("Give the rule alone, e.g. FREQ=WEEKLY;BYDAY=SU.")
    if "SECONDLY" in upper or "MINUTELY" in upper:
        raise ValueError("Repeat hourly at most.")
    local = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    try:
        parsed = rrulestr(_local_until(text, zone), dtstart=local)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ValueError(f"Is no RRULE: {error}.") from error
    assert isinstance(parsed, rrule)
    return parsed


def _local_until(text: str, zone: str) -> str:
    """Return the rule with a UTC UNTIL as local time: its other times have no zone."""
    parts = []
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if name.strip().upper() == "UNTIL" and value.strip().upper().endswith("Z"):
            until = datetime.strptime(value.strip().upper(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            value = until.astimezone(ZoneInfo(zone)).strftime("%Y%m%dT%H%M%S")
        parts.append(f"{name}={value}" if value else name)
    return ";".join(parts)


def starts(
    rule: str, start: datetime, zone: str, after: datetime, before: datetime
) -> Iterator[datetime]:
    """Yield the beginnings of occurrences within [after, before), oldest first.

    Args:
        rule: RRULE without DTSTART; empty for once.
        start: Beginning of the first occurrence.
        zone: IANA zone whose wall clock the rule follows.
        after: First instant that counts.
        before: First instant that no longer counts.
    """
    if not rule:
        if after <= start < before:
            yield start
        return
    local_zone = ZoneInfo(zone)
    # A day of slack on both sides: local and absolute order differ around changes of the clock.
    first = (after - _DAY).astimezone(local_zone).replace(tzinfo=None)
    last = (before + _DAY).astimezone(local_zone).replace(tzinfo=None)
    parsed = parse_rule(rule, start=start, zone=zone)
    for local in parsed.xafter(first, count=MAX_OCCURRENCES, inc=True):
        if local > last:
            break
        found = local.replace(tzinfo=local_zone).astimezone(UTC)
        if after <= found < before:
            yield found
