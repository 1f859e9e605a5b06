"""The fields that senders fill in, their limits, and what is said when one is wrong."""

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from sre.slo_sli import METHODS, OTHER_METHOD

MAX_DURATION_MS = 86_400_000.0
MAX_AGE_S = 10.0 * 366 * 86_400
MAX_COUNT = 1_000_000_000
FUTURE_TOLERANCE = timedelta(minutes=5)

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Method = Annotated[str, Meta(max_length=40)]
Status = Annotated[int, Meta(ge=100, le=599)]
Duration = Annotated[float, Meta(ge=0, le=MAX_DURATION_MS)]
Age = Annotated[float, Meta(ge=0, le=MAX_AGE_S)]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Instant = Annotated[datetime, Meta(tz=True)]

S = TypeVar("S", bound=msgspec.Struct)
_AT = re.compile(r" - at `\$\.?(.*)`$")
_MISSING = re.compile(r"missing required field `(\w+)`")


class WrongField(ValueError):
    """A value that cannot be used; `field` says where it stood ("" for the element itself)."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True)
class Period:
    """The instants that are accepted, in seconds since 1970, and which of them is now."""

    earliest: float
    now: float
    latest: float

    @classmethod
    def until(cls, now: datetime, *, retention: timedelta) -> "Period":
        """Return what is accepted at `now`: not older than `retention`, barely in the future."""
        at = now.timestamp()
        return cls(at - retention.total_seconds(), at, at + FUTURE_TOLERANCE.total_seconds())

    def minute(self, given: datetime | float | None, field: str = "timestamp") -> int:
        """Return the minute number of a sender's timestamp; None means now.

        Raises:
            WrongField: If it is older than what is kept, or in the future.
        """
        if given is None:
            return int(self.now // 60)
        at = given.timestamp() if isinstance(given, datetime) else given
        if at > self.latest:
            raise WrongField(field, "Lies more than 5 minutes in the future (seconds since 1970).")
        if at < self.earliest:
            days = round((self.now - self.earliest) / 86_400)
            raise WrongField(field, f"Is older than the {days} days that are kept.")
        return int(at // 60)


def convert(element: Any, kind: type[S]) -> S:
    """Return one decoded JSON value as a struct.

    Raises:
        WrongField: Names the first field that is missing or has a wrong type or value.
    """
    if isinstance(element, dict):
        for name, value in element.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise WrongField(str(name)[:40], "Must be a finite number.")
    try:
        return msgspec.convert(element, kind)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from error


def wrong_field(error: msgspec.ValidationError) -> WrongField:
    """Return the decoder's complaint with the path it names."""
    text = str(error)
    at = _AT.search(text)
    path = at.group(1) if at else ""
    message = text[: at.start()] if at else text
    if missing := _MISSING.search(message):
        return WrongField(f"{path}.{missing.group(1)}".lstrip("."), "This field is required.")
    return WrongField(path, f"{message}.")


def printable(value: str, field: str) -> str:
    """Return `value` unless it holds control characters, line breaks or lone surrogates.

    Raises:
        WrongField: If it does.
    """
    if not value.isprintable():
        raise WrongField(field, "Must not hold control characters.")
    return value


def known_method(method: str) -> str:
    """Return the method in upper case; "OTHER" for one that HTTP doesn't define, "" for none."""
    upper = method.upper()
    return upper if upper in METHODS or not upper else OTHER_METHOD
