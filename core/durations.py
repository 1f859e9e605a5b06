"""Lengths of time as people write them: `15 min`, `1 h 30 min`, `2d`; a bare number is minutes."""

import re
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_duration

__all__ = ["DurationField", "TooLong", "read_duration", "written"]

_UNITS = {"d": 86_400, "h": 3600, "m": 60, "min": 60, "s": 1}
_PART = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(d|h|min|m|s)", re.ASCII)
_LONGEST = timedelta(days=366)


class TooLong(ValueError):
    """A length of time, but longer than any that is kept; the message says the longest."""


def read_duration(text: str) -> timedelta:
    """Return what somebody wrote.

    Args:
        text: Units d, h, min (or m) and s after each other; a bare number is minutes. What Django
            and ISO 8601 write is read too: 00:15:00, PT15M.

    Raises:
        TooLong: It is longer than a year.
        ValueError: It is none.
    """
    said = " ".join(text.lower().split())
    parts = [(match[1], match[2]) for match in _PART.finditer(said)]
    if said.isascii() and said.isdigit() and len(said) <= 6:
        found: timedelta | None = timedelta(minutes=int(said))
    elif parts and not _PART.sub("", said).strip():
        found = timedelta(seconds=sum(float(count) * _UNITS[unit] for count, unit in parts))
    else:
        found = parse_duration(text.strip()) if ":" in said or said.startswith("p") else None
    if found is not None and found > _LONGEST:
        raise TooLong(f"At most {_LONGEST.days} d.")
    if found is None or found < timedelta():
        raise ValueError("a length of time is written like 15 min, 1 h 30 min or 2 d")
    return found


def written(length: timedelta) -> str:
    """Return a length as `read_duration` reads it, in as few units as say it exactly."""
    rest, parts = round(length.total_seconds()), []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 min"


class DurationField(forms.CharField):
    """A length of time that people write and read: `15 min`, `1 h 30 min`, `2 d`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 40, **options})

    def prepare_value(self, value: Any) -> Any:
        """Show a length as it is written."""
        return written(value) if isinstance(value, timedelta) else value

    def clean(self, value: Any) -> timedelta | None:
        """Return the length, None where nothing was written.

        Raises:
            ValidationError: It is none.
        """
        said = super().clean(value)
        if not said:
            return None
        try:
            return read_duration(said)
        except TooLong as error:
            raise ValidationError(str(error)) from error
        except ValueError as error:
            raise ValidationError("Write it like 15 min, 1 h 30 min or 2 d.") from error
