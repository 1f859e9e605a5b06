"""Checks of what is recorded and asked for, and the errors they raise.

    SliError
    ├── InvalidValueError (ValueError)    an impossible value
    │   └── UndeclaredBoundError          a threshold that no count was kept for
    └── InvalidTypeError (TypeError)      something of the wrong type

Every error carries the name of the argument at fault in `field`.
"""

import operator
from bisect import bisect_left
from datetime import datetime

from sre.minute_table import SECONDS_PER_MINUTE

__all__ = [
    "MAX_NAME_LENGTH",
    "InvalidTypeError",
    "InvalidValueError",
    "SliError",
    "Timestamp",
    "UndeclaredBoundError",
    "ascending_bounds",
    "bucket_count",
    "checked_name",
    "checked_number",
    "checked_status",
    "instant_of",
    "minute_of",
    "minute_range",
]

Timestamp = datetime | float
"""An aware datetime, or seconds since the epoch."""

MAX_NAME_LENGTH = 200


class SliError(Exception):
    """Base of everything this module raises; `field` names the argument at fault."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class InvalidValueError(SliError, ValueError):
    """An argument of the right type with an impossible value."""


class UndeclaredBoundError(InvalidValueError):
    """A threshold for which no count was kept; the message names its neighbours."""


class InvalidTypeError(SliError, TypeError):
    """An argument of the wrong type."""


def ascending_bounds(field: str, bounds: set[float]) -> tuple[float, ...]:
    """Return the bounds in order, all above zero."""
    ascending = tuple(sorted(checked_number(field, bound) for bound in bounds))
    if not ascending or not ascending[0]:
        raise InvalidValueError(field, "needs at least one bound, all above zero")
    return ascending


def bucket_count(field: str, threshold: float, bounds: tuple[float, ...]) -> int:
    """Return how many buckets lie within `threshold`."""
    value = checked_number(field, threshold)
    position = bisect_left(bounds, value)
    if position < len(bounds) and bounds[position] == value:
        return position + 1
    nearest = " and ".join(f"{bound:g}" for bound in bounds[max(position - 1, 0) : position + 1])
    raise UndeclaredBoundError(
        field,
        f"{threshold:g} is not a declared bound, so no exact answer exists; "
        f"nearest: {nearest}. Declare it when the calculator is built.",
    )


def minute_range(start: datetime, end: datetime) -> tuple[int, int]:
    """Widen [start, end) to whole minutes (seconds since the epoch)."""
    for field, moment in (("start", start), ("end", end)):
        if not isinstance(moment, datetime):
            raise InvalidTypeError(field, f"expected a datetime, not {type(moment).__name__}")
    first, last = instant_of("start", start), instant_of("end", end)
    if last <= first:
        raise InvalidValueError("end", "must be after start")
    return minute_of(first), -minute_of(-last)


def minute_of(instant: float) -> int:
    """Return the start of the minute of `instant` (seconds since the epoch)."""
    return int(instant // SECONDS_PER_MINUTE) * SECONDS_PER_MINUTE


def instant_of(field: str, moment: Timestamp) -> float:
    """Return `moment` as seconds since the epoch; a naive datetime is refused."""
    if not isinstance(moment, datetime):
        return checked_number(field, moment)
    if moment.utcoffset() is None:
        raise InvalidValueError(field, "naive datetime; say which zone, e.g. datetime.now(UTC)")
    return checked_number(field, moment.timestamp())


def checked_number(field: str, value: float) -> float:
    """Return `value` as a float, finite and not negative."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = None
    if number is None or isinstance(value, str | bytes | bool):
        raise InvalidTypeError(field, f"expected a number, not {type(value).__name__}")
    if not 0 <= number < float("inf"):
        raise InvalidValueError(field, f"must be finite and not negative, not {value}")
    return number


def checked_status(value: int) -> int:
    """Return `value` as a plain int, if it is an HTTP status."""
    try:
        status = operator.index(value)
    except TypeError:
        raise InvalidTypeError(
            "status_code", f"expected an int, not {type(value).__name__}"
        ) from None
    if not 100 <= status <= 599:
        raise InvalidValueError("status_code", f"must lie in 100..599, not {status}")
    return status


def checked_name(field: str, value: str) -> str:
    """Return `value` if it is a usable name: text, not empty, not endless."""
    if not isinstance(value, str):
        raise InvalidTypeError(field, f"expected a str, not {type(value).__name__}")
    if not 0 < len(value) <= MAX_NAME_LENGTH:
        raise InvalidValueError(field, f"must have 1 to {MAX_NAME_LENGTH} characters")
    return str(value)
