"""Events of a calendar as overrides: who takes over when."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from heapq import nsmallest
from itertools import islice
from zoneinfo import ZoneInfo

from icalendar import Calendar, vDDDTypes

from oncall.domain.occurrences import Clock, Event, Occurrence, occurrences

__all__ = ["FoundOverride", "Unreadable", "overrides_in"]

MOST_EVENTS, MOST_OVERRIDES, MOST_REMARKS = 20_000, 500, 50
# What the library and rubbish make of each other.
_BROKEN = (ValueError, KeyError, TypeError, AttributeError, OverflowError)


class Unreadable(ValueError):
    """What came is no calendar."""


@dataclass(frozen=True)
class FoundOverride:
    """One occurrence of one event.

    Args:
        uid: Digest of the event's identity, of when it begins and of who is named.
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
    """Return the overrides that a calendar holds, soonest first, and what of it says nothing of use.

    Of two that begin together the longer one comes first, so that the other can stand above it.

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
    except _BROKEN as error:
        raise Unreadable(f"It is no calendar: {error}"[:300]) from error
    reading = _Reading(people, ZoneInfo(zone), after, before)
    found = nsmallest(MOST_OVERRIDES + 1, reading.overrides(events[:MOST_EVENTS]), key=_order)
    cuts = []
    if len(events) > MOST_EVENTS:
        cuts.append(f"It has {len(events)} events: only the first {MOST_EVENTS} are read.")
    if len(found) > MOST_OVERRIDES:
        last = found[MOST_OVERRIDES - 1].starts_at
        cuts.append(
            f"Only the {MOST_OVERRIDES} soonest overrides are taken over, which begin until "
            f"{last:%Y-%m-%d %H:%M} UTC: later ones follow as these end."
        )
    remarks = list(dict.fromkeys([*cuts, *reading.remarks]))
    return _each_once(found[:MOST_OVERRIDES]), remarks[:MOST_REMARKS]


def _order(found: FoundOverride) -> tuple[datetime, float, str]:
    return found.starts_at, -found.ends_at.timestamp(), found.uid


def _each_once(found: Sequence[FoundOverride]) -> list[FoundOverride]:
    """Leave out who is named twice for the same: the longer time, which comes first, holds."""
    once: dict[str, FoundOverride] = {}
    for each in found:
        once.setdefault(each.uid, each)
    return list(once.values())


@dataclass
class _Reading:
    """What is asked of a calendar, and what is to be said of it."""

    people: Mapping[str, int]
    zone: ZoneInfo
    after: datetime
    before: datetime
    remarks: list[str] = field(default_factory=list)

    def overrides(self, events: Sequence[Event]) -> Iterator[FoundOverride]:
        """Yield those of all events, in no order."""
        changed = _changed(events)
        for event in events:
            if str(event.get("status") or "").upper() == "CANCELLED":
                continue
            try:
                yield from self._of(event, changed.get(_uid(event), ()))
            except _BROKEN as error:
                self._remark(event, str(error))

    def _of(self, event: Event, changed: Sequence[Event]) -> Iterator[FoundOverride]:
        held = self._occurrences(event, changed)
        if not held:
            return
        self._remark_on_time(event)
        person, has_declined = _person(event, self.people)
        if person is not None:
            for each in held:
                uid = _digest(event, each, person)
                yield FoundOverride(uid, person, each.starts_at, each.ends_at)
        elif has_declined:
            self._remark(event, "who is named has declined.")
        else:
            self._remark(event, "names nobody who is known here.")

    def _occurrences(self, event: Event, changed: Sequence[Event]) -> list[Occurrence]:
        """Return when an event takes place, but for what other events of the calendar changed."""
        every = occurrences(event, self.zone, self.after, self.before)
        if changed and "recurrence-id" not in event:
            clock = Clock(event, self.zone)
            gone = {clock.at(each["recurrence-id"].dt) for each in changed}
            every = (each for each in every if each.at not in gone)
        # No event needs more, since together they do not.
        return list(islice(every, MOST_OVERRIDES + 1))

    def _remark_on_time(self, event: Event) -> None:
        for name in ("dtstart", "dtend"):
            value = event.get(name)
            zone = value.params.get("TZID") if value is not None else None
            if zone and getattr(value.dt, "tzinfo", None) is None:
                self.remarks.append(
                    f"The time zone {zone} is not known: its times are read by the clock of {self.zone}."
                )
        if "recurrence-id" in event and event["recurrence-id"].params.get("RANGE"):
            self._remark(event, "changes later ones too, of which only the first is changed here.")

    def _remark(self, event: Event, said: str) -> None:
        title = str(event.get("summary") or "An event without a title")[:100]
        self.remarks.append(f"{title}: {said}"[:300])


def _changed(events: Sequence[Event]) -> dict[str, list[Event]]:
    """Return by UID the events that stand for single occurrences of others, moved or cancelled."""
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        of = event.get("recurrence-id")
        if isinstance(of, vDDDTypes) and isinstance(of.dt, date) and _uid(event):
            found[_uid(event)].append(event)
    return found


def _person(event: Event, people: Mapping[str, int]) -> tuple[int | None, bool]:
    """Return who is named: an attendee's address, else a name in the title; and who has declined.

    Nobody is who declined, whatever the title says.
    """
    given = event.get("attendee") or []
    attendees = given if isinstance(given, list) else [given]
    invited = [(each, people.get(str(each).lower().removeprefix("mailto:"))) for each in attendees]
    declined = {person for each, person in invited if _has_declined(each)}
    title = str(event.get("summary") or "").strip().lower()
    words = title.replace(",", " ").replace(":", " ").replace("(", " ").replace(")", " ").split()
    named = [person for _, person in invited] + [people.get(name) for name in (title, *words)]
    known = [person for person in named if person is not None]
    return next((person for person in known if person not in declined), None), bool(known)


def _has_declined(attendee: Event) -> bool:
    params = getattr(attendee, "params", {})
    return str(params.get("PARTSTAT", "")).upper() == "DECLINED"


def _uid(event: Event) -> str:
    return str(event.get("uid") or "")


def _digest(event: Event, occurrence: Occurrence, person: int) -> str:
    identity = f"{_uid(event)}/{occurrence.starts_at.isoformat()}/{person}"
    return hashlib.sha256(identity.encode()).hexdigest()
