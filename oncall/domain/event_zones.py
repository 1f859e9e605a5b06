"""Calendars with the time zones that they define themselves, and no others' of the same name.

The library keeps for the whole process each zone that a calendar defined, by its name: "Customized
Time Zone", as Outlook calls them, would be the one of whichever calendar was read first.
"""

from datetime import tzinfo
from threading import Lock

from icalendar import Calendar
from icalendar.timezone import tzp
from icalendar.timezone.zoneinfo import ZONEINFO

__all__ = ["read_with_own_zones"]

_reading = Lock()


class _Zones(ZONEINFO):
    """The zones of IANA; a name that is a folder of them, or longer than a file's, is none of them."""

    def timezone(self, name: str) -> tzinfo | None:
        """Return a zone by its name, None where there is none."""
        try:
            return super().timezone(name)
        except OSError:
            return None


def read_with_own_zones(body: bytes) -> list[Calendar]:
    """Return the calendars of a document; their times are in the zones that it defines.

    Raises:
        ValueError: It is none, or one of the others that the library makes of rubbish.
    """
    with _reading:
        tzp.use(_Zones())
        try:
            calendars = Calendar.from_ical(body, multiple=True)
            if _defines_zones_late(body):
                # They are known by now.
                calendars = Calendar.from_ical(body, multiple=True)
        finally:
            tzp.use(_Zones())
    return calendars


def _defines_zones_late(body: bytes) -> bool:
    """Return whether a zone comes after an event, which may be in it."""
    upper = body.upper()
    return -1 < upper.find(b"BEGIN:VEVENT") < upper.rfind(b"BEGIN:VTIMEZONE")
