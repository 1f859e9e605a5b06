"""Names of an export that come to the same slug stay apart, at each import in the same way."""

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import User
from accounts.tests.cast import person
from oncall.domain.exports.slugs import NAMELESS, distinct_slugs
from oncall.models import EscalationPolicy, Schedule
from oncall.services.importing import slug_of
from oncall.tests.test_importing import carry

MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
THINGS = [
    ("S2", "DB on call"),
    ("S1", "DB on-call"),
    ("S3", "数据库"),
    ("S4", "支付"),
    ("S5", "DB"),
]


def slugs(things: list[tuple[str, str]], held: dict[str, str] | None = None) -> dict[str, str]:
    """Return the slug of each key."""
    found = distinct_slugs(things, lambda name: slug_of(name, {"new"}), held or {})
    return {key: slug for (key, _), slug in found.items()}


def test_each_thing_has_a_slug_of_its_own_in_any_order() -> None:
    want = {
        "S1": "db-on-call", "S2": "db-on-call-s2", "S3": "imported-s3", "S4": "imported-s4", "S5": "db",
    }  # fmt: skip
    for things in itertools.permutations(THINGS):
        assert slugs(list(things)) == want


def test_who_has_a_slug_keeps_it() -> None:
    """A namesake that is added later, or that leaves, moves nobody to another's people."""
    assert slugs(THINGS[:1]) == {"S2": "db-on-call"}
    assert slugs(THINGS[:2], {"db-on-call": "DB on call"}) == {
        "S2": "db-on-call", "S1": "db-on-call-s1",
    }  # fmt: skip
    held = {"db-on-call": "DB on call", "db-on-call-s1": "DB on-call"}
    assert slugs(THINGS[:2], held) == {"S2": "db-on-call", "S1": "db-on-call-s1"}
    assert slugs([("S1", "DB on-call")], held) == {"S1": "db-on-call-s1"}
    assert slugs([("S3", "数据库")], {NAMELESS: "数据库"}) == {"S3": NAMELESS}


@pytest.mark.parametrize("key", ["", "数", "K" * 200, "s2"])
def test_slugs_are_slugs_whatever_the_key(key: str) -> None:
    """What a key cannot say a digest does; a slug that another's name comes to is not taken."""
    things = [("A", "x" * 80), (key, "x" * 90), ("B", f"{'x' * 60}-s2"), ("C", "x" * 60)]
    found = distinct_slugs(things, lambda name: slug_of(name, {"new"}), {})
    assert len(set(found.values())) == len(things)
    assert all(len(slug) <= 63 and slug.isascii() for slug in found.values())


def rotation(*people: str) -> list[dict[str, Any]]:
    """Return the rotations of a schedule in which people take turns."""
    participants = [{"type": "user", "id": key} for key in people]
    return [
        {"name": "r", "startDate": "2026-01-05T09:00:00Z", "type": "weekly",
         "participants": participants}
    ]  # fmt: skip


def called(kind: str, key: str) -> list[dict[str, Any]]:
    """Return the rules of a policy that calls at once."""
    return [{"condition": "if-not-acked", "delay": {}, "recipient": {"type": kind, "id": key}}]


OPSGENIE: dict[str, Any] = {
    "users": [
        {"id": "U1", "username": "alice@example.org"}, {"id": "U2", "username": "bob@example.org"},
    ],
    "schedules": [
        {"id": "S1", "name": "DB on-call", "rotations": rotation("U1")},
        {"id": "S2", "name": "DB on call", "rotations": rotation("U2")},
        {"id": "S3", "name": "数据库", "rotations": rotation("U1")},
        {"id": "S4", "name": "支付", "rotations": rotation("U2")},
    ],
    "escalations": [
        {"id": "E1", "name": "E one", "rules": called("schedule", "S1")},
        {"id": "E2", "name": "E-one", "rules": called("schedule", "S2")},
    ],
}  # fmt: skip


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: MONDAY)
    for name in ("alice", "bob"):
        person(name)
        User.objects.filter(username=name).update(email=f"{name}@example.org")


def calls(policy: str) -> list[str]:
    """Return the names of the schedules that a policy calls."""
    level = EscalationPolicy.objects.get(name=policy).levels.get()
    return [target.schedule.name for target in level.targets.all() if target.schedule]


@pytest.mark.both_databases
@pytest.mark.django_db
@pytest.mark.usefixtures("people")
def test_namesakes_are_imported_apart(tmp_path: Path, capsys: Any) -> None:
    """Each policy calls its own people, and importing again changes nothing."""
    carry(tmp_path, capsys, "opsgenie", OPSGENIE)
    assert set(Schedule.objects.values_list("slug", "name")) == {
        ("db-on-call", "DB on-call"), ("db-on-call-s2", "DB on call"), ("imported-s3", "数据库"),
        ("imported-s4", "支付"),
    }  # fmt: skip
    assert (calls("E one"), calls("E-one")) == (["DB on-call"], ["DB on call"])
    shuffled = {**OPSGENIE, "schedules": [*reversed(OPSGENIE["schedules"])]}
    for document in (OPSGENIE, shuffled):
        again = carry(tmp_path, capsys, "opsgenie", document)
        assert {item["action"] for item in again["items"]} == {"match", "same"}


@pytest.mark.django_db
@pytest.mark.usefixtures("people")
def test_what_is_here_already_is_said_to_be_replaced(tmp_path: Path, capsys: Any) -> None:
    Schedule.objects.create(slug="db-on-call", name="Made by hand")
    said = carry(tmp_path, capsys, "opsgenie", OPSGENIE, "--dry-run")
    (item,) = [item for item in said["items"] if item["slug"] == "db-on-call"]
    assert (item["action"], item["changes"]) == ("change", ["name", "layers"])
    assert item["lost"] == ["It is here already: what was made or edited here is replaced."]
    path = tmp_path / "export.json"
    call_command("import_oncall", "opsgenie", str(path), "--dry-run")
    assert "change  schedule DB on-call (db-on-call): name, layers" in capsys.readouterr().out


@pytest.mark.django_db
@pytest.mark.usefixtures("people")
def test_a_refused_person_says_what_is_wrong(tmp_path: Path, capsys: Any) -> None:
    users = [{"id": "U9", "username": "no address", "fullName": "Nina"}]
    document = {**OPSGENIE, "users": [*OPSGENIE["users"], *users]}
    said = carry(tmp_path, capsys, "opsgenie", document, "--create-users", status=1)
    (refused,) = [item for item in said["items"] if item["action"] == "refuse"]
    assert refused["reason"] == "email: Enter a valid email address."


@pytest.mark.both_databases
@pytest.mark.django_db
@pytest.mark.usefixtures("people")
def test_who_was_deactivated_is_not_put_on_call(tmp_path: Path, capsys: Any) -> None:
    """Nobody would be called in their turns, and nothing would say so."""
    User.objects.filter(username="bob").update(is_active=False)
    said = carry(tmp_path, capsys, "opsgenie", OPSGENIE, status=1)
    gone = "bob is no longer active here: nobody would be called."
    (user,) = [item for item in said["items"] if item["slug"] == "bob"]
    assert (user["action"], user["lost"]) == ("match", [gone])
    refused = {item["name"]: item["reason"] for item in said["items"] if item["action"] == "refuse"}
    assert (refused["DB on call"], refused["支付"]) == (gone, gone)
    assert not Schedule.objects.filter(layers__members__person__is_active=False).exists()


@pytest.mark.both_databases
@pytest.mark.django_db
@pytest.mark.usefixtures("people")
def test_a_user_name_that_somebody_has_in_capitals_gets_a_number(
    tmp_path: Path, capsys: Any
) -> None:
    person("Nina")
    users = [{"id": "U9", "username": "nina@example.org", "fullName": "Nina"}]
    document = {**OPSGENIE, "users": [*OPSGENIE["users"], *users]}
    said = carry(tmp_path, capsys, "opsgenie", document, "--create-users")
    (made,) = [
        item for item in said["items"] if item["action"] == "create" and item["kind"] == "user"
    ]
    assert made["slug"] == "nina2"


@pytest.mark.django_db
@pytest.mark.usefixtures("people")
def test_a_mapping_to_nobody_is_bad_usage(tmp_path: Path, capsys: Any) -> None:
    """Nobody is made or left out because a name was mistyped."""
    path = tmp_path / "export.json"
    path.write_text(json.dumps(OPSGENIE))
    with pytest.raises(SystemExit) as ended:
        call_command(
            "import_oncall", "opsgenie", str(path), "--create-users",
            "--map", "alice@example.org=nope", "--map", "bob@example.org=bob",
        )  # fmt: skip
    assert ended.value.code == 2
    assert "--map names who has no account here: nope." in capsys.readouterr().err
    assert not Schedule.objects.exists()
