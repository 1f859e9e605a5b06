"""Shifts of Grafana OnCall that call several people: everybody who was called there is called here."""

import json
import random
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from accounts.models import User
from accounts.tests.cast import person
from oncall.domain.exports import grafana
from oncall.domain.exports.documents import ImportedSchedule
from oncall.domain.rotations import Layer
from oncall.domain.schedules import on_call
from oncall.models import EscalationPolicy, Schedule
from oncall.queries.rotas import on_call_at

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
PEOPLE = "abcdef"


def shift_of(chance: random.Random, number: int) -> dict[str, Any]:
    """Return a weekly shift of random people, hours, days, beginning and level."""
    whole = chance.random() < 0.3
    groups = [chance.sample(PEOPLE, chance.choice((1, 1, 2, 3))) for _ in range(chance.choice((1, 2, 3)))]  # fmt: skip
    hours: dict[str, Any] = {"duration": 7 * 86_400} if whole else {
        "duration": chance.choice((4, 8, 16)) * 3600,
        "by_day": sorted(chance.sample(DAYS, chance.choice((2, 5)))),
    }  # fmt: skip
    begins = 0 if whole else chance.choice((0, 6, 9, 20))
    # OnCall moves a shift that begins on another day to one of its days.
    day = MONDAY - timedelta(days=chance.choice((0, 0, 3, 5, 16)))
    while DAYS[day.weekday()] not in hours.get("by_day", DAYS):
        day += timedelta(days=1)
    return {
        "id": f"O{number}", "name": f"Shift {number}", "type": "rolling_users",
        "level": chance.choice((0, 0, 1, 2)), "frequency": "weekly", "interval": 1,
        "start": f"{day:%Y-%m-%d}T{begins:02}:00:00", "rotation_start": f"{day:%Y-%m-%d}T00:00:00",
        "week_start": chance.choice(("MO", "SU", "WE")), "rolling_users": groups, **hours,
    }  # fmt: skip


def week_of(day: datetime, shift: dict[str, Any]) -> datetime:
    """Return the first midnight of the week in which a day lies."""
    midnight = datetime.combine(day.date(), time(0), tzinfo=UTC)
    return midnight - timedelta(days=(day.weekday() - DAYS.index(shift["week_start"])) % 7)


def called_there(shifts: list[dict[str, Any]], at: datetime) -> set[str]:
    """Return whom OnCall calls: the groups of all shifts of the highest level that hold."""
    holding: dict[int, set[str]] = {}
    for shift in shifts:
        begins = datetime.fromisoformat(shift["start"]).replace(tzinfo=UTC)
        length = timedelta(seconds=shift["duration"])
        groups = shift["rolling_users"]
        if "by_day" not in shift:
            if at >= begins:
                group = groups[(at - begins).days // 7 % len(groups)]
                holding.setdefault(shift["level"], set()).update(group)
            continue
        for back in (0, 1):
            day = at.date() - timedelta(days=back)
            start = datetime.combine(day, begins.time(), tzinfo=UTC)
            holds = begins <= start <= at < start + length
            if holds and DAYS[day.weekday()] in shift["by_day"]:
                week = (week_of(start, shift) - week_of(begins, shift)).days // 7
                group = groups[week % len(groups)]
                holding.setdefault(shift["level"], set()).update(group)
    return holding[max(holding)] if holding else set()


def called_here(places: tuple[ImportedSchedule, ...], at: datetime) -> set[str]:
    """Return whom the imported schedules name."""
    found = set()
    for place in places:
        layers = [
            Layer(tuple(map(PEOPLE.index, layer.people)), ZoneInfo(place.zone), layer.first,
                  layer.handover, layer.unit, layer.every, layer.restrictions, layer.until)
            for layer in place.layers
        ]  # fmt: skip
        if held := on_call(layers, [], at):
            found.add(PEOPLE[held.person])
    return found


@pytest.mark.parametrize("seed", range(40))
def test_everybody_is_called_and_nobody_else(seed: int) -> None:
    """Random shifts, looked at every half hour of two weeks beside a reference of its own."""
    chance = random.Random(seed)
    shifts = [shift_of(chance, number) for number in range(chance.choice((1, 2, 3, 4)))]
    export = grafana.read({
        "schedules": [{"id": "S", "name": "Search", "shifts": [s["id"] for s in shifts]}],
        "on_call_shifts": shifts,
    })  # fmt: skip
    assert not export.lost
    assert not [each.refused for each in export.schedules if each.refused]
    for half_hours in range(1, 2 * 24 * 14, 3):
        at = MONDAY + timedelta(minutes=30 * half_hours)
        assert called_here(export.schedules, at) == called_there(shifts, at), at


BOTH: dict[str, Any] = {
    "users": [
        {"id": name.upper(), "username": name, "email": f"{name}@example.org"}
        for name in ("alice", "bob", "carol")
    ],
    "schedules": [{"id": "S1", "name": "Search", "shifts": ["O1", "O2"]}],
    "on_call_shifts": [
        {"id": "O1", "name": "Pairs", "type": "rolling_users", "start": "2026-03-02T00:00:00",
         "duration": 604800, "frequency": "weekly", "rolling_users": [["ALICE", "BOB"], ["CAROL"]]},
        {"id": "O2", "name": "All hands", "type": "override", "start": "2026-03-04T10:00:00",
         "duration": 3600, "users": ["BOB", "CAROL"]},
    ],
    "escalation_chains": [{"id": "F1", "name": "Search"}],
    "escalation_policies": [
        {"id": "E1", "escalation_chain_id": "F1", "position": 0,
         "type": "notify_on_call_from_schedule", "notify_on_call_from_schedule": "S1"},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "people", "refused"),
    [
        (["ALICE", "BOB"], {"ALICE", "BOB"}, ""),
        ([["ALICE"] * 5000], set(), "more than 50 people at once"),
    ],
)
def test_a_group_may_be_one_name_and_is_no_crowd(
    groups: list[Any], people: set[str], refused: str
) -> None:
    """Names were once gone through letter by letter, and thousands of places compared in pairs."""
    shift = {**BOTH["on_call_shifts"][0], "rolling_users": groups}
    schedule = {**BOTH["schedules"][0], "shifts": ["O1"]}
    export = grafana.read({**BOTH, "schedules": [schedule], "on_call_shifts": [shift]})
    named = {
        key for schedule in export.schedules for layer in schedule.layers for key in layer.people
    }
    assert named == people
    assert refused in str(export)


@pytest.mark.both_databases
@pytest.mark.django_db
def test_places_are_schedules_and_steps_call_them_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: MONDAY)
    for name in ("alice", "bob", "carol"):
        person(name)
        User.objects.filter(username=name).update(email=f"{name}@example.org")
    path = tmp_path / "export.json"
    path.write_text(json.dumps(BOTH))
    call_command("import_oncall", "grafana-oncall", str(path), "--json")
    said = json.loads(capsys.readouterr().out)
    assert {item["action"] for item in said["items"]} == {"match", "create"}
    (first, second) = [item for item in said["items"] if item["kind"] == "schedule"]
    assert (first["slug"], second["slug"]) == ("search", "search-place-2")
    assert first["lost"] == ["It calls up to 2 people at once: each place is a schedule."]

    def names(at: datetime) -> list[str]:
        schedules = [
            Schedule.objects.with_rota().get(slug=item["slug"]) for item in (first, second)
        ]
        found = on_call_at(schedules, at)
        keys = [found[schedule.pk] for schedule in schedules]
        return [User.objects.get(pk=key).username for key in keys if key]

    assert names(MONDAY + timedelta(hours=12)) == ["alice", "bob"]
    assert names(MONDAY + timedelta(days=8)) == ["carol", "carol"]
    assert names(MONDAY + timedelta(days=2, hours=10, minutes=30)) == ["bob", "carol"]
    level = EscalationPolicy.objects.get(slug="search").levels.get()
    assert {target.schedule.slug for target in level.targets.all() if target.schedule} == {
        "search",
        "search-place-2",
    }
    call_command("import_oncall", "grafana-oncall", str(path), "--json")
    again = json.loads(capsys.readouterr().out)
    assert {item["action"] for item in again["items"]} == {"match", "same"}
