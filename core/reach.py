"""How far calendars reach: beyond it, a week more is no date that Python knows."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

from core.errors import InvalidInput

__all__ = ["BEYOND", "FIRST", "LAST", "day_asked_for", "instant_from", "is_within_reach"]

FIRST, LAST = date(2000, 1, 1), date(2099, 12, 31)
BEYOND = f"Use a date from {FIRST} to {LAST}."


def is_within_reach(at: date | datetime) -> bool:
    """Return whether a day, or an instant in its own zone, is one that calendars reach."""
    return FIRST.year <= at.year <= LAST.year


def instant_from(text: str) -> datetime | None:
    """Return the instant that a text names, in UTC, which is also meant where it names no offset.

    None where it is no instant. In UTC, as databases refuse offsets that Python takes.
    """
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def day_asked_for(query: Mapping[str, str], name: str) -> date | None:
    """Return the day that a query parameter names, None where it is not given.

    Raises:
        InvalidInput: It is no date, or out of reach.
    """
    asked = query.get(name)
    if not asked:
        return None
    try:
        found = date.fromisoformat(asked)
    except ValueError as error:
        raise InvalidInput("Use a date such as 2026-12-24.", field=name) from error
    if not is_within_reach(found):
        raise InvalidInput(BEYOND, field=name)
    return found
