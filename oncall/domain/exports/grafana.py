"""Grafana OnCall: objects as its public API lists them.

Keys: `users`, `schedules`, `on_call_shifts`, `escalation_chains`, `escalation_policies` (the steps of
chains) and `personal_notification_rules`. Shifts of a higher level stand above those of a lower one,
those of one level are on call side by side, and each may call several people at once: then the
schedule becomes several, a place each.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from core.walltime import instant
from oncall.domain.exports import senders
from oncall.domain.exports.documents import (
    Export,
    ImportedLayer,
    ImportedOverride,
    ImportedPerson,
    ImportedPolicy,
    ImportedRule,
    ImportedSchedule,
    ImportedStep,
    Lost,
    Unreadable,
    Way,
    at_wall,
    carried,
    instant_of,
    later,
    rows,
    rules_of,
    zone_of,
)
from oncall.domain.exports.places import Rotation, places
from oncall.domain.exports.teams import teams_of_people
from oncall.domain.exports.turning import LENGTHS, from_turn, turn_at
from oncall.domain.rotations import EVERY_DAY, Restriction, Unit

__all__ = ["read"]

Row = Mapping[str, Any]
DAY = timedelta(days=1)
MOST_AT_ONCE = 50
# How often OnCall begins anew after the first time.
REPEATS = 5
# Clocks that show the same on each of these days are one.
_SAME_SINCE, _SAME_DAYS = datetime(2020, 1, 1, 12, tzinfo=UTC), 20 * 366
_DAYS = {"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}
_UNITS = {"hourly": Unit.HOURS, "daily": Unit.DAYS, "weekly": Unit.WEEKS}
_OFFSET = re.compile(r"[T ].*(Z|[+-]\d\d(:?\d\d)?)$")
_ONCE = {"single_event", "override"}
_PEOPLE = {
    "notify_persons": ("persons_to_notify", "all"),
    "notify_person_next_each_time": ("persons_to_notify_next_each_time", "round_robin"),
}


def read(document: Row) -> Export:
    """Read an export."""
    personal: dict[str, list[Row]] = defaultdict(list)
    for row in rows(document, "personal_notification_rules"):
        personal[str(row.get("user_id"))].append(row)
    people, lost_people = carried(
        lambda row: _person(row, personal[str(row.get("id"))]), rows(document, "users")
    )
    shifts = {str(row.get("id")): row for row in rows(document, "on_call_shifts", "shifts")}
    schedules, lost_schedules = carried(
        lambda row: _schedules(row, shifts), rows(document, "schedules")
    )
    parts = {each[0].key: [part.key for part in each] for each in schedules}
    overrides, lost_overrides = _overrides(rows(document, "schedules"), shifts, parts)
    steps: dict[str, list[Row]] = defaultdict(list)
    for row in rows(document, "escalation_policies"):
        steps[str(row.get("escalation_chain_id"))].append(row)
    policies, lost_policies = carried(
        lambda row: _policy(row, steps[str(row["id"])], parts), rows(document, "escalation_chains")
    )
    return Export(
        tuple(people),
        tuple(part for each in schedules for part in each),
        tuple(override for each in overrides for override in each),
        tuple(policies),
        (*lost_people, *lost_schedules, *lost_overrides, *lost_policies),
        tuple(senders.of_grafana(document)),
        tuple(teams_of_people(document)),
    )


def _person(row: Row, personal: Sequence[Row]) -> ImportedPerson:
    email, username = str(row.get("email") or ""), str(row.get("username") or "")
    lost = Lost()
    rules = rules_of(lambda each: _rules(each, personal, lost), [row], lost)
    return ImportedPerson(
        str(row["id"]), str(row.get("name") or username or email), email, username,
        zone=str(row.get("timezone") or ""),
        ways=tuple(dict.fromkeys(rule.way for rule in rules)), rules=rules, lost=tuple(lost),
    )  # fmt: skip


def _rules(row: Row, personal: Sequence[Row], lost: Lost) -> list[ImportedRule]:
    """Return when a person is called by what.

    "Important" is high urgency here, and the default rules are low; without important ones they are
    both. The export names no telephone numbers.
    """
    slack = next((one.get("user_id") for one in rows(row, "slack") if one.get("user_id")), None)
    addresses = {"email": row.get("email"), "slack": slack}
    has_important = any(rule.get("important") for rule in personal)
    made: list[ImportedRule] = []
    for important in (True, False):
        urgencies = ("high",) if important else ("low",) if has_important else ("high", "low")
        after = timedelta()
        own = [rule for rule in personal if bool(rule.get("important")) is important]
        for rule in sorted(own, key=lambda rule: int(rule.get("position") or 0)):
            kind = str(rule.get("type") or "").removeprefix("notify_by_")
            if kind == "wait":
                after += timedelta(seconds=float(rule.get("duration") or 0))
            elif address := addresses.get(kind):
                way = Way(kind, str(address))
                made += [ImportedRule(way, urgency, after) for urgency in urgencies]
            else:
                lost.add(f"Rules by {kind.replace('_', ' ')} are not carried: add that way here.")
    return made


def _schedules(row: Row, shifts: Mapping[str, Row]) -> list[ImportedSchedule]:
    """Return a schedule, or one for each person who is on call at once."""
    lost = Lost()
    key, name = str(row["id"]), str(row.get("name") or row["id"])
    if row.get("type") == "ical":
        why = "It is read from a calendar elsewhere: import that calendar's overrides instead."
        return [ImportedSchedule(key, name, refused=why)]
    if row.get("ical_url_overrides"):
        lost.add("Its overrides come from a calendar: subscribe to that calendar here.")
    try:
        own = _shifts(row, shifts)
        rotas = [shift for shift in own if shift.get("type") not in _ONCE]
        zone = _zone(row, rotas, lost)
        rotations = [piece for shift in rotas for piece in _rotations(shift, zone)]
    except Unreadable as error:
        return [ImportedSchedule(key, name, refused=str(error))]
    found = places(rotations, zone)
    most = max(len(found), *(len(_at_once(s)) for s in own if s.get("type") in _ONCE), 1)
    # Where only an override calls more people, its places are otherwise like the first.
    found += [found[0]] * (most - len(found))
    if most > 1:
        lost.add(f"It calls up to {most} people at once: each place is a schedule.")
    return [
        ImportedSchedule(
            key if number == 1 else f"{key}/{number}",
            name if number == 1 else f"{name} place {number}",
            zone,
            "",
            layers,
            tuple(lost),
        )
        for number, layers in enumerate(found, 1)
    ]


def _shifts(row: Row, shifts: Mapping[str, Row]) -> list[Row]:
    """Return the shifts of a schedule."""
    keys = row.get("shifts")
    if not isinstance(keys, list):
        raise Unreadable("The file does not say its shifts: list it with GET /api/v1/schedules/.")
    if missing := [str(key) for key in keys if str(key) not in shifts]:
        told = ", ".join(missing[:5]) + (" and others" if len(missing) > 5 else "")
        raise Unreadable(
            f"The file does not have its shifts {told}: list them with GET /api/v1/on_call_shifts/."
        )
    return [shifts[str(key)] for key in keys]


def _zone(row: Row, shifts: Sequence[Row], lost: Lost) -> str:
    """Return by whose clock the shifts of a schedule go: their own, without one the schedule's.

    A schedule here has one clock; in another one hours would be off for half of the year, and days
    of the week others.
    """
    schedules = zone_of(row.get("time_zone"))
    zones = sorted({zone_of(shift.get("time_zone") or schedules) for shift in shifts})
    clocks = {_offsets(zone) for zone in zones}
    if len(clocks) > 1:
        raise Unreadable(
            f"Its shifts go by several clocks ({', '.join(zones)}), and a schedule here by one:"
            " have them go by one, or make a schedule for each."
        )
    if not clocks or _offsets(schedules) in clocks:
        return schedules
    lost.add(f"Its shifts go by the clock of {zones[0]}: so does all of it here.")
    return zones[0]


@lru_cache(maxsize=64)
def _offsets(zone: str) -> tuple[timedelta | None, ...]:
    """Return how far a clock is from UTC on each day of some years."""
    clock = ZoneInfo(zone)
    days = (_SAME_SINCE + DAY * n for n in range(_SAME_DAYS))
    return tuple(day.astimezone(clock).utcoffset() for day in days)


def _rotations(row: Row, zone: str) -> list[Rotation]:
    """Return a shift: two rotations after each other where it begins amid a turn."""
    name = str(row.get("name") or row.get("id"))
    if row.get("by_month") or row.get("by_monthday"):
        raise Unreadable(f"Shift {name} holds on some days of a month, which cannot be carried.")
    begins = _local(row.get("start"), zone)
    since = _local(row.get("rotation_start"), zone) or begins
    if begins is None or since is None:
        raise Unreadable(f"Shift {name} does not say when it begins.")
    length = timedelta(seconds=float(row.get("duration") or 0))
    unit, every = _turn(row, name)
    people = _people(row)
    days = frozenset(_DAYS[day] for day in row.get("by_day") or ())
    _refuse_uneven(name, unit, every, days, is_shared=len(people[0]) > 1)
    first, handover = at_wall(begins, zone)
    layer = ImportedLayer(
        name,
        (),
        first,
        handover,
        unit,
        every,
        _hours(name, handover, length, every * LENGTHS[unit], days),
        _local(row.get("until"), zone),
    )
    since = max(begins, since)
    pieces = [_pieces(replace(layer, people=each), days, row, since, zone) for each in people]
    level = int(row.get("level") or 0)
    return [Rotation(level, layers) for layers in zip(*pieces, strict=True)]


def _refuse_uneven(
    name: str, unit: Unit, every: int, days: frozenset[int], is_shared: bool
) -> None:
    """Refuse turns with days that do not count, or in which nobody is on call."""
    if unit is Unit.WEEKS and days and every > 1:
        raise Unreadable(f"Shift {name} holds in one week of {every}: it cannot be carried.")
    if unit is Unit.DAYS and days and (every > 1 or (is_shared and len(days) < 7)):
        raise Unreadable(
            f"Shift {name} changes daily and counts some days only: it cannot be carried."
        )


def _pieces(
    layer: ImportedLayer, days: frozenset[int], row: Row, since: datetime, zone: str
) -> list[ImportedLayer]:
    """Return one place of a shift from when it holds, with turns counted from its start.

    Weekly turns on named days change where OnCall's week starts: who comes first has only what is
    left of that week, which is then a layer of its own.
    """
    if layer.unit is not Unit.WEEKS or not days or len(layer.people) < 2:
        return [from_turn(layer, turn_at(layer, since, zone))]
    week_start = _DAYS[row.get("week_start") or "SU"]
    first = layer.first
    if first.weekday() not in days:
        # OnCall then begins on the day among them that comes first in its week.
        first += DAY * ((min(days, key=lambda day: (day - week_start) % 7) - first.weekday()) % 7)
    weeks = replace(layer, first=first - DAY * ((first.weekday() - week_start) % 7))
    first = max(first, at_wall(since, zone)[0])
    number = (first - weeks.first).days // 7
    turn, rest = from_turn(weeks, number), from_turn(weeks, number + 1)
    before = {(turn.first + DAY * n).weekday() for n in range((first - turn.first).days)}
    if not before & days:
        return [turn]
    change = instant(rest.first, rest.handover, ZoneInfo(zone))
    until = min(change, layer.until or change)
    return [replace(turn, first=first, people=turn.people[:1], until=until), rest]


def _local(text: object, zone: str) -> datetime | None:
    """Return the instant of a local time of a zone, as the API writes them."""
    found = instant_of(text)
    if found is None or _OFFSET.search(str(text)):
        return found
    return found.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _turn(row: Row, name: str) -> tuple[Unit, int]:
    frequency = str(row.get("frequency") or "weekly")
    if frequency not in _UNITS:
        raise Unreadable(f"Shift {name} turns {frequency}, which cannot be carried.")
    return _UNITS[frequency], int(row.get("interval") or 1)


def _people(row: Row) -> list[tuple[str, ...]]:
    """Return who takes turns in each place of a shift; a smaller group fills all with its last."""
    given = [_listed(group) for group in _listed(row.get("rolling_users")) or [row.get("users")]]
    first = int(row.get("start_rotation_from_user_index") or 0) % max(1, len(given))
    groups = [group for group in (*given[first:], *given[:first]) if group]
    most = max(map(len, groups), default=1)
    if most > MOST_AT_ONCE:
        raise Unreadable(f"It calls more than {MOST_AT_ONCE} people at once.")
    return [
        tuple(str(group[min(place, len(group) - 1)]) for group in groups) for place in range(most)
    ]


def _at_once(row: Row) -> list[str]:
    """Return whom a single shift calls."""
    groups = [row["users"]] if row.get("users") else _listed(row.get("rolling_users"))
    return [str(key) for group in groups for key in _listed(group)]


def _listed(group: Any) -> Sequence[Any]:
    """Return the people of a group, also where it names one and is no list."""
    if group is None:
        return []
    return group if isinstance(group, list) else [group]


def _hours(
    name: str, begins: Any, length: timedelta, turn: timedelta, days: frozenset[int]
) -> tuple[Restriction, ...]:
    """Return when a shift holds: always where it lasts as long as a turn."""
    if length >= turn and not days:
        return ()
    if not timedelta() < length <= DAY:
        raise Unreadable(f"Shift {name} lasts {length} of a turn of {turn}: it cannot be carried.")
    if turn > DAY and not days:
        raise Unreadable(f"Shift {name} holds on one day of its turn: name its days.")
    return (Restriction(begins, later(begins, length), days or EVERY_DAY),)


def _overrides(
    schedules: Sequence[Row], shifts: Mapping[str, Row], parts: Mapping[str, Sequence[str]]
) -> tuple[list[list[ImportedOverride]], list[str]]:
    pairs = [
        {"schedule": schedule["id"], "zone": schedule.get("time_zone"), **shifts[str(pk)]}
        for schedule in schedules
        for pk in schedule.get("shifts") or ()
        if str(pk) in shifts and shifts[str(pk)].get("type") in _ONCE
    ]
    return carried(lambda row: _override(row, parts), pairs)


def _override(row: Row, parts: Mapping[str, Sequence[str]]) -> list[ImportedOverride]:
    starts = _local(row.get("start"), zone_of(row.get("time_zone") or row.get("zone")))
    people = _at_once(row)
    if starts is None or not row.get("duration"):
        raise Unreadable("a single shift says neither when it begins nor how long it is")
    ends = starts + timedelta(seconds=float(row["duration"]))
    own = parts.get(str(row["schedule"]), [str(row["schedule"])])
    return [
        ImportedOverride(part, people[min(n, len(people) - 1)] if people else None, starts, ends)
        for n, part in enumerate(own)
    ]


def _policy(row: Row, steps: Sequence[Row], parts: Mapping[str, Sequence[str]]) -> ImportedPolicy:
    lost, made, after = Lost(), [], timedelta()
    loops = 1
    for step in sorted(steps, key=lambda step: int(step.get("position") or 0)):
        kind = str(step.get("type"))
        if kind == "wait":
            after += timedelta(seconds=float(step.get("duration") or 300))
        elif kind == "repeat_escalation":
            loops = 1 + REPEATS
        elif found := _targets(kind, step, parts):
            made.append(ImportedStep(found[0], after, found[1]))
        else:
            lost.add(f"Step “{kind.replace('_', ' ')}” is not carried.")
    pause = after - (made[-1].after if made else timedelta())
    return ImportedPolicy(
        str(row["id"]), str(row.get("name") or row["id"]), "", tuple(made), loops,
        pause or timedelta(minutes=5), tuple(lost),
    )  # fmt: skip


def _targets(
    kind: str, step: Row, parts: Mapping[str, Sequence[str]]
) -> tuple[tuple[tuple[str, str], ...], str] | None:
    """Return whom a step calls and how; None where it calls nobody that is known here."""
    if kind == "notify_on_call_from_schedule" and step.get(kind):
        key = str(step[kind])
        return tuple(("schedule", part) for part in parts.get(key, [key])), "all"
    if kind in _PEOPLE:
        name, mode = _PEOPLE[kind]
        return tuple(("person", str(key)) for key in step.get(name) or ()), mode
    return None
