"""Random exports beside references of their own: the same people at each minute, also before the start.

A reference reads the other tool's document by the wall clock of its zone, and nothing of the portal.
"""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from oncall.domain import exports
from oncall.domain.exports.documents import ImportedSchedule
from oncall.domain.exports.turning import arithmetic
from oncall.domain.schedules import Shift, final
from oncall.domain.spans import Span

ZONES = ("UTC", "Europe/London", "America/Chicago", "Australia/Lord_Howe")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# Both days on which clocks change are in it.
FIRST = datetime(2026, 10, 1)
MINUTES = range(0, 45 * 1440, 7)
MINUTE, DAY, WEEK = timedelta(minutes=1), timedelta(days=1), timedelta(days=7)


class Rota:
    """Who is on call of an imported schedule."""

    def __init__(self, schedule: ImportedSchedule) -> None:
        assert not schedule.refused
        self.schedule = schedule
        layers = [arithmetic(layer, schedule.zone) for layer in schedule.layers]
        window = Span(FIRST.replace(tzinfo=UTC) - DAY, FIRST.replace(tzinfo=UTC) + 50 * DAY)
        self.held: list[Shift] = final(layers, [], window)
        self.place = 0

    def at(self, instant: datetime) -> str | None:
        """Return who is on call; instants are asked for in order."""
        while self.place < len(self.held) and self.held[self.place].span.end <= instant:
            self.place += 1
        shift = self.held[self.place] if self.place < len(self.held) else None
        if shift is None or shift.span.start > instant or shift.layer is None:
            return None
        return self.schedule.layers[shift.layer].people[shift.person]


def walls(zone: str) -> Iterator[tuple[datetime, datetime]]:
    """Yield wall times and the instants that show them; each hour that comes twice once."""
    for minutes in MINUTES:
        wall = FIRST + minutes * MINUTE
        instant = wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        # What a clock skips is no time.
        if instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) == wall:
            yield wall, instant


def written(wall: datetime, zone: str) -> str:
    return wall.replace(tzinfo=ZoneInfo(zone)).isoformat()


def moment(chance: random.Random, days: int) -> datetime:
    """Return a time near the beginning of the window, by day, when no clock changes."""
    return FIRST + timedelta(days=chance.randrange(days), hours=chance.randrange(5, 24),
                             minutes=chance.choice((0, 0, 30, 41)))  # fmt: skip


# PagerDuty


def layer_of(chance: random.Random) -> dict[str, Any]:
    virtual = (
        FIRST - timedelta(days=chance.randrange(1, 30)) + timedelta(hours=chance.choice((6, 9, 17)))
    )
    return {
        "virtual": virtual,
        "start": chance.choice((virtual, moment(chance, 30), moment(chance, 30))),
        "end": chance.choice((None, None, moment(chance, 44))),
        "turn": chance.choice((timedelta(hours=12), DAY, 2 * DAY, WEEK, 2 * WEEK)),
        "users": chance.choices("ABCD", k=chance.choice((1, 2, 3, 4))),
        "hours": chance.choice((None, None, (time(9), timedelta(hours=8)), (time(20), timedelta(hours=12)))),
    }  # fmt: skip


def as_pagerduty(layers: list[dict[str, Any]], zone: str) -> dict[str, Any]:
    """Return the export: its highest layer comes first."""
    rows = [
        {
            "name": f"Layer {number}",
            "start": written(layer["start"], zone),
            "rotation_virtual_start": written(layer["virtual"], zone),
            "end": layer["end"] and written(layer["end"], zone),
            "rotation_turn_length_seconds": layer["turn"].total_seconds(),
            "users": [{"user": {"id": key}} for key in layer["users"]],
            "restrictions": (layer["hours"] and [
                {"type": "daily_restriction", "start_time_of_day": layer["hours"][0].isoformat(),
                 "duration_seconds": layer["hours"][1].total_seconds()}
            ]) or [],
        }
        for number, layer in enumerate(layers)
    ]  # fmt: skip
    return {"schedules": [{"id": "S", "name": "S", "time_zone": zone, "schedule_layers": rows}]}


def called_by_layer(layer: dict[str, Any], wall: datetime) -> str | None:
    if wall < layer["start"] or (layer["end"] and wall >= layer["end"]):
        return None
    if layer["hours"]:
        begins, length = layer["hours"]
        starts = (datetime.combine(wall.date() - back * DAY, begins) for back in (0, 1))
        if not any(start <= wall < start + length for start in starts):
            return None
    found: str = layer["users"][(wall - layer["virtual"]) // layer["turn"] % len(layer["users"])]
    return found


@pytest.mark.parametrize("seed", range(60))
def test_layers_of_pagerduty_hold_from_their_start(seed: int) -> None:
    """Wherever in a turn that is; before it, and after its end, the next lower one does."""
    chance = random.Random(seed)
    zone = chance.choice(ZONES)
    layers = [layer_of(chance) for _ in range(chance.choice((1, 2, 3)))]
    (schedule,) = exports.read("pagerduty", as_pagerduty(layers, zone)).schedules
    rota = Rota(schedule)
    for wall, instant in walls(zone):
        there = (called_by_layer(layer, wall) for layer in layers)
        assert rota.at(instant) == next(filter(None, there), None), wall


# Opsgenie


def rotation_of(chance: random.Random) -> dict[str, Any]:
    start = moment(chance, 30)
    return {
        "start": start,
        "end": chance.choice((None, start + timedelta(hours=11), moment(chance, 44))),
        "turn": chance.choice((DAY, WEEK)),
        "users": chance.sample("ABCD", chance.choice((1, 2))),
        "hours": chance.choice((None, (9, 17), (17, 9), (8, 24), (0, 24), (0, 9))),
        "days": chance.choice((None, None, (0, 4), (5, 6), (6, 0))),
    }


def as_opsgenie(rotations: list[dict[str, Any]], zone: str) -> dict[str, Any]:
    rows = []
    for number, rotation in enumerate(rotations):
        hours = rotation["hours"] or (0, 24)
        told = {"startHour": hours[0], "startMin": 0, "endHour": hours[1], "endMin": 0}
        limit: dict[str, Any] = {"type": "time-of-day", "restriction": told}
        if rotation["days"]:
            names = {"startDay": DAYS[rotation["days"][0]], "endDay": DAYS[rotation["days"][1]]}
            limit = {"type": "weekday-and-time-of-day", "restrictions": [{**told, **names}]}
        rows.append({
            "id": f"R{number}", "name": f"R{number}", "startDate": written(rotation["start"], zone),
            "endDate": rotation["end"] and written(rotation["end"], zone),
            "type": "weekly" if rotation["turn"] == WEEK else "daily",
            "participants": [{"type": "user", "id": key} for key in rotation["users"]],
            **({"timeRestriction": limit} if rotation["hours"] or rotation["days"] else {}),
        })  # fmt: skip
    return {"schedules": [{"id": "S", "name": "S", "timezone": zone, "rotations": rows}]}


def does_hold(rotation: dict[str, Any], wall: datetime) -> bool:
    """Return whether a rotation calls somebody: from an hour of a day to one of another, each week."""
    if wall < rotation["start"] or (rotation["end"] and wall >= rotation["end"]):
        return False
    first, last = rotation["hours"] or (0, 24)
    midnight = datetime.combine(wall.date(), time())
    if rotation["days"] is None:
        length = timedelta(hours=(last - first) % 24 or 24)
        begun = (midnight - back * DAY + timedelta(hours=first) for back in (0, 1))
        return any(start <= wall < start + length for start in begun)
    monday = midnight - wall.weekday() * DAY
    begins, ends = (
        monday + day * DAY + timedelta(hours=hour)
        for day, hour in zip(rotation["days"], (first, last), strict=True)
    )
    if ends <= begins:
        ends += WEEK
    return any(begins - back * WEEK <= wall < ends - back * WEEK for back in (0, 1))


@pytest.mark.parametrize("seed", range(60))
def test_rotations_of_opsgenie_call_everybody_and_nobody_else(seed: int) -> None:
    """Also where two are side by side only until another one begins."""
    chance = random.Random(seed)
    zone = chance.choice(ZONES)
    rotations = [rotation_of(chance) for _ in range(chance.choice((1, 2, 3)))]
    parts = exports.read("opsgenie", as_opsgenie(rotations, zone)).schedules
    rotas = [Rota(part) for part in parts]
    for wall, instant in walls(zone):
        there = {
            rotation["users"][
                (wall - rotation["start"]) // rotation["turn"] % len(rotation["users"])
            ]
            for rotation in rotations
            if does_hold(rotation, wall)
        }
        assert {rota.at(instant) for rota in rotas} - {None} == there, wall


# Grafana OnCall


def shift_of(chance: random.Random, level: int) -> dict[str, Any]:
    """Return a shift that goes by a clock of its own, on some days or on every day."""
    begins = FIRST.date() + chance.randrange(25) * DAY
    is_daily = chance.random() < 0.4
    days = [] if is_daily else sorted(chance.sample(range(7), 3))
    while days and begins.weekday() not in days:
        begins += DAY
    people = chance.sample("ABCD", chance.choice((1, 2)))
    return {"level": level, "first": begins, "hour": chance.choice((5, 9, 20)), "days": days,
            "length": timedelta(hours=24 if is_daily else chance.choice((6, 12))), "people": people}  # fmt: skip


def as_grafana(shifts: list[dict[str, Any]], own: str | None, zone: str) -> dict[str, Any]:
    rows = [
        {
            "id": f"O{number}", "name": f"O{number}", "type": "rolling_users", "interval": 1,
            "frequency": "weekly" if shift["days"] else "daily", "week_start": "MO",
            "start": f"{shift['first']}T{shift['hour']:02}:00:00",
            "rotation_start": f"{shift['first']}T{shift['hour']:02}:00:00",
            "duration": shift["length"].total_seconds(), "level": shift["level"],
            "by_day": [DAYS[day][:2].upper() for day in shift["days"]] or None,
            "rolling_users": [[key] for key in shift["people"]], "time_zone": own,
        }
        for number, shift in enumerate(shifts)
    ]  # fmt: skip
    schedule = {"id": "S", "name": "S", "time_zone": zone, "shifts": [row["id"] for row in rows]}
    return {"schedules": [schedule], "on_call_shifts": rows}


def called_by_shift(shift: dict[str, Any], wall: datetime) -> str | None:
    for back in (0, 1):
        day: date = wall.date() - back * DAY
        begins = datetime.combine(day, time(shift["hour"]))
        is_one = day >= shift["first"] and (not shift["days"] or day.weekday() in shift["days"])
        if is_one and begins <= wall < begins + shift["length"]:
            monday = [d - d.weekday() * DAY for d in (day, shift["first"])]
            turns = (
                (monday[0] - monday[1]) // WEEK if shift["days"] else (day - shift["first"]).days
            )
            found: str = shift["people"][turns % len(shift["people"])]
            return found
    return None


@pytest.mark.parametrize("seed", range(60))
def test_shifts_of_grafana_go_by_their_own_clock(seed: int) -> None:
    """Their days and hours are those of the time zone that the shift names, whatever the schedule's is."""
    chance = random.Random(seed)
    zone, own = chance.choice(ZONES), chance.choice((None, *ZONES))
    shifts = [shift_of(chance, level) for level in range(chance.choice((1, 2)), 0, -1)]
    (schedule,) = exports.read("grafana-oncall", as_grafana(shifts, own, zone)).schedules
    rota = Rota(schedule)
    for wall, instant in walls(own or zone):
        there = (called_by_shift(shift, wall) for shift in shifts)
        assert rota.at(instant) == next(filter(None, there), None), wall
