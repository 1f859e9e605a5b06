"""Turns, overrides and steps of other tools come at the instants at which they came there."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.models import User
from accounts.tests.cast import person
from oncall.domain import exports
from oncall.domain.exports.documents import Export, ImportedSchedule
from oncall.domain.exports.turning import arithmetic
from oncall.domain.schedules import on_call
from oncall.models import EscalationPolicy, Override
from oncall.tests.test_importing import carry

CHICAGO = ZoneInfo("America/Chicago")


def called(schedule: ImportedSchedule, at: datetime) -> str | None:
    """Return the key of the person who is on call."""
    layers = [arithmetic(layer, schedule.zone) for layer in schedule.layers]
    held = on_call(layers, [], at)
    if held is None or held.layer is None:
        return None
    return schedule.layers[held.layer].people[held.person]


def pagerduty(start: str, virtual: str, seconds: int = 604800) -> ImportedSchedule:
    """Return a schedule in Chicago whose only layer began to hold at one time, and to count at another."""
    layer = {
        "start": start, "rotation_virtual_start": virtual, "rotation_turn_length_seconds": seconds,
        "users": [{"user": {"id": key}} for key in "ABC"],
    }  # fmt: skip
    schedule = {"id": "S", "name": "S", "time_zone": "America/Chicago", "schedule_layers": [layer]}
    (found,) = exports.read("pagerduty", {"schedules": [schedule]}).schedules
    assert not found.refused
    return found


@pytest.mark.parametrize(
    ("start", "firsts"),
    [
        ("2026-07-07T15:35:22-05:00", ["2026-07-07 15:35:22", "2026-07-13 09:00:00"]),
        ("2026-07-06T09:00:00-05:00", ["2026-07-06 09:00:00"]),
        ("2026-07-06T08:59:59-05:00", ["2026-07-06 08:59:59", "2026-07-06 09:00:00"]),
        ("2026-01-05T09:00:00-06:00", ["2026-01-05 09:00:00"]),
        ("2025-12-25T09:00:00-06:00", ["2026-01-05 09:00:00"]),
    ],
)
def test_handovers_stay_when_the_clocks_change(start: str, firsts: list[str]) -> None:
    """Counted from January, by the clock on the wall: 09:00 is 09:00 in July."""
    found = pagerduty(start, "2026-01-05T09:00:00-06:00")
    assert [f"{layer.first} {layer.handover}" for layer in found.layers] == firsts
    begins_at = datetime.fromisoformat(start)
    assert called(found, begins_at - timedelta(seconds=1)) is None
    # 6 July begins the 26th week after 5 January.
    for week, key in ((0, "C"), (1, "A"), (2, "B")):
        begins = datetime(2026, 7, 6, 9, tzinfo=CHICAGO) + timedelta(days=7 * week)
        assert called(found, max(begins, begins_at)) == key
        assert called(found, begins + timedelta(days=7, seconds=-1)) == key


def test_turns_of_hours_are_counted_on_the_wall_too() -> None:
    found = pagerduty("2026-07-06T21:00:00-05:00", "2026-01-05T09:00:00-06:00", 43_200)
    (layer,) = found.layers
    assert (f"{layer.first}", f"{layer.handover}") == ("2026-07-06", "21:00:00")
    # 182 days and a half are 365 turns.
    assert layer.people == ("C", "A", "B")


def grafana(**shift: Any) -> ImportedSchedule:
    """Return a schedule of one shift on working days, in which three people take turns."""
    row = {
        "id": "O1", "name": "Office", "type": "rolling_users", "frequency": "weekly", "interval": 1,
        "start": "2026-07-01T09:00:00", "duration": 28_800, "week_start": "MO",
        "by_day": ["MO", "TU", "WE", "TH", "FR"], "rolling_users": [["A"], ["B"], ["C"]], **shift,
    }  # fmt: skip
    schedule = {"id": "S", "name": "S", "time_zone": "UTC", "shifts": ["O1"]}
    document = {"schedules": [schedule], "on_call_shifts": [row]}
    (found,) = exports.read("grafana-oncall", document).schedules
    assert not found.refused
    return found


def by_day(schedule: ImportedSchedule, hour: int = 12) -> str:
    """Return who is on call at an hour of each day from Monday, 29 June on, for three weeks."""
    days = (datetime(2026, 6, 29, hour, tzinfo=UTC) + timedelta(days=n) for n in range(21))
    return "".join(called(schedule, day) or "-" for day in days)


@pytest.mark.parametrize(
    ("shift", "want"),
    [
        # 1 July is a Wednesday.
        ({}, "--AAA-- BBBBB-- CCCCC--"),
        ({"week_start": "WE"}, "--AAA-- AABBB-- BBCCC--"),
        ({"week_start": "SU", "by_day": ["SU", "WE"]}, "--A---B --B---C --C---A"),
        ({"start": "2026-06-27T09:00:00"}, "AAAAA-- BBBBB-- CCCCC--"),
        ({"start": "2026-07-04T09:00:00", "by_day": ["MO", "FR"]}, "------- A---A-- B---B--"),
        ({"rotation_start": "2026-07-09T00:00:00"}, "------- ---BB-- CCCCC--"),
        ({"start_rotation_from_user_index": 2}, "--CCC-- AAAAA-- BBBBB--"),
        ({"until": "2026-07-14T12:30:00"}, "--AAA-- BBBBB-- CC-----"),
        ({"frequency": "daily", "by_day": None}, "--ABCAB CABCABC ABCABCA"),
        (
            {"frequency": "daily", "by_day": None, "rotation_start": "2026-07-06T09:00:00"},
            "------- CABCABC ABCABCA",
        ),
    ],
)
def test_weeks_of_shifts_begin_where_oncalls_do(shift: dict[str, Any], want: str) -> None:
    assert by_day(grafana(**shift)) == want.replace(" ", "")


def test_a_shift_over_midnight_has_one_person() -> None:
    """Also in the night to the day on which the next one's week begins."""
    found = grafana(start="2026-07-01T22:00:00", by_day=["SU", "WE"])
    assert by_day(found, 23) == "--A---A--B---B--C---C"
    assert by_day(found, 4) == "---A---A--B---B--C---"
    daily = grafana(
        start="2026-07-01T22:00:00", rotation_start="2026-07-01T00:00:00", frequency="daily",
        by_day=None,
    )  # fmt: skip
    assert by_day(daily, 23)[2:8] == by_day(daily, 4)[3:9] == "ABCABC"


def test_local_times_with_an_offset_are_taken_as_they_are() -> None:
    found = grafana(start="2026-07-01T09:00:00-05:00", frequency="daily", by_day=None)
    assert f"{found.layers[0].handover}" == "14:00:00"


def between(begins: int, ends: int) -> dict[str, Any]:
    """Return a restriction of a rotation to hours of each day."""
    hours = {"startHour": begins, "startMin": 0, "endHour": ends, "endMin": 0}
    return {"timeRestriction": {"type": "time-of-day", "restriction": hours}}


def opsgenie(first: dict[str, Any], second: dict[str, Any], **override: Any) -> Export:
    """Return an export of a schedule of two rotations and an override of three days."""
    rotations = [
        {"id": f"R{key}", "name": key, "startDate": "2026-01-05T09:00:00Z", "type": "weekly",
         "participants": [{"type": "user", "id": key}], **more}
        for key, more in (("day", first), ("night", second))
    ]  # fmt: skip
    given = {
        "alias": "Leave", "startDate": "2027-01-05T00:00:00Z", "endDate": "2027-01-08T00:00:00Z",
        "user": {"type": "user", "id": "U"}, "schedule": {"id": "S"}, **override,
    }  # fmt: skip
    schedule = {"id": "S", "name": "Split", "timezone": "Europe/London", "rotations": rotations}
    return exports.read("opsgenie", {"schedules": [schedule], "overrides": [given]})


def told(found: Export) -> list[str]:
    return [
        f"{each.schedule} {each.starts_at:%dT%H} {each.ends_at:%dT%H}" for each in found.overrides
    ]


NIGHT: Sequence[dict[str, Any]] = [{"id": "Rnight", "name": "night"}]


@pytest.mark.parametrize("named", [NIGHT, [{"name": "night"}], [{"id": "Rnight"}]])
def test_an_override_of_one_rotation_leaves_the_others(named: Sequence[dict[str, Any]]) -> None:
    """In one schedule it is an override of each of its shifts; else of its own schedule."""
    apart = opsgenie(between(8, 20), between(20, 8), rotations=named)
    assert told(apart) == ["S 05T00 05T08", "S 05T20 06T08", "S 06T20 07T08", "S 07T20 08T00"]
    assert told(opsgenie({}, {}, rotations=named)) == ["S/1 05T00 08T00"]
    both = [*named, {"id": "Rday"}]
    assert told(opsgenie(between(8, 20), between(20, 8), rotations=both)) == ["S 05T00 08T00"]
    empty: list[dict[str, Any]] = []
    for rotations in (empty, None):
        assert told(opsgenie({}, {}, rotations=rotations)) == ["S 05T00 08T00", "S/1 05T00 08T00"]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ({"rotations": [{"id": "R9"}]}, "names a rotation that its schedule does not have"),
        ({"rotations": ["night"]}, "names a rotation that its schedule does not have"),
        ({"user": {"type": "team", "id": "T1", "name": "Ops"}}, "has the team Ops take over"),
        ({"user": {"type": "escalation", "id": "E1"}}, "has the escalation E1 take over"),
        ({"rotations": NIGHT, "endDate": "2027-11-05T00:00:00Z"}, "305 shifts in it"),
        ({"rotations": NIGHT, "endDate": "9999-11-05T00:00:00Z"}, "more than a year"),
    ],
)
def test_overrides_that_cannot_be_are_refused(override: dict[str, Any], said: str) -> None:
    found = opsgenie(between(8, 20), between(20, 8), **override)
    assert found.overrides == ()
    assert found.lost[0].startswith("Leave: ")
    assert said in found.lost[0]


def test_an_override_by_nobody_leaves_nobody_on_call() -> None:
    found = opsgenie(between(8, 20), between(20, 8), user={"type": "none"})
    assert [each.person for each in found.overrides] == [None]


@pytest.mark.both_databases
@pytest.mark.django_db
def test_opsgenies_rules_and_overrides_are_stored_once(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`if-not-closed` calls whether or not somebody acknowledged; at once is before that."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2026, 3, 2, tzinfo=UTC))
    person("alice")
    User.objects.filter(username="alice").update(email="alice@example.org")
    rules = [
        {"condition": condition, "delay": {"timeAmount": minutes},
         "recipient": {"type": "user", "id": "U"}}
        for condition, minutes in (("if-not-closed", 0), ("if-not-closed", 10), ("if-not-acked", 20))
    ]  # fmt: skip
    user = {"id": "U", "username": "alice@example.org"}
    rotation = {
        "id": "R", "name": "r", "startDate": "2026-01-05T09:00:00Z", "type": "weekly",
        "participants": [user | {"type": "user"}],
    }  # fmt: skip
    rotations = [{**rotation, **between(8, 20)}, {**rotation, "id": "R2", **between(20, 8)}]
    override = {
        "startDate": "2026-03-05T00:00:00Z", "endDate": "2026-03-06T00:00:00Z", "user": user,
        "schedule": {"id": "S"}, "rotations": [{"id": "R2"}],
    }  # fmt: skip
    document = {
        "users": [user],
        "schedules": [{"id": "S", "name": "S", "rotations": rotations}],
        "overrides": [override],
        "escalations": [{"id": "E", "name": "E", "rules": rules}],
    }
    carry(tmp_path, capsys, "opsgenie", document)
    timings = EscalationPolicy.objects.get().timings.filter(severity="P2")
    assert {(row.phase, row.level, row.after.total_seconds() // 60) for row in timings} == {
        ("unacknowledged", 1, 0), ("unacknowledged", 2, 10), ("unacknowledged", 3, 20),
        ("unresolved", 2, 10),
    }  # fmt: skip
    assert Override.objects.count() == 2
    again = carry(tmp_path, capsys, "opsgenie", document)
    assert {item["action"] for item in again["items"]} == {"match", "same"}
