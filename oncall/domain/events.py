"""Events of a calendar as overrides: who takes over when."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from heapq import nsmallest
from itertools import islice
from zoneinfo import ZoneInfo

from icalendar import vDDDTypes

from oncall.domain.event_zones import read_with_own_zones
from oncall.domain.occurrences import Clock, Event, Occurrence, occurrences

__all__ = ["FoundOverride", "Known", "Unreadable", "overrides_in"]

MOST_EVENTS, MOST_LINES = 10_000, 100_000
MOST_OVERRIDES, MOST_REMARKS = 500, 50
# What the library and rubbish make of each other.
_BROKEN = (ValueError, KeyError, TypeError, AttributeError, OverflowError)


class Unreadable(Exception):
    """What came is no calendar, or one that is too much to read."""


@dataclass(frozen=True)
class Known:
    """By what a calendar may name people, all in lower case.

    Args:
        addresses: Email addresses → keys; attendees are known by nothing else.
        names: What a title may say → keys.
        shared: What names nobody, as several are called so.
    """

    addresses: Mapping[str, int]
    names: Mapping[str, int]
    shared: Collection[str] = frozenset()


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
    body: bytes,
    known: Known,
    *,
    zone: str,
    after: datetime,
    before: datetime,
    has_time: Callable[[], bool] = lambda: True,
) -> tuple[list[FoundOverride], list[str]]:
    """Return the overrides that a calendar holds, soonest first, and what of it says nothing of use.

    Of two that begin together the longer one comes first, so that the other can stand above it.

    Args:
        body: An iCalendar document; calendars after each other are read as one.
        known: Who can be named.
        zone: In which times without a zone are read.
        after: What ends before is left out.
        before: What begins later is left out.
        has_time: Asked between events and their repetitions: whether reading may go on.

    Raises:
        Unreadable: It is no calendar, or too much to read.
    """
    events = _valid(_events(body))
    reading = _Reading(known, ZoneInfo(zone), after, before, has_time)
    found = nsmallest(MOST_OVERRIDES + 1, reading.overrides(events), key=_order)
    cuts = []
    if len(found) > MOST_OVERRIDES:
        last = found[MOST_OVERRIDES - 1].starts_at
        cuts.append(
            f"Only the {MOST_OVERRIDES} soonest overrides are taken over, which begin until "
            f"{last:%Y-%m-%d %H:%M} UTC: later ones follow as these end."
        )
    remarks = list(dict.fromkeys([*cuts, *reading.remarks]))
    return _each_once(found[:MOST_OVERRIDES]), remarks[:MOST_REMARKS]


def _events(body: bytes) -> list[Event]:
    """Return the events of a document; those that a calendar calls off are marked so.

    Raises:
        Unreadable: It is no calendar, or a larger one than is read at once.
    """
    lines, count = body.count(b"\n"), body.upper().count(b"BEGIN:VEVENT")
    if lines > MOST_LINES or count > MOST_EVENTS:
        raise Unreadable(
            f"It has {count} events on {lines} lines, and up to {MOST_EVENTS} on {MOST_LINES} are"
            " read: have it hold less of what is over."
        )
    found: list[Event] = []
    try:
        calendars = read_with_own_zones(body)
        for calendar in calendars:
            own = calendar.walk("VEVENT")
            if str(calendar.get("method") or "").upper() == "CANCEL":
                for event in own:
                    event["status"] = "CANCELLED"
            found += own
    except _BROKEN as error:
        raise Unreadable(f"It is no calendar: {error}"[:300]) from error
    if not calendars:
        raise Unreadable("It is no calendar.")
    return found


def _valid(events: Sequence[Event]) -> list[Event]:
    """Return the events without those of which there is a later version, by SEQUENCE."""
    latest: dict[tuple[str, str], int] = {}
    for event in events:
        if _uid(event):
            latest[_identity(event)] = max(_version(event), latest.get(_identity(event), 0))
    gone = {
        _uid(event)
        for event in events
        if _is_cancelled(event)
        and "recurrence-id" not in event
        and _version(event) == latest.get(_identity(event))
    }
    return [
        event
        for event in events
        if not _uid(event)
        or (_version(event) == latest[_identity(event)] and _uid(event) not in gone)
    ]


def _identity(event: Event) -> tuple[str, str]:
    of = event.get("recurrence-id")
    return _uid(event), str(of.dt) if isinstance(of, vDDDTypes) else ""


def _version(event: Event) -> int:
    given = event.get("sequence")
    return max(0, given) if isinstance(given, int) else 0


def _is_cancelled(event: Event) -> bool:
    return str(event.get("status") or "").upper() == "CANCELLED"


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

    known: Known
    zone: ZoneInfo
    after: datetime
    before: datetime
    has_time: Callable[[], bool]
    remarks: list[str] = field(default_factory=list)

    def overrides(self, events: Sequence[Event]) -> Iterator[FoundOverride]:
        """Yield those of all events, in no order."""
        changed = _changed(events)
        for event in events:
            self._go_on()
            if _is_cancelled(event):
                continue
            try:
                yield from self._of(event, changed.get(_uid(event), ()))
            except _BROKEN as error:
                self._remark(event, str(error))

    def _go_on(self) -> None:
        """Raise `Unreadable` where there is no time left."""
        if not self.has_time():
            raise Unreadable(
                "Reading it takes too long, so nothing of it was taken over: have it hold fewer"
                " events, and rules that repeat less often."
            )

    def _of(self, event: Event, changed: Sequence[Event]) -> Iterator[FoundOverride]:
        held = self._occurrences(event, changed)
        if not held:
            return
        self._remark_on_time(event)
        person = _person(event, self.known)
        if isinstance(person, str):
            self._remark(event, person)
            return
        for each in held:
            uid = _digest(event, each, person)
            yield FoundOverride(uid, person, each.starts_at, each.ends_at)

    def _occurrences(self, event: Event, changed: Sequence[Event]) -> list[Occurrence]:
        """Return when an event takes place, but for what other events of the calendar changed."""
        every: Iterable[Occurrence] = occurrences(
            event, self.zone, self.after, self.before, go_on=self._go_on
        )
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


def _person(event: Event, known: Known) -> int | str:
    """Return who is named: by an attendee's address, else by the title; or why nobody is.

    Nobody is who declined, whatever the title says.
    """
    given = event.get("attendee") or []
    attendees = given if isinstance(given, list) else [given]
    invited = [(each, known.addresses.get(_address(each))) for each in attendees]
    declined = {person for each, person in invited if _has_declined(each)}
    title = str(event.get("summary") or "").strip().lower()
    words = title.replace(",", " ").replace(":", " ").replace("(", " ").replace(")", " ").split()
    said = [title] if title in known.shared else [title, *words]
    named = [person for _, person in invited] + [known.names.get(name) for name in said]
    found = [person for person in named if person is not None]
    if chosen := [person for person in found if person not in declined]:
        return chosen[0]
    if found:
        return "who is named has declined."
    if shared := next((name for name in said if name in known.shared), None):
        return f"several people are called {shared}; write an email address or a user name."
    return "names nobody who is known here."


def _address(attendee: Event) -> str:
    return str(attendee).lower().removeprefix("mailto:")


def _has_declined(attendee: Event) -> bool:
    params = getattr(attendee, "params", {})
    return str(params.get("PARTSTAT", "")).upper() == "DECLINED"


def _uid(event: Event) -> str:
    return str(event.get("uid") or "")


def _digest(event: Event, occurrence: Occurrence, person: int) -> str:
    identity = f"{_uid(event)}/{occurrence.starts_at.isoformat()}/{person}"
    return hashlib.sha256(identity.encode()).hexdigest()
