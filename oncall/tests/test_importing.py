"""`manage.py import_oncall`: another tool's schedules and policies call the same people here."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from accounts.models import User
from accounts.tests.cast import person
from notifications.models import ContactMethod
from oncall.domain import exports
from oncall.models import EscalationPolicy, Override, Schedule
from oncall.queries.rotas import on_call_at
from oncall.services.importing import import_export

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)

PAGERDUTY: dict[str, Any] = {
    "users": [
        {
            "id": "PALICE",
            "name": "Alice Archer",
            "email": "alice@example.org",
            "time_zone": "Europe/London",
            "contact_methods": [
                {"id": "C1", "type": "email_contact_method", "address": "alice@example.org"},
                {"id": "C2", "type": "sms_contact_method", "country_code": 44,
                 "address": "7700900123", "label": "Mobile"},
            ],
        },
        {"id": "PBOB", "name": "Bob Bell", "email": "BOB@example.org"},
        {"id": "PCAROL", "name": "Carol Cole", "email": "carol@elsewhere.example"},
    ],
    "schedules": [
        {
            "id": "SPRIMARY",
            "name": "Payments primary",
            "time_zone": "Europe/London",
            "schedule_layers": [
                {
                    "name": "Nights",
                    "start": "2026-02-23T09:00:00Z",
                    "rotation_virtual_start": "2026-02-23T09:00:00Z",
                    "rotation_turn_length_seconds": 604800,
                    "users": [{"user": {"id": "PBOB"}}],
                    "restrictions": [
                        {"type": "daily_restriction", "start_time_of_day": "22:00:00",
                         "duration_seconds": 36000}
                    ],
                },
                {
                    "name": "Always",
                    "start": "2026-03-02T09:00:00Z",
                    "rotation_virtual_start": "2026-02-23T09:00:00Z",
                    "rotation_turn_length_seconds": 604800,
                    "users": [{"user": {"id": "PALICE"}}, {"user": {"id": "PBOB"}}],
                },
            ],
        }
    ],
    "overrides": [
        {"start": "2026-03-04T09:00:00Z", "end": "2026-03-04T17:00:00Z",
         "user": {"id": "PALICE"}, "schedule": {"id": "SPRIMARY"}},
        {"start": "2025-03-04T09:00:00Z", "end": "2025-03-04T17:00:00Z",
         "user": {"id": "PALICE"}, "schedule": {"id": "SPRIMARY"}},
    ],
    "escalation_policies": [
        {
            "id": "EP1",
            "name": "Payments",
            "num_loops": 2,
            "escalation_rules": [
                {"escalation_delay_in_minutes": 10,
                 "targets": [{"id": "SPRIMARY", "type": "schedule_reference"}]},
                {"escalation_delay_in_minutes": 20,
                 "targets": [{"id": "PBOB", "type": "user_reference"}]},
            ],
        }
    ],
}  # fmt: skip

OPSGENIE: dict[str, Any] = {
    "users": {
        "data": [
            {"id": "u1", "username": "alice@example.org", "fullName": "Alice Archer",
             "userContacts": [{"contactMethod": "voice", "to": "44-7700900123"}]},
            {"id": "u2", "username": "bob@example.org", "fullName": "Bob Bell"},
        ]
    },
    "schedules": [
        {
            "id": "s1",
            "name": "Shop",
            "timezone": "America/Chicago",
            "rotations": [
                {
                    "name": "Office",
                    "startDate": "2026-02-23T15:00:00Z",
                    "type": "daily",
                    "length": 1,
                    "participants": [{"type": "user", "id": "u1"}, {"type": "user", "id": "u2"}],
                    "timeRestriction": {
                        "type": "weekday-and-time-of-day",
                        "restrictions": [
                            {"startDay": "friday", "startHour": 18, "startMin": 0,
                             "endDay": "monday", "endHour": 8, "endMin": 30}
                        ],
                    },
                }
            ],
        },
        {
            "id": "s2",
            "name": "Both",
            "timezone": "UTC",
            "rotations": [
                {"name": "One", "startDate": "2026-02-23T09:00:00Z", "type": "weekly", "length": 1,
                 "participants": [{"type": "user", "username": "alice@example.org"}]},
                {"name": "Two", "startDate": "2026-02-23T09:00:00Z", "type": "weekly", "length": 2,
                 "participants": [{"type": "user", "username": "bob@example.org"}]},
            ],
        },
    ],
    "escalations": [
        {
            "id": "e1",
            "name": "Shop escalation",
            "rules": [
                {"condition": "if-not-acked", "notifyType": "default",
                 "delay": {"timeAmount": 0, "timeUnit": "minutes"},
                 "recipient": {"type": "schedule", "id": "s2", "name": "Both"}},
                {"condition": "if-not-closed", "notifyType": "default",
                 "delay": {"timeAmount": 1, "timeUnit": "hours"},
                 "recipient": {"type": "user", "username": "bob@example.org"}},
            ],
            "repeat": {"count": 3, "waitInterval": 20},
        }
    ],
}  # fmt: skip

GRAFANA: dict[str, Any] = {
    "users": [
        {"id": "U1", "email": "alice@example.org", "username": "alice"},
        {"id": "U2", "email": None, "username": "bob"},
    ],
    "schedules": [
        {"id": "S1", "name": "Search", "type": "calendar", "time_zone": "Europe/London",
         "shifts": ["O1", "O2"]},
        {"id": "S2", "name": "From a calendar", "type": "ical"},
    ],
    "on_call_shifts": [
        {"id": "O1", "name": "Office hours", "type": "rolling_users", "level": 0,
         "start": "2026-02-23T09:00:00", "duration": 28800, "frequency": "weekly", "interval": 1,
         "by_day": ["MO", "TU", "WE", "TH", "FR"], "rolling_users": [["U1"], ["U2"]],
         "start_rotation_from_user_index": 1},
        {"id": "O2", "name": "Cover", "type": "override", "start": "2026-03-03T10:00:00",
         "duration": 3600, "users": ["U1"]},
    ],
    "escalation_chains": [{"id": "F1", "name": "Search"}],
    "escalation_policies": [
        {"id": "E1", "escalation_chain_id": "F1", "position": 0,
         "type": "notify_on_call_from_schedule", "notify_on_call_from_schedule": "S1"},
        {"id": "E2", "escalation_chain_id": "F1", "position": 1, "type": "wait", "duration": 900},
        {"id": "E3", "escalation_chain_id": "F1", "position": 2, "type": "notify_persons",
         "persons_to_notify": ["U2"]},
        {"id": "E4", "escalation_chain_id": "F1", "position": 3, "type": "trigger_webhook"},
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: MONDAY)
    for name in ("alice", "bob"):
        person(name)
        User.objects.filter(username=name).update(email=f"{name}@example.org")


def carry(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    source: str,
    document: object,
    *options: str,
    status: int = 0,
) -> dict[str, Any]:
    """Import a document; returns what the command printed."""
    path = tmp_path / "export.json"
    path.write_text(json.dumps(document))
    try:
        call_command("import_oncall", source, str(path), "--json", *options)
        ended = 0
    except SystemExit as error:
        ended = int(error.code or 0)
    said = capsys.readouterr()
    assert ended == status, said.err
    printed: dict[str, Any] = json.loads(said.out) if said.out else {}
    return printed


def on_call(slug: str, at: datetime) -> str | None:
    """Return who is on call of a schedule at an instant."""
    schedule = Schedule.objects.with_rota().get(slug=slug)
    pk = on_call_at([schedule], at)[schedule.pk]
    return User.objects.get(pk=pk).username if pk else None


def test_pagerduty_calls_the_same_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Layers, restrictions and a rotation counted from an earlier day than it began."""
    said = carry(tmp_path, capsys, "pagerduty", PAGERDUTY, status=1)
    assert said["unmatched_users"] == ["carol@elsewhere.example"]
    assert not [item for item in said["items"] if item["action"] == "refuse"]
    # The week from 2 March is the second one since 23 February: Bob's.
    assert on_call("payments-primary", MONDAY) == "bob"
    assert on_call("payments-primary", MONDAY + timedelta(days=7)) == "alice"
    assert on_call("payments-primary", MONDAY + timedelta(days=7, hours=13)) == "bob"  # 23:00
    assert on_call("payments-primary", MONDAY + timedelta(days=2)) == "alice"  # the override
    policy = EscalationPolicy.objects.get(slug="payments")
    assert (policy.loops, policy.repeat_after) == (3, timedelta(minutes=20))
    assert [(t.level, t.after) for t in policy.timings.filter(severity="P0")] == [
        (1, timedelta()),
        (2, timedelta(minutes=10)),
    ]
    sms = ContactMethod.objects.get(kind="sms")
    assert (sms.address, sms.verified_at, sms.label) == ("+447700900123", None, "Mobile")


def test_importing_again_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    carry(tmp_path, capsys, "pagerduty", PAGERDUTY, status=1)
    again = carry(tmp_path, capsys, "pagerduty", PAGERDUTY, status=1)
    assert {item["action"] for item in again["items"]} == {"match", "same", "skip"}
    changed = json.loads(json.dumps(PAGERDUTY))
    changed["schedules"][0]["schedule_layers"][1]["users"].reverse()
    third = carry(tmp_path, capsys, "pagerduty", changed, status=1)
    (item,) = [item for item in third["items"] if item["kind"] == "schedule"]
    assert (item["action"], item["changes"]) == ("change", ["layers"])
    assert Override.objects.count() == 1


def test_a_dry_run_says_the_same_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = carry(tmp_path, capsys, "pagerduty", PAGERDUTY, "--dry-run", status=1)
    assert (Schedule.objects.count(), ContactMethod.objects.count()) == (0, 0)
    done = carry(tmp_path, capsys, "pagerduty", PAGERDUTY, status=1)
    assert plan["items"] == done["items"]
    assert plan["dry_run"]
    assert not done["dry_run"]


def test_unknown_people_refuse_what_they_are_part_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rotation without one of its people would call the others on wrong days."""
    User.objects.filter(username="bob").update(email="")
    said = carry(tmp_path, capsys, "pagerduty", PAGERDUTY, status=1)
    reasons = {item["kind"]: item["reason"] for item in said["items"] if item["reason"]}
    assert reasons["schedule"] == "Bob Bell has no account here."
    assert reasons["policy"] == "Step 1 calls a schedule that is not carried."
    assert not Schedule.objects.exists()
    mapped = carry(
        tmp_path, capsys, "pagerduty", PAGERDUTY,
        "--map", "BOB@example.org=bob", "--create-users", status=0,
    )  # fmt: skip
    assert mapped["complete"]
    carol = User.objects.get(email="carol@elsewhere.example")
    assert (carol.username, carol.role, carol.has_usable_password()) == (
        "carol", "responder", False,
    )  # fmt: skip


def test_opsgenie_restrictions_over_a_weekend_and_rotations_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = carry(tmp_path, capsys, "opsgenie", OPSGENIE)
    assert said["complete"]
    saturday = datetime(2026, 3, 7, 18, tzinfo=UTC)
    assert on_call("shop", saturday) in {"alice", "bob"}
    assert on_call("shop", datetime(2026, 3, 3, 18, tzinfo=UTC)) is None  # Tuesday noon in Chicago
    assert on_call("shop", datetime(2026, 3, 9, 13, 20, tzinfo=UTC)) is not None  # Monday 08:20 CDT
    assert on_call("shop", datetime(2026, 3, 9, 13, 40, tzinfo=UTC)) is None
    assert (on_call("both-one", MONDAY), on_call("both-two", MONDAY)) == ("alice", "bob")
    policy = EscalationPolicy.objects.get(slug="shop-escalation")
    first, second = policy.levels.all()
    assert [target.kind for target in first.targets.all()] == ["schedule", "schedule"]
    assert [target.kind for target in second.targets.all()] == ["person"]
    phases = policy.timings.filter(severity="P1", level=2).values_list("phase", flat=True)
    assert set(phases) == {"unacknowledged", "unresolved"}
    assert policy.loops == 4
    assert ContactMethod.objects.get(kind="voice").address == "+447700900123"


def test_grafana_oncall_shifts_and_chains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = carry(tmp_path, capsys, "grafana-oncall", GRAFANA, status=1)
    (refused,) = [item for item in said["items"] if item["action"] == "refuse"]
    assert refused["name"] == "From a calendar"
    # The rotation starts with its second person; the week of 2 March is the first one's.
    assert on_call("search", MONDAY) == "alice"
    assert on_call("search", datetime(2026, 3, 10, 10, tzinfo=UTC)) == "bob"
    assert on_call("search", datetime(2026, 3, 10, 18, tzinfo=UTC)) is None
    policy = EscalationPolicy.objects.get(slug="search")
    assert [t.after for t in policy.timings.filter(severity="P2")] == [
        timedelta(),
        timedelta(minutes=15),
    ]
    (item,) = [item for item in said["items"] if item["kind"] == "policy"]
    assert item["lost"] == ["Step “trigger webhook” is not carried."]


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "no JSON object"),
        ({}, "Neither users, schedules"),
        ({"users": [{"name": "no id"}]}, "Neither users, schedules"),
    ],
)
def test_what_is_no_export_is_bad_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], document: object, sentence: str
) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(document))
    with pytest.raises(SystemExit) as ended:
        call_command("import_oncall", "opsgenie", str(path))
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("text", [f'{{"users": {"9" * 5000}}}', "[" * 100_000, "", "\x00"])
def test_what_python_reads_no_json_of_is_bad_usage_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """A number of thousands of digits, a list in a list in a list …"""
    path = tmp_path / "export.json"
    path.write_text(text)
    with pytest.raises(SystemExit) as ended:
        call_command("import_oncall", "opsgenie", str(path))
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(str(path))


@pytest.mark.parametrize("source", ["opsgenie", "pagerduty", "grafana-oncall"])
@pytest.mark.parametrize("value", [None, -7, 1e300, "text", [], {}, [None], [[{}]], {"data": 3}])
def test_rubbish_in_any_place_is_refused_in_words(source: str, value: object) -> None:
    """Each field of a good export replaced by rubbish: the rest is read, or a sentence says why."""
    good = {"opsgenie": OPSGENIE, "pagerduty": PAGERDUTY, "grafana-oncall": GRAFANA}[source]
    for place in _places(good):
        try:
            found = exports.read(source, _changed(good, place, lambda _: value))
        except exports.Unreadable:
            continue
        assert found.people or found.schedules or found.policies, place


@pytest.mark.parametrize("source", ["opsgenie", "pagerduty", "grafana-oncall"])
def test_text_that_no_database_keeps_is_imported_without_it(source: str) -> None:
    """JSON says NUL and half a surrogate pair; each text of a good export with both at its end."""
    good = {"opsgenie": OPSGENIE, "pagerduty": PAGERDUTY, "grafana-oncall": GRAFANA}[source]
    for place in _places(good):
        document = _changed(
            good, place, lambda is_: f"{is_}\0\ud800" if isinstance(is_, str) else is_
        )
        if document == good:
            continue
        with transaction.atomic():
            found = exports.read(source, document)
            import_export(found, actor="test", now=MONDAY, create_users=True)
            transaction.set_rollback(True)


def _changed(
    good: dict[str, Any], place: tuple[Any, ...], change: Callable[[Any], Any]
) -> dict[str, Any]:
    """Return a copy of an export with what is in one place changed."""
    document: dict[str, Any] = json.loads(json.dumps(good))
    spot: Any = document
    for step in place[:-1]:
        spot = spot[step]
    spot[place[-1]] = change(spot[place[-1]])
    return document


def _places(node: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(node, dict):
        keys: list[Any] = list(node)
    elif isinstance(node, list):
        keys = list(range(len(node)))
    else:
        return []
    found = []
    for key in keys:
        found += [(*so_far, key), *_places(node[key], (*so_far, key))]
    return found
