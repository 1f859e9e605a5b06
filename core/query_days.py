"""Days that an address asks for."""

from collections.abc import Mapping
from datetime import date

from core.errors import InvalidInput

__all__ = ["FIRST", "LAST", "day_asked_for"]

# Calendars reach so far; a year beyond either end is still a date.
FIRST, LAST = date(2000, 1, 1), date(2099, 12, 31)


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
    if not FIRST <= found <= LAST:
        raise InvalidInput(f"Use a date from {FIRST} to {LAST}.", field=name)
    return found
