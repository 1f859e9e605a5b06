"""The one shape into which exports of other tools are read, and what their readers share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core.reach import instant_from
from core.zones import zone_names
from oncall.domain.rotations import Restriction, Unit

__all__ = [
    "MISSHAPEN",
    "Export",
    "ImportedLayer",
    "ImportedOverride",
    "ImportedPerson",
    "ImportedPolicy",
    "ImportedRule",
    "ImportedSchedule",
    "ImportedSender",
    "ImportedStep",
    "ImportedTeam",
    "Lost",
    "Unreadable",
    "Way",
    "at_wall",
    "carried",
    "instant_of",
    "later",
    "listed",
    "rows",
    "rules_of",
    "turn_of",
    "zone_of",
]

DAY = timedelta(days=1)


class Unreadable(ValueError):
    """A document, or a part of it, that cannot be carried; the message says why."""


@dataclass(frozen=True)
class Way:
    """How somebody is reached: `kind` is email, sms, voice or slack."""

    kind: str
    address: str
    label: str = ""


@dataclass(frozen=True)
class ImportedRule:
    """When a way is used after somebody began to be called; `urgency` is high or low."""

    way: Way
    urgency: str
    after: timedelta


@dataclass(frozen=True)
class ImportedPerson:
    """A person of the other tool; `key` is its id there, rules name some of the ways."""

    key: str
    name: str
    email: str = ""
    username: str = ""
    zone: str = ""
    ways: tuple[Way, ...] = ()
    rules: tuple[ImportedRule, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportedLayer:
    """A rotation, higher ones stand above; `people` are keys, in turn."""

    name: str
    people: tuple[str, ...]
    first: date
    handover: time
    unit: Unit
    every: int
    restrictions: tuple[Restriction, ...] = ()
    until: datetime | None = None


@dataclass(frozen=True)
class ImportedSchedule:
    """A schedule; layers from the lowest up. `refused` says why it cannot be carried."""

    key: str
    name: str
    zone: str = "UTC"
    description: str = ""
    layers: tuple[ImportedLayer, ...] = ()
    lost: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True)
class ImportedOverride:
    """Somebody takes over; `person` None is nobody."""

    schedule: str
    person: str | None
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class ImportedTeam:
    """A team; `members` are keys of people. `refused` says why it cannot be carried."""

    key: str
    name: str
    description: str = ""
    members: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True)
class ImportedStep:
    """One level: `targets` are pairs of person, schedule or team and a key.

    `until_resolved` says that an acknowledgement does not stop it.
    """

    targets: tuple[tuple[str, str], ...]
    after: timedelta
    mode: str = "all"
    until_resolved: bool = False


@dataclass(frozen=True)
class ImportedPolicy:
    """Who is called in which order; `refused` says why it cannot be carried."""

    key: str
    name: str
    description: str = ""
    steps: tuple[ImportedStep, ...] = ()
    loops: int = 1
    repeat_after: timedelta = timedelta(minutes=15)
    lost: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True)
class ImportedSender:
    """What sends alerts with a key of its own.

    Args:
        name: What it is called.
        service: Name of what it alerts about.
        key: Id there of what it alerts about.
        kind: Of integration here, e.g. pagerduty.
        token: The key that it sends; "" where the export does not say.
        policy: Key of whom its alerts call.
        lost: What of it is not carried.
        refused: Why it cannot be carried.
    """

    name: str
    service: str
    key: str = ""
    kind: str = ""
    token: str = ""
    policy: str = ""
    lost: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True)
class Export:
    """All that an export holds."""

    people: tuple[ImportedPerson, ...] = ()
    schedules: tuple[ImportedSchedule, ...] = ()
    overrides: tuple[ImportedOverride, ...] = ()
    policies: tuple[ImportedPolicy, ...] = ()
    lost: tuple[str, ...] = ()
    senders: tuple[ImportedSender, ...] = ()
    teams: tuple[ImportedTeam, ...] = ()


@dataclass
class Lost:
    """Collects what is not carried, each sentence once."""

    found: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        """Say what is not carried."""
        if sentence not in self.found:
            self.found.append(sentence)

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)


def rows(document: Mapping[str, Any], *names: str) -> list[Mapping[str, Any]]:
    """Return the objects of a list, whatever wraps it: an answer of the API, or one a page."""
    given: Any = next((document[name] for name in names if document.get(name)), [])
    found: list[Mapping[str, Any]] = []
    for entry in given if isinstance(given, Sequence) and not isinstance(given, str) else [given]:
        if not isinstance(entry, Mapping):
            continue
        inner = next((entry[n] for n in ("data", "results", *names) if n in entry), entry)
        parts = inner if isinstance(inner, list) else [inner]
        found += [part for part in parts if isinstance(part, Mapping)]
    return found


def listed(document: Mapping[str, Any], name: str, how: str) -> list[Mapping[str, Any]]:
    """Return the objects of a list that must be there; an empty one is one.

    Args:
        document: That has the list.
        name: Of the list.
        how: By which request of the API it is had.

    Raises:
        Unreadable: It is missing or no list of objects.
    """
    given = document.get(name)
    if isinstance(given, Mapping):
        given = given.get("data")
    if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
        raise Unreadable(f"The file does not have its {name}: {how}")
    return given


def instant_of(text: object) -> datetime | None:
    """Return the instant that a text names; UTC where it names no offset, None where it is none."""
    return instant_from(text) if isinstance(text, str) else None


def zone_of(name: object) -> str:
    """Return the time zone of that name; UTC where none is given.

    Raises:
        Unreadable: There is none of that name: whoever is on call would be so at other hours.
    """
    if not name:
        return "UTC"
    if isinstance(name, str) and name in zone_names():
        return name
    raise Unreadable(
        f"Its time zone {name} is unknown, and its hours would be wrong: give it an IANA zone there,"
        " e.g. Europe/London."
    )


def at_wall(at: datetime, zone: str) -> tuple[date, time]:
    """Return day and time of an instant by the wall clock of a zone."""
    local = at.astimezone(ZoneInfo(zone))
    return local.date(), local.time().replace(microsecond=0)


def later(begins: time, length: timedelta) -> time:
    """Return the wall time so long after another, past midnight too."""
    return (datetime.combine(date(2000, 1, 1), begins, tzinfo=UTC) + length).time()


def turn_of(seconds: int) -> tuple[Unit, int]:
    """Return a turn's length as unit and number.

    Raises:
        Unreadable: It is not made of whole hours that divide a day, of days, or of weeks.
    """
    for unit, length in ((Unit.WEEKS, 7 * 86_400), (Unit.DAYS, 86_400), (Unit.HOURS, 3600)):
        number, rest = divmod(seconds, length)
        if number and not rest and (unit is not Unit.HOURS or 24 % number == 0):
            return unit, number
    raise Unreadable(f"A turn of {timedelta(seconds=seconds)} cannot be carried.")


def rules_of(
    read_one: Callable[[Mapping[str, Any]], Iterable[ImportedRule]],
    found: Iterable[Mapping[str, Any]],
    lost: Lost,
) -> tuple[ImportedRule, ...]:
    """Read notification rules; one that says nothing of use costs its person no more than that."""
    made: dict[ImportedRule, None] = {}
    for row in found:
        try:
            made |= dict.fromkeys(read_one(row))
        except MISSHAPEN:
            lost.add("A notification rule is not as expected: it is not carried.")
    return tuple(made)


# What reading rubbish with the grain of a good document raises.
MISSHAPEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


def _name_of(entry: Mapping[str, Any]) -> str:
    named = (entry.get(field) for field in ("name", "alias", "id"))
    return str(next(filter(None, named), "without a name"))[:100]


def carried(
    read_one: Callable[[Mapping[str, Any]], Any], entries: Sequence[Mapping[str, Any]]
) -> tuple[list[Any], list[str]]:
    """Read each entry; those that say nothing of use are named instead."""
    found, refused = [], []
    for entry in entries:
        try:
            found.append(read_one(entry))
        except Unreadable as error:
            refused.append(f"{_name_of(entry)}: {error}")
        except MISSHAPEN as error:
            refused.append(f"{_name_of(entry)}: it is not as expected ({error!r})")
    return found, refused
