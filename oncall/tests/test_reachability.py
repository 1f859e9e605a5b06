"""The check of 90 days: a level that reaches nobody is a hole, whatever it calls."""

from datetime import UTC, date, datetime, time

import pytest

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person, signed_in
from catalog.models import Team
from core import encryption
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from oncall.models import EscalationPolicy, FallbackContact, LevelTarget, PolicyLevel, Schedule
from oncall.queries.reachability import holes
from oncall.queries.rotas import on_call_at
from oncall.queries.targets import called_by
from oncall.services.schedules import save_schedule

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def reach(who: User) -> None:
    """Give somebody a verified way to be reached."""
    ContactMethod.objects.create(
        person=who,
        kind=Kind.EMAIL,
        label="email",
        sealed_address=encryption.encrypt("x@example.com"),
        verified_at=NOW,
    )


@pytest.fixture
def level() -> PolicyLevel:
    """The only level of the default policy; the fallback contact can be reached."""
    fallback = person("fallback")
    reach(fallback)
    FallbackContact.objects.create(person=fallback)
    policy = EscalationPolicy.objects.create(slug="standard", name="Standard", is_default=True)
    return PolicyLevel.objects.create(policy=policy, number=1, name="Team")


def found() -> list[tuple[str, str]]:
    return [(hole.kind, hole.message) for hole in holes(now=NOW)]


def test_a_team_of_whom_nobody_can_be_reached_is_a_hole(level: PolicyLevel) -> None:
    """One who can be reached is enough."""
    team = Team.objects.create(slug="pay", name="Payments")
    LevelTarget.objects.create(level=level, team=team)
    assert found() == [("empty_level", "L1 Team: the team Payments has nobody who is active.")]
    bob, gone = person("bob"), person("gone", is_active=False)
    team.members.add(bob, person("alice"), gone)
    reach(gone)
    assert found() == [
        (
            "unreachable",
            "L1 Team: the team Payments has nobody with a verified way to be reached.",
        )
    ]
    reach(bob)
    assert found() == []


def test_a_role_of_whom_nobody_can_be_reached_is_a_hole(level: PolicyLevel) -> None:
    LevelTarget.objects.create(level=level, role=Role.MANAGER)
    assert found() == [("empty_level", "L1 Team: the role manager has nobody who is active.")]
    boss = person("boss", Role.MANAGER)
    person("other", Role.MANAGER)
    assert [kind for kind, _ in found()] == ["unreachable"]
    reach(boss)
    assert found() == []


VERA = "vera is a viewer, who can acknowledge by the link of a page and do nothing else."


def test_a_viewer_who_is_called_is_a_hole(level: PolicyLevel) -> None:
    """They are paged all the same; their answer stops the calls, and nobody is at work."""
    vera = person("vera", Role.VIEWER)
    target = LevelTarget.objects.create(level=level, person=vera)
    assert found() == [("unreachable", "L1 Team: vera has no verified way to be reached.")]
    reach(vera)
    assert found() == [("viewer", f"L1 Team: {VERA}")]
    FallbackContact.objects.update(person=vera)
    assert found() == [("viewer", f"L1 Team: {VERA}"), ("viewer", VERA)]
    called = called_by([{"kind": target.kind, "id": target.target_id}], NOW)
    assert (called.people, called.missing) == ((vera,), ())
    User.objects.filter(pk=vera.pk).update(role=Role.RESPONDER)
    assert found() == []


def test_a_viewer_who_takes_turns_is_a_hole_from_their_first_one(level: PolicyLevel) -> None:
    vera = person("vera", Role.VIEWER)
    reach(vera)
    layer = {
        "name": "Weekly", "first_on": date(2026, 3, 9), "handover_at": time(9), "unit": "weeks",
        "every": 1, "people": [vera],
    }  # fmt: skip
    schedule = save_schedule(
        Schedule(), fields={"slug": "main", "name": "Main"}, layers=[layer], actor="test", now=NOW
    )
    LevelTarget.objects.create(level=level, schedule=schedule)
    (hole,) = [hole for hole in holes(now=NOW) if hole.kind != "gap"]
    assert (hole.kind, hole.subject, hole.message) == ("viewer", "schedule:main", VERA)
    assert hole.starts_at == datetime(2026, 3, 9, 9, tzinfo=UTC)
    assert on_call_at([schedule], hole.starts_at) == {schedule.pk: vera.pk}
    page = signed_in(Role.VIEWER).get("/oncall/check/").content.decode()
    assert VERA in page


def test_a_team_of_viewers_is_a_hole(level: PolicyLevel) -> None:
    """One who can be reached and may act is enough."""
    team = Team.objects.create(slug="pay", name="Payments")
    LevelTarget.objects.create(level=level, team=team)
    vera, bob = person("vera", Role.VIEWER), person("bob")
    team.members.add(vera, bob)
    reach(vera)
    message = "L1 Team: the team Payments has only viewers with a verified way to be reached."
    assert found() == [("viewer", message)]
    reach(bob)
    assert found() == []
