"""Events of a calendar as overrides: who takes over when."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar

from core.recurrence import starts

__all__ = ["FoundOverride", "Unreadable", "overrides_in"]

MOST_EVENTS, MOST_OVERRIDES = 5_000, 500
_DAY = timedelta(days=1)
# What a value of an event can be is wider in the library's types than in any calendar.
Event = Any


class Unreadable(ValueError):
    """What came is no calendar."""


@dataclass(frozen=True)
class FoundOverride:
    """One occurrence of one event.

    Args:
        uid: Digest of the event's identity and of when it begins.
        person: Key of whoever is named.
        starts_at: When.
        ends_at: Until when.
    """

    uid: str
    person: int
    starts_at: datetime
    ends_at: datetime


def overrides_in(
    body: bytes, people: Mapping[str, int], *, zone: str, after: datetime, before: datetime
) -> tuple[list[FoundOverride], list[str]]:
    """Return the overrides that a calendar holds, and what of it says nothing of use.

    Args:
        body: An iCalendar document.
        people: Email addresses, user names and full names, in lower case → keys.
        zone: In which times without a zone are read.
        after: What ends before is left out.
        before: What begins later is left out.

    Raises:
        Unreadable: It is no calendar.
    """
    try:
        events = Calendar.from_ical(body).walk("VEVENT")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Unreadable(f"It is no calendar: {error}"[:300]) from error
    found: list[FoundOverride] = []
    remarks: list[str] = []
    for event in events[:MOST_EVENTS]:
        title = str(event.get("summary") or "An event without a title")[:100]
        person = _person(event, people)
        if str(event.get("status") or "").upper() == "CANCELLED":
            continue
        if person is None:
            remarks.append(f"{title}: names nobody who is known here.")
            continue
        try:
            for starts_at, ends_at in _spans(event, zone, after, before):
                found.append(FoundOverride(_uid(event, starts_at), person, starts_at, ends_at))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            remarks.append(f"{title}: {error}"[:300])
    return found[:MOST_OVERRIDES], remarks[:50]


def _person(event: Event, people: Mapping[str, int]) -> int | None:
    """Return who is named: an attendee's address, else a name in the title."""
    given = event.get("attendee") or []
    attendees: Sequence[Any] = given if isinstance(given, list) else [given]
    for attendee in attendees:
        address = str(attendee).lower().removeprefix("mailto:")
        if address in people:
            return people[address]
    title = str(event.get("summary") or "").strip().lower()
    if title in people:
        return people[title]
    words = title.replace(",", " ").replace(":", " ").replace("(", " ").replace(")", " ").split()
    return next((people[word] for word in words if word in people), None)


def _spans(
    event: Event, zone: str, after: datetime, before: datetime
) -> Iterator[tuple[datetime, datetime]]:
    begins = _instant(event["dtstart"].dt, zone)
    length = _length(event, begins, zone)
    rule = event.get("rrule")
    left_out = {_instant(each.dt, zone) for each in _exdates(event)}
    text = rule.to_ical().decode() if rule is not None else ""
    for at in starts(text, begins, zone, after - length, before):
        if at not in left_out and at + length > after:
            yield at, at + length


def _exdates(event: Event) -> list[Any]:
    given = event.get("exdate") or []
    lists = given if isinstance(given, list) else [given]
    return [each for dates in lists for each in dates.dts]


def _length(event: Event, begins: datetime, zone: str) -> timedelta:
    if event.get("dtend") is not None:
        length = _instant(event["dtend"].dt, zone) - begins
    elif event.get("duration") is not None:
        length = event["duration"].dt
    else:
        length = _DAY if type(event["dtstart"].dt) is date else timedelta()
    if not timedelta() < length <= 366 * _DAY:
        raise ValueError("it does not end after it begins, within a year")
    return length


def _instant(at: date | datetime, zone: str) -> datetime:
    """Return an instant; a day begins at midnight, a time without a zone is of the schedule's."""
    if not isinstance(at, datetime):
        at = datetime.combine(at, time(), tzinfo=ZoneInfo(zone))
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(zone))
    return at.astimezone(UTC)


def _uid(event: Event, starts_at: datetime) -> str:
    identity = f"{event.get('uid')}/{starts_at.isoformat()}"
    return hashlib.sha256(identity.encode()).hexdigest()
