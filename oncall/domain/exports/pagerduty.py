"""PagerDuty: objects as its REST API v2 lists them.

Keys: `users` (with `contact_methods` and `notification_rules`), `schedules` (with `schedule_layers`), `overrides` (each with its `schedule`), and
`escalation_policies`. The API lists the highest layer first.
"""

from collections.abc import Mapping, Sequence
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
    later,
    listed,
    rows,
    rules_of,
    turn_of,
    zone_of,
)
from oncall.domain.exports.teams import teams_of_people
from oncall.domain.exports.turning import from_instant
from oncall.domain.rotations import EVERY_DAY, Restriction

__all__ = ["read"]

_KINDS = {
    "email_contact_method": "email",
    "sms_contact_method": "sms",
    "phone_contact_method": "voice",
}

_HOW = "export it by GET /schedules/{id}, or list it with include[]=schedule_layers."


def read(document: Mapping[str, Any]) -> Export:
    """Read an export."""
    people, lost_people = carried(_person, rows(document, "users"))
    schedules, lost_schedules = carried(_schedule, rows(document, "schedules"))
    overrides, lost_overrides = carried(_override, rows(document, "overrides"))
    policies, lost_policies = carried(_policy, rows(document, "escalation_policies"))
    for entry in rows(document, "schedules"):
        schedule = {"schedule": {"id": entry.get("id")}}
        own, lost = carried(_override, [{**schedule, **row} for row in rows(entry, "overrides")])
        overrides += own
        lost_overrides += lost
    return Export(
        tuple(people),
        tuple(schedules),
        tuple(overrides),
        tuple(policies),
        (*lost_people, *lost_schedules, *lost_overrides, *lost_policies),
        tuple(senders.of_pagerduty(document)),
        tuple(teams_of_people(document)),
    )


def _person(row: Mapping[str, Any]) -> ImportedPerson:
    ways: dict[str, Way] = {}
    for number, method in enumerate(rows(row, "contact_methods")):
        kind = _KINDS.get(str(method.get("type", "")).removesuffix("_reference"))
        address = str(method.get("address") or "")
        if kind and address:
            if kind != "email":
                address = f"+{method.get('country_code') or 1}{address.lstrip('0')}"
            key = str(method.get("id") or number)
            ways[key] = Way(kind, address, str(method.get("label") or ""))
    lost = Lost()
    rules = rules_of(lambda each: _rule(each, ways, lost), rows(row, "notification_rules"), lost)
    email = str(row.get("email") or "")
    return ImportedPerson(
        str(row["id"]), str(row.get("name") or email), email, zone=str(row.get("time_zone") or ""),
        ways=tuple(ways.values()), rules=rules, lost=tuple(lost),
    )  # fmt: skip


def _rule(row: Mapping[str, Any], ways: Mapping[str, Way], lost: Lost) -> list[ImportedRule]:
    """Return when a person is called by what; rules about handoffs call nobody awake."""
    if not str(row.get("type") or "assignment").startswith("assignment"):
        return []
    method = row.get("contact_method") or {}
    way = ways.get(str(method.get("id")))
    if way is None:
        kind = str(method.get("type") or "another way").removesuffix("_reference")
        lost.add(f"Rules by {kind.replace('_', ' ')} are not carried.")
        return []
    after = timedelta(minutes=float(row.get("start_delay_in_minutes") or 0))
    return [ImportedRule(way, "low" if row.get("urgency") == "low" else "high", after)]


def _schedule(row: Mapping[str, Any]) -> ImportedSchedule:
    key, name = str(row["id"]), str(row.get("name") or row.get("summary") or row["id"])
    try:
        zone = zone_of(row.get("time_zone"))
        lowest_first = reversed(listed(row, "schedule_layers", _HOW))
        layers = tuple(piece for layer in lowest_first for piece in _layers(layer, zone))
    except Unreadable as error:
        return ImportedSchedule(key, name, refused=str(error))
    return ImportedSchedule(key, name, zone, str(row.get("description") or ""), layers)


def _layers(row: Mapping[str, Any], zone: str) -> list[ImportedLayer]:
    """Return a layer: two after each other where it begins to hold amid a turn."""
    seconds = row.get("rotation_turn_length_seconds")
    virtual = instant_of(row.get("rotation_virtual_start")) or instant_of(row.get("start"))
    if virtual is None or not isinstance(seconds, int | float):
        raise Unreadable(
            f"Layer {row.get('name')} says neither when it began nor how long a turn is."
        )
    unit, every = turn_of(int(seconds))
    people = tuple(str((user.get("user") or user)["id"]) for user in rows(row, "users"))
    first, handover = at_wall(virtual, zone)
    layer = ImportedLayer(
        str(row.get("name") or "Layer"),
        people,
        first,
        handover,
        unit,
        every,
        _restrictions(rows(row, "restrictions")),
        instant_of(row.get("end")),
    )
    # Its turns may be counted from an earlier day than the one on which it began to hold.
    return from_instant(layer, instant_of(row.get("start")) or virtual, zone)


def _restrictions(found: Sequence[Mapping[str, Any]]) -> tuple[Restriction, ...]:
    made: list[Restriction] = []
    for row in found:
        begins = time.fromisoformat(str(row["start_time_of_day"]))
        length = timedelta(seconds=int(row["duration_seconds"]))
        if row.get("type") == "weekly_restriction":
            made += _weekly(int(row["start_day_of_week"]) - 1, begins, length)
        else:
            made += _pieces(begins, length, EVERY_DAY)
    return tuple(made)


def _pieces(begins: time, length: timedelta, days: frozenset[int]) -> list[Restriction]:
    if length > timedelta(days=1):
        raise Unreadable("A daily restriction of more than a day cannot be carried.")
    return [Restriction(begins, later(begins, length), days)]


def _weekly(day: int, begins: time, length: timedelta) -> list[Restriction]:
    """Return a span of several days as one restriction a day, each of a day at most."""
    made = []
    while length > timedelta():
        piece = min(length, timedelta(days=1))
        made.append(Restriction(begins, later(begins, piece), frozenset({day % 7})))
        length -= piece
        day += 1
    return made


def _override(row: Mapping[str, Any]) -> ImportedOverride:
    starts, ends = instant_of(row.get("start")), instant_of(row.get("end"))
    if starts is None or ends is None:
        raise Unreadable("an override says neither when it begins nor when it ends")
    return ImportedOverride(str(row["schedule"]["id"]), str(row["user"]["id"]), starts, ends)


def _policy(row: Mapping[str, Any]) -> ImportedPolicy:
    lost, steps, after = Lost(), [], timedelta()
    for rule in rows(row, "escalation_rules"):
        targets = tuple(_target(target) for target in rows(rule, "targets"))
        function = rule.get("escalation_rule_assignment_strategy") or {}
        mode = "round_robin" if "round_robin" in str(function) else "all"
        steps.append(ImportedStep(targets, after, mode))
        after += timedelta(minutes=float(rule.get("escalation_delay_in_minutes") or 30))
    loops = int(row.get("num_loops") or 0) + 1
    pause = after - (steps[-1].after if steps else timedelta())
    name = str(row.get("name") or row.get("summary") or row["id"])
    for service in rows(row, "services"):
        lost.add(f"Service {service.get('summary') or service.get('name')}: give it this policy.")
    return ImportedPolicy(
        str(row["id"]), name, str(row.get("description") or ""), tuple(steps), loops,
        pause or timedelta(minutes=15), tuple(lost),
    )  # fmt: skip


def _target(row: Mapping[str, Any]) -> tuple[str, str]:
    kind = str(row.get("type") or "")
    return ("schedule" if kind.startswith("schedule") else "person", str(row["id"]))
