"""Opsgenie: objects as its REST API v2 lists them.

Keys: `users` (with `userContacts` and `notificationRules`), `schedules` (with `rotations`),
`overrides` (each with its `schedule`), `escalations`, `teams`.
Rotations of one schedule are on call side by side: where they overlap they become schedules of
their own, so that nobody who was called is no longer called.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import time, timedelta
from typing import Any

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
    listed,
    rows,
    rules_of,
    zone_of,
)
from oncall.domain.exports.places import do_overlap
from oncall.domain.exports.teams import OpsgenieTeams
from oncall.domain.exports.turning import held_within
from oncall.domain.rotations import EVERY_DAY, Restriction, Unit
from oncall.domain.spans import Span

__all__ = ["read"]

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS = {"hourly": Unit.HOURS, "daily": Unit.DAYS, "weekly": Unit.WEEKS}
_KINDS = {"email": "email", "sms": "sms", "voice": "voice"}
_HOW = "list it with GET /v2/schedules?expand=rotation."
# Overrides of one rotation among several become one for each of its shifts.
MOST_SHIFTS = 100
YEAR = timedelta(days=366)
_MINUTES = {"minutes": 1, "hours": 60, "days": 1440, "seconds": 1 / 60}


def read(document: Mapping[str, Any]) -> Export:
    """Read an export."""
    people, lost_people = carried(_person, rows(document, "users"))
    names = {person.email: person.key for person in people if person.email}
    schedules, lost_schedules = carried(
        lambda row: _schedules(row, names), rows(document, "schedules")
    )
    parts = {each[0].key: [part.key for part in each] for each in schedules}
    rotas = {each[0].key: each for each in schedules}
    rotations = {str(row.get("id")): rows(row, "rotations") for row in rows(document, "schedules")}
    by_name = {str(row.get("name")): str(row.get("id")) for row in rows(document, "schedules")}
    overrides, lost_overrides = carried(
        lambda row: _overrides(row, names, rotas, rotations, by_name), rows(document, "overrides")
    )
    teams = OpsgenieTeams(document, names, parts)
    policies, lost_policies = carried(
        lambda row: _policy(row, names, parts, by_name, teams), rows(document, "escalations")
    )
    return Export(
        tuple(people),
        tuple(part for each in schedules for part in each),
        tuple(override for each in overrides for override in each),
        (*policies, *teams.policies()),
        (*lost_people, *lost_schedules, *lost_overrides, *lost_policies),
        tuple(senders.of_opsgenie(document, teams.called())),
        tuple(teams.carried()),
    )


def _person(row: Mapping[str, Any]) -> ImportedPerson:
    email = str(row.get("username") or row.get("email") or "")
    contacts = rows(row, "userContacts", "contacts")
    ways = []
    for contact in contacts:
        kind = _KINDS.get(str(contact.get("contactMethod") or contact.get("method") or ""))
        if kind and contact.get("to"):
            ways.append(Way(kind, _number(kind, str(contact["to"]))))
    lost = Lost()
    own = rows(row, "notificationRules", "notification_rules")
    rules = rules_of(lambda each: _rule(each, ways, lost), own, lost)
    return ImportedPerson(
        str(row["id"]),
        str(row.get("fullName") or email),
        email,
        zone=str(row.get("timeZone") or ""),
        ways=tuple(ways),
        rules=rules,
        lost=tuple(lost),
    )


def _rule(row: Mapping[str, Any], ways: Sequence[Way], lost: Lost) -> Iterator[ImportedRule]:
    """Yield when a person is called by what for new alerts: here for both urgencies."""
    if row.get("actionType", "create-alert") != "create-alert" or row.get("enabled") is False:
        return
    if (row.get("criteria") or {}).get("type", "match-all") != "match-all":
        lost.add(f"Rule {row.get('name')} holds for every alert here, not only for some.")
    for step in rows(row, "steps"):
        way = _way_of(step, ways)
        if step.get("enabled") is False:
            continue
        if way is None:
            lost.add(f"Rule {row.get('name')} has a step by a way that is not carried.")
            continue
        after = _delay(step.get("sendAfter") or {})
        yield from (ImportedRule(way, urgency, after) for urgency in ("high", "low"))


def _way_of(step: Mapping[str, Any], ways: Sequence[Way]) -> Way | None:
    contact = step.get("contact") or {}
    kind = _KINDS.get(str(contact.get("method") or ""), "")
    address = _number(kind, str(contact.get("to") or ""))
    return next((way for way in ways if (way.kind, way.address) == (kind, address)), None)


def _delay(row: Mapping[str, Any]) -> timedelta:
    unit = str(row.get("timeUnit", "minutes"))
    return timedelta(minutes=float(row.get("timeAmount") or 0) * _MINUTES[unit])


def _number(kind: str, to: str) -> str:
    # Opsgenie writes telephone numbers as 44-7700900123.
    return to if kind == "email" or to.startswith("+") else f"+{to.replace('-', '')}"


def _schedules(row: Mapping[str, Any], names: Mapping[str, str]) -> list[ImportedSchedule]:
    """Return a schedule, or one a rotation where several are on call at once."""
    lost = Lost()
    key, name = str(row["id"]), str(row.get("name") or row["id"])
    if row.get("enabled") is False:
        lost.add("It was switched off.")
    try:
        zone = zone_of(row.get("timezone"))
        rotations = listed(row, "rotations", _HOW)
        layers = [_layer(rotation, zone, names) for rotation in rotations]
        is_apart = do_overlap(layers, zone)
    except Unreadable as error:
        return [ImportedSchedule(key, name, refused=str(error))]
    whole = ImportedSchedule(
        key, name, zone, str(row.get("description") or ""), tuple(layers), tuple(lost)
    )
    if not is_apart:
        return [whole]
    apart = "Its rotations were on call at once: each is a schedule of its own."
    return [
        replace(
            whole,
            key=key if number == 0 else f"{key}/{number}",
            name=f"{name}: {layer.name}",
            layers=(layer,),
            lost=(*whole.lost, apart),
        )
        for number, layer in enumerate(layers)
    ]


def _layer(row: Mapping[str, Any], zone: str, names: Mapping[str, str]) -> ImportedLayer:
    start = instant_of(row.get("startDate"))
    unit = _UNITS.get(str(row.get("type")))
    if start is None or unit is None:
        raise Unreadable(f"Rotation {row.get('name')} says neither when nor how it turns.")
    people = []
    for participant in rows(row, "participants"):
        if participant.get("type") == "user":
            people.append(_user(participant, names))
        else:
            raise Unreadable(
                f"Rotation {row.get('name')} has a {participant.get('type')} taking a turn;"
                " name people instead."
            )
    first, handover = at_wall(start, zone)
    return ImportedLayer(
        str(row.get("name") or "Rotation"),
        tuple(people),
        first,
        handover,
        unit,
        int(row.get("length") or 1),
        tuple(_restrictions(row.get("timeRestriction") or {})),
        instant_of(row.get("endDate")),
    )


def _user(row: Mapping[str, Any], names: Mapping[str, str]) -> str:
    return str(row.get("id") or names.get(str(row.get("username"))) or row.get("username"))


def _restrictions(row: Mapping[str, Any]) -> list[Restriction]:
    if row.get("type") == "time-of-day":
        given = row.get("restriction") or row.get("restrictions") or {}
        each = given if isinstance(given, list) else [given]
        return [
            Restriction(_time(one, "start")[1], _time(one, "end")[1], EVERY_DAY) for one in each
        ]
    found: list[Restriction] = []
    for one in rows(row, "restrictions"):
        found += _from_day_to_day(one)
    return found


def _time(row: Mapping[str, Any], which: str) -> tuple[int, time]:
    """Return a time of day, and how many days later: 24 o'clock is midnight of the next one."""
    days, hour = divmod(int(row[f"{which}Hour"]), 24)
    return days, time(hour, int(row.get(f"{which}Min") or 0))


def _from_day_to_day(row: Mapping[str, Any]) -> list[Restriction]:
    """Return a span such as Friday 18:00 to Monday 08:00 as one restriction a day."""
    late, begins = _time(row, "start")
    later, ends = _time(row, "end")
    first = (DAYS.index(str(row["startDay"])) + late) % 7
    last = (DAYS.index(str(row["endDay"])) + later) % 7
    days = (last - first) % 7
    if days == 0 and ends <= begins:
        days = 7
    if days == 0:
        return [Restriction(begins, ends, frozenset({first}))]
    midnight = time(0)
    made = [Restriction(begins, midnight, frozenset({first}))]
    made += [Restriction(midnight, midnight, frozenset({(first + n) % 7})) for n in range(1, days)]
    if ends > midnight:
        made.append(Restriction(midnight, ends, frozenset({last})))
    return made


def _overrides(
    row: Mapping[str, Any],
    names: Mapping[str, str],
    rotas: Mapping[str, Sequence[ImportedSchedule]],
    rotations: Mapping[str, Sequence[Mapping[str, Any]]],
    by_name: Mapping[str, str],
) -> list[ImportedOverride]:
    starts, ends = instant_of(row.get("startDate")), instant_of(row.get("endDate"))
    if starts is None or ends is None:
        raise Unreadable("an override says neither when it begins nor when it ends")
    parent = row.get("schedule") or row.get("_parent") or {}
    key = str(parent.get("id") or by_name.get(str(parent.get("name"))))
    person = _who(row.get("user") or {}, names)
    parts = rotas.get(key, ())
    if not parts or parts[0].refused:
        return [ImportedOverride(key, person, starts, ends)]
    numbers = _rotations_of(row, rotations[key])
    if len(numbers) == len(rotations[key]):
        return [ImportedOverride(part.key, person, starts, ends) for part in parts]
    if len(parts) > 1:
        return [ImportedOverride(parts[n].key, person, starts, ends) for n in numbers]
    if ends - starts > YEAR:
        raise Unreadable("an override of one rotation lasts more than a year")
    layers = [parts[0].layers[n] for n in numbers]
    shifts = held_within(layers, Span(starts, ends), parts[0].zone)
    if len(shifts) > MOST_SHIFTS:
        raise Unreadable(
            f"an override of one rotation has {len(shifts)} shifts in it: make it here"
        )
    return [ImportedOverride(key, person, shift.start, shift.end) for shift in shifts]


def _who(taker: Mapping[str, Any], names: Mapping[str, str]) -> str | None:
    """Return who takes over; None is nobody, as Opsgenie's `none` is."""
    kind = taker.get("type", "user")
    if kind == "none":
        return None
    if kind != "user":
        raise Unreadable(
            f"an override has the {kind} {taker.get('name') or taker.get('id')} take over: have a"
            " person do so instead."
        )
    return _user(taker, names)


def _rotations_of(override: Mapping[str, Any], rotations: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the numbers of the rotations in which somebody takes over; all where none is named."""
    if not override.get("rotations"):
        return list(range(len(rotations)))
    named = rows(override, "rotations")
    found = [
        number
        for number, rotation in enumerate(rotations)
        if any(_is_same(rotation, other) for other in named)
    ]
    if len(found) < max(1, len(named)):
        raise Unreadable("an override names a rotation that its schedule does not have")
    return found


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    field = "id" if one.get("id") and other.get("id") else "name"
    return one.get(field) is not None and one.get(field) == other.get(field)


def _policy(
    row: Mapping[str, Any],
    names: Mapping[str, str],
    parts: Mapping[str, Sequence[str]],
    by_name: Mapping[str, str],
    teams: OpsgenieTeams,
) -> ImportedPolicy:
    lost, steps = Lost(), []
    key, name = str(row["id"]), str(row.get("name") or row["id"])
    for number, rule in enumerate(rows(row, "rules"), 1):
        recipient, mode = rule.get("recipient") or {}, "all"
        notify = str(rule.get("notifyType") or "default")
        if recipient.get("type") == "team":
            try:
                targets, mode = teams.targets(recipient, notify, lost, number)
            except Unreadable as error:
                return ImportedPolicy(key, name, refused=str(error))
        else:
            if notify not in {"default", "all"}:
                lost.add(f"Rule “notify {notify}” calls whoever is on call now.")
            targets = tuple(_targets(recipient, names, parts, by_name, lost))
        wait, until_resolved = _delay(rule.get("delay") or {}), rule.get("condition")
        steps.append(ImportedStep(targets, wait, mode, until_resolved == "if-not-closed"))
    if any(step.until_resolved and step.after for step in steps):
        lost.add("Rules “if not closed” count anew from an acknowledgement.")
    repeat = row.get("repeat") or {}
    wait = timedelta(minutes=float(repeat.get("waitInterval") or 15))
    if repeat.get("closeAlertAfterAll"):
        lost.add("It closed alerts after the last repeat; here they stay open.")
    return ImportedPolicy(
        key, name, str(row.get("description") or ""),
        tuple(sorted(steps, key=lambda step: step.after)), int(repeat.get("count") or 0) + 1, wait,
        tuple(lost),
    )  # fmt: skip


def _targets(
    recipient: Mapping[str, Any],
    names: Mapping[str, str],
    parts: Mapping[str, Sequence[str]],
    by_name: Mapping[str, str],
    lost: Lost,
) -> list[tuple[str, str]]:
    if recipient.get("type") == "schedule":
        key = str(recipient.get("id") or by_name.get(str(recipient.get("name"))))
        return [("schedule", part) for part in parts.get(key, [key])]
    if recipient.get("type") == "user":
        return [("person", _user(recipient, names))]
    lost.add(f"A rule calls a {recipient.get('type')}; name a schedule or people instead.")
    return []
