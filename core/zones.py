"""Names of time zones, and the one in which a person reads times."""

from datetime import UTC, tzinfo
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones


@cache
def zone_names() -> frozenset[str]:
    """Return the names of all IANA zones; they are files, which are looked for once."""
    # Often a file among them: whatever the machine's own zone is, which is no place.
    return frozenset(available_timezones() - {"localtime"})


def zone_of(user: Any) -> tzinfo:
    """Return the zone a person has chosen, UTC for the signed-out and for unknown names."""
    return zone_named(getattr(user, "timezone", ""))


@lru_cache(maxsize=128)
def zone_named(name: str) -> tzinfo:
    """Return the zone of that name, UTC where there is none."""
    try:
        return UTC if name in {"", "UTC"} else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
