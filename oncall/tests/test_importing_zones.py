"""Time zones of an export, and whose export it is: what would be wrong is refused, and says why."""

import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.models import User
from accounts.tests.cast import person
from oncall.domain import exports
from oncall.domain.exports.documents import ImportedSchedule
from oncall.domain.rotations import Restriction
from oncall.domain.spans import Span
from oncall.models import EscalationPolicy
from oncall.tests.test_importing import carry

WEEK = 7 * 86_400
UNKNOWN = "Eastern Time (US & Canada)"


def grafana(zone: str | None, *own: str | None) -> ImportedSchedule:
    shifts = [
        {"id": f"O{n}", "name": f"O{n}", "type": "rolling_users", "start": "2026-03-02T09:00:00",
         "duration": WEEK, "frequency": "weekly", "rolling_users": [["A"]], "level": n,
         "time_zone": each}
        for n, each in enumerate(own)
    ]  # fmt: skip
    row = {"id": "S", "name": "S", "time_zone": zone, "shifts": [shift["id"] for shift in shifts]}
    (found,) = exports.read(
        "grafana-oncall", {"schedules": [row], "on_call_shifts": shifts}
    ).schedules
    return found


def test_a_schedule_goes_by_the_clock_of_its_shifts() -> None:
    found = grafana("UTC", "America/Chicago", "America/Chicago")
    assert found.zone == "America/Chicago"
    assert found.lost == ("Its shifts go by the clock of America/Chicago: so does all of it here.",)
    assert grafana("Europe/London", None, "Europe/Belfast").zone == "Europe/London"
    assert grafana(None, None, "Etc/UTC").zone == "UTC"
    assert not grafana(None, None).lost


def test_shifts_of_several_clocks_are_refused() -> None:
    found = grafana("UTC", "America/Chicago", None)
    assert "by several clocks (America/Chicago, UTC)" in found.refused


@pytest.mark.parametrize(
    "document",
    [
        ("pagerduty", {"schedules": [{"id": "S", "time_zone": UNKNOWN, "schedule_layers": []}]}),
        ("opsgenie", {"schedules": [{"id": "S", "timezone": UNKNOWN, "rotations": []}]}),
        ("grafana-oncall", {"schedules": [{"id": "S", "time_zone": UNKNOWN, "shifts": []}]}),
    ],
)
def test_a_schedule_of_an_unknown_zone_is_refused(document: tuple[str, dict[str, Any]]) -> None:
    """Whoever is on call would be so at other hours."""
    (found,) = exports.read(*document).schedules
    assert found.refused.startswith(f"Its time zone {UNKNOWN} is unknown")


@pytest.mark.django_db
@pytest.mark.both_databases
def test_a_person_of_an_unknown_zone_is_carried(tmp_path: Path, capsys: Any) -> None:
    """It is only the clock that they are shown; those who have an account keep theirs."""
    person("ann")
    users = [
        {"id": "U1", "name": "Nina New", "email": "nina@example.org", "time_zone": UNKNOWN},
        {"id": "U2", "name": "Ann", "email": "ann@example.com", "time_zone": UNKNOWN},
        {"id": "U3", "name": "Bo", "email": "bo@example.org", "time_zone": "Asia/Tokyo"},
    ]
    said = carry(tmp_path, capsys, "pagerduty", {"users": users}, "--create-users")
    assert [item["action"] for item in said["items"]] == ["create", "match", "create"]
    assert [item["lost"] for item in said["items"]] == [
        [f"Their time zone {UNKNOWN} is unknown: theirs is UTC here."], [], [],
    ]  # fmt: skip
    assert User.objects.get(username="nina").timezone == "UTC"
    assert User.objects.get(username="bo").timezone == "Asia/Tokyo"


ROTATION = {"startDate": "2026-10-05T09:00:00Z", "type": "weekly"}


def rotation(name: str, **more: Any) -> dict[str, Any]:
    return {**ROTATION, "name": name, "participants": [{"type": "user", "id": name}], **more}


@pytest.mark.django_db
@pytest.mark.both_databases
def test_who_is_on_call_side_by_side_until_another_begins_is_called(
    tmp_path: Path, capsys: Any
) -> None:
    users = [{"id": name, "username": f"{name}@example.com"} for name in ("ann", "bob", "cat")]
    for user in users:
        person(user["id"])
    until = {"endDate": "2027-03-01T09:00:00Z"}
    later = {"startDate": "2027-03-01T09:00:00Z"}
    rotations = [rotation("ann", **until), rotation("bob", **until), rotation("cat", **later)]
    rules = [
        {"condition": "if-not-acked", "delay": {}, "recipient": {"type": "schedule", "id": "S"}}
    ]
    carry(tmp_path, capsys, "opsgenie", {
        "users": users,
        "schedules": [{"id": "S", "name": "Two now", "timezone": "UTC", "rotations": rotations}],
        "escalations": [{"id": "E", "name": "E", "rules": rules}],
    })  # fmt: skip
    targets = EscalationPolicy.objects.get().levels.get().targets.all()
    called = [target.schedule.layers.get().members.get() for target in targets if target.schedule]
    assert {member.person.username for member in called} == {"ann", "bob", "cat"}


@pytest.mark.parametrize(
    ("begins", "ends", "days"),
    [
        (("monday", 0), ("monday", 24), {0}),
        (("monday", 0), ("friday", 24), {0, 1, 2, 3, 4}),
        (("sunday", 0), ("sunday", 24), {6}),
        (("sunday", 24), ("monday", 24), {0}),
        (("monday", 0), ("sunday", 24), {0, 1, 2, 3, 4, 5, 6}),
    ],
)
def test_24_oclock_is_the_midnight_after_a_day(
    begins: tuple[str, int], ends: tuple[str, int], days: set[int]
) -> None:
    hours = {"startDay": begins[0], "startHour": begins[1], "endDay": ends[0], "endHour": ends[1]}
    limit = {"type": "weekday-and-time-of-day", "restrictions": [hours]}
    row = {"id": "S", "rotations": [rotation("ann", timeRestriction=limit)]}
    (found,) = exports.read("opsgenie", {"schedules": [row]}).schedules
    rules = found.layers[0].restrictions
    assert {(rule.begins, rule.ends) for rule in rules} == {(time(), time())}
    assert {day for rule in rules for day in rule.weekdays} == days


@pytest.mark.parametrize(
    ("source", "document"),
    [
        ("pagerduty", {"users": [{"id": "U"}], "schedules": [{"id": "S", "rotations": []}]}),
        ("grafana-oncall", {"users": [{"id": "U"}], "escalations": [{"id": "E"}]}),
    ],
)
def test_an_export_of_another_tool_is_told(source: str, document: dict[str, Any]) -> None:
    with pytest.raises(exports.Unreadable) as error:
        exports.read(source, json.loads(json.dumps(document)))
    assert str(error.value) == f"This looks like an export of opsgenie, not of {source}."
    assert exports.read("opsgenie", document).people


def test_a_day_that_comes_twice_in_part_counts_in_both() -> None:
    """St. John's put its clocks back from 00:01 to 23:01: the new day had begun before."""
    zone = ZoneInfo("America/St_Johns")
    begun = datetime(2006, 10, 29, 2, 30, tzinfo=UTC)
    whole = Restriction(time(), time(), frozenset({6}))
    within = Span(begun + timedelta(minutes=5), begun + timedelta(minutes=6))
    assert within.start.astimezone(zone).date().weekday() == 5
    assert list(whole.spans(within, zone)) == [within]
