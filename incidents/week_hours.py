"""One hour of the week, as a cell of the heat map counts it: read from an address, said, looked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from core.errors import InvalidInput
from core.walltime import hours_of_week
from core.zones import zone_named, zone_names

__all__ = ["HOURS", "WEEKDAYS", "WEEK_HOUR", "WeekHour", "week_hour_from"]

WEEK_HOUR = ("weekday", "hour", "zone")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOURS = tuple(f"{hour:02}:00–{hour + 1:02}:00" for hour in range(24))


@dataclass(frozen=True)
class WeekHour:
    """An hour of the week.

    Args:
        weekday: 0 is Monday.
        hour: 0 to 23.
        zone: Name of the zone whose clocks show it.
    """

    weekday: int
    hour: int
    zone: str

    @property
    def words(self) -> str:
        """Which it is, for people."""
        return f"on {WEEKDAYS[self.weekday].capitalize()}s {HOURS[self.hour]} ({self.zone})"

    def condition(self, column: str, since: datetime, until: datetime) -> Q:
        """Return the condition that a column of instants lies in it, within a period."""
        spans = hours_of_week(self.weekday, self.hour, since, until, zone_named(self.zone))
        found = Q(pk__in=[])
        for begin, end in spans:
            found |= Q(**{f"{column}__gte": begin, f"{column}__lt": end})
        return found


def week_hour_from(query: Mapping[str, str], *, usual_zone: str) -> WeekHour | None:
    """Return the hour that `weekday` and `hour` ask for, in `zone`; None where neither is given.

    Args:
        query: The query parameters.
        usual_zone: Name of the zone unless one is given: the reader's.

    Raises:
        InvalidInput: One of them is missing, or there is no such weekday, hour or zone.
    """
    weekday, hour = query.get("weekday", "").strip(), query.get("hour", "").strip()
    if not weekday and not hour:
        return None
    if weekday not in WEEKDAYS:
        raise InvalidInput(f"Choose one of {', '.join(WEEKDAYS)}.", field="weekday")
    if hour not in map(str, range(24)):
        raise InvalidInput("Give an hour from 0 to 23.", field="hour")
    zone = query.get("zone", "").strip() or usual_zone
    if zone not in zone_names():
        raise InvalidInput("There is no such zone. Use one such as Europe/Berlin.", field="zone")
    return WeekHour(WEEKDAYS.index(weekday), int(hour), zone)
