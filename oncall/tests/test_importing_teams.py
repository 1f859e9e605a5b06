"""Teams of other tools: who is in them, whom a rule calls that names one, and what is not carried."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from accounts.tests.cast import person
from catalog.models import Team
from oncall.models import EscalationPolicy
from oncall.tests.test_importing import carry

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
NOT_THERE = (
    "Step 1 calls the team Ops, which the file does not have: list it with GET /v2/teams/{id}."
)


@pytest.fixture(autouse=True)
def people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: MONDAY)
    for name in ("alice", "bob"):
        person(name)
        User.objects.filter(username=name).update(email=f"{name}@example.org")


def member(key: str, role: str = "user") -> dict[str, Any]:
    names = {"U1": "alice", "U2": "bob", "U9": "nina"}
    return {"user": {"id": key, "username": f"{names[key]}@example.org"}, "role": role}


def team(key: str = "T1", name: str = "Ops", **more: Any) -> dict[str, Any]:
    return {
        "id": key, "name": name, "description": "Keeps it up",
        "members": [member("U1", "admin"), member("U2")], **more,
    }  # fmt: skip


def rule(notify: str, key: str = "T1") -> dict[str, Any]:
    """Return a rule of an escalation that calls a team."""
    return {
        "condition": "if-not-acked", "delay": {}, "notifyType": notify,
        "recipient": {"type": "team", "id": key, "name": "Ops"},
    }  # fmt: skip


def opsgenie(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    rotation = {
        "name": "r", "startDate": "2026-01-05T09:00:00Z", "type": "weekly",
        "participants": [{"type": "user", "id": "U2"}],
    }  # fmt: skip
    return {
        "users": [
            {"id": "U1", "username": "alice@example.org"},
            {"id": "U2", "username": "bob@example.org"},
        ],
        "schedules": [{"id": "S1", "name": "Main", "rotations": [rotation]}],
        "escalations": [{"id": "E1", "name": "Ladder", "rules": [*rules]}] if rules else [],
        "teams": [team()],
        **more,
    }


def called(policy: str = "Ladder") -> list[tuple[str, str, str]]:
    """Return mode, kind and name of whom each level calls."""
    levels = EscalationPolicy.objects.get(name=policy).levels.all()
    return [
        (level.mode, target.kind, str(getattr(target, target.kind)))
        for level in levels
        for target in level.targets.all()
    ]


def items(said: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [item for item in said["items"] if item["kind"] == kind]


def test_a_team_is_carried_once(tmp_path: Path, capsys: Any) -> None:
    tried = carry(tmp_path, capsys, "opsgenie", opsgenie(), "--dry-run")
    assert [item["action"] for item in items(tried, "team")] == ["create"]
    assert not Team.objects.exists()
    carry(tmp_path, capsys, "opsgenie", opsgenie())
    made = Team.objects.get()
    assert (made.slug, made.name, made.description) == ("ops", "Ops", "Keeps it up")
    assert {user.username for user in made.members.all()} == {"alice", "bob"}
    again = carry(tmp_path, capsys, "opsgenie", opsgenie())
    assert [(item["action"], item["lost"]) for item in items(again, "team")] == [("match", [])]


def test_a_team_that_is_here_keeps_its_members(tmp_path: Path, capsys: Any) -> None:
    """Members know of private services: an import lets nobody in. Who is missing is said."""
    here = Team.objects.create(slug="ops", name="Ops")
    here.members.add(User.objects.get(username="alice"))
    said = carry(tmp_path, capsys, "opsgenie", opsgenie())
    (item,) = items(said, "team")
    assert (item["action"], item["slug"]) == ("match", "ops")
    assert item["lost"] == ["Not in the team here, and not called with it: bob."]
    assert {user.username for user in here.members.all()} == {"alice"}


@pytest.mark.parametrize(
    ("notify", "wanted", "lost"),
    [
        ("all", [("all", "team", "Ops")], []),
        ("admins", [("all", "person", "alice")], []),
        ("users", [("all", "person", "bob")], []),
        ("random", [("round_robin", "team", "Ops")],
         ["Rule “notify random” calls one of the team in turn."]),
    ],
)  # fmt: skip
def test_a_rule_calls_those_of_a_team_whom_it_called(
    tmp_path: Path, capsys: Any, notify: str, wanted: list[Any], lost: list[str]
) -> None:
    said = carry(tmp_path, capsys, "opsgenie", opsgenie(rule(notify)))
    assert called() == wanted
    assert items(said, "policy")[0]["lost"] == lost


def test_admins_that_a_team_does_not_have_are_all_of_it(tmp_path: Path, capsys: Any) -> None:
    document = opsgenie(rule("admins"), teams=[team(members=[member("U2")])])
    said = carry(tmp_path, capsys, "opsgenie", document)
    assert called() == [("all", "team", "Ops")]
    assert items(said, "policy")[0]["lost"] == ["The team Ops has no admins: all of it is called."]


@pytest.mark.parametrize("notify", ["default", "next"])
def test_a_rule_calls_whoever_is_on_call_of_a_team(
    tmp_path: Path, capsys: Any, notify: str
) -> None:
    """By the schedule that the team's default rule names, else by those that the team owns."""
    routed = team(routingRules=[{"isDefault": True, "notify": {"type": "schedule", "id": "S1"}}])
    owned = [{**opsgenie()["schedules"][0], "ownerTeam": {"id": "T1"}}]
    for more in ({"teams": [routed]}, {"schedules": owned}):
        carry(tmp_path, capsys, "opsgenie", opsgenie(rule(notify), **more))
        assert called() == [("all", "schedule", "Main")]
        EscalationPolicy.objects.all().delete()


def test_a_team_that_nobody_is_on_call_of_is_called_whole(tmp_path: Path, capsys: Any) -> None:
    """Rather too many than nobody, and it is said."""
    said = carry(tmp_path, capsys, "opsgenie", opsgenie(rule("default")))
    assert called() == [("all", "team", "Ops")]
    assert items(said, "policy")[0]["lost"] == [
        "The team Ops has no schedule of its own in the file: all of it is called."
    ]


@pytest.mark.parametrize(
    ("teams", "why"),
    [
        ([], NOT_THERE),
        ([{"id": "T1", "name": "Ops"}], "Step 1 calls a team that is not carried."),
        ([team(members=[member("U9")])], "Step 1 calls a team that is not carried."),
    ],
)  # fmt: skip
def test_a_policy_that_calls_a_team_which_is_not_there_is_refused(
    tmp_path: Path, capsys: Any, teams: list[Any], why: str
) -> None:
    """A level without anybody would call nobody."""
    document = opsgenie(rule("all"), teams=teams)
    document["users"].append({"id": "U9", "username": "nina@example.org"})
    said = carry(tmp_path, capsys, "opsgenie", document, "--dry-run", status=1)
    assert [(item["action"], item["reason"]) for item in items(said, "policy")] == [("refuse", why)]
    reasons = [item["reason"] for item in items(said, "team")]
    wanted = {
        0: [],
        2: ["The file does not have its members: list it with GET /v2/teams/{id}."],
        4: ["nina@example.org has no account here."],
    }[len(teams[0]) if teams else 0]
    assert reasons == wanted


def test_what_else_a_team_decides_is_said(tmp_path: Path, capsys: Any) -> None:
    routing = [
        {"name": "Night", "isDefault": False, "notify": {"type": "none"}},
        {"name": "Usual", "isDefault": True, "notify": {"type": "none"}},
    ]
    said = carry(tmp_path, capsys, "opsgenie", opsgenie(teams=[team(routingRules=routing)]))
    assert items(said, "team")[0]["lost"] == [
        "Its routing rule Night is not carried: all alerts go by its default rule.",
        "Its default routing rule notified nobody.",
    ]


def test_teams_of_the_same_slug_stay_apart(tmp_path: Path, capsys: Any) -> None:
    both = [team("T1", "On-call"), team("T2", "On call", members=[member("U2")])]
    document = opsgenie(rule("all", "T2"), teams=both)
    for _ in range(2):
        carry(tmp_path, capsys, "opsgenie", document)
        assert dict(Team.objects.values_list("slug", "name")) == {
            "on-call": "On-call", "on-call-t2": "On call",
        }  # fmt: skip
        assert called() == [("all", "team", "On call")]


@pytest.mark.parametrize(
    ("source", "document"),
    [
        (
            "pagerduty",
            {
                "users": [
                    {"id": "U1", "email": "alice@example.org", "teams": [{"id": "T1"}]},
                    {"id": "U2", "email": "bob@example.org", "teams": []},
                ],
                "teams": [{"id": "T1", "name": "Ops"}],
            },
        ),
        (
            "grafana-oncall",
            {
                "users": [
                    {"id": "U1", "email": "alice@example.org", "teams": ["T1"]},
                    {"id": "U2", "email": "bob@example.org"},
                ],
                "teams": [{"id": "T1", "name": "Ops"}],
            },
        ),
    ],
)
def test_people_of_other_tools_say_their_teams(
    tmp_path: Path, capsys: Any, source: str, document: dict[str, Any]
) -> None:
    carry(tmp_path, capsys, source, document)
    assert [user.username for user in Team.objects.get(slug="ops").members.all()] == ["alice"]


def test_a_team_of_nobody_is_not_made(tmp_path: Path, capsys: Any) -> None:
    """Whoever exports users without their teams is told so."""
    document = {"users": [], "teams": [{"id": "T1", "name": "Ops"}], "schedules": [
        {"id": "S1", "name": "Main", "schedule_layers": []}]}  # fmt: skip
    said = carry(tmp_path, capsys, "pagerduty", document, status=1)
    (item,) = items(said, "team")
    assert (item["action"], item["reason"]) == ("refuse", "The file does not say who is in it.")
    assert not Team.objects.exists()


def test_a_team_that_is_not_as_expected_is_refused_alone(tmp_path: Path, capsys: Any) -> None:
    odd = team("T2", "Odd", members=[{"user": {}}])
    said = carry(tmp_path, capsys, "opsgenie", opsgenie(teams=[team(), odd]), status=1)
    ops, refused = items(said, "team")
    assert (ops["action"], refused["action"]) == ("create", "refuse")
    assert refused["reason"].startswith("Its members are not as expected")
