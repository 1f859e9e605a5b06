"""The check of 90 days: a level that reaches nobody is a hole, whatever it calls."""

from datetime import UTC, datetime

import pytest

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from catalog.models import Team
from core import encryption
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from oncall.models import EscalationPolicy, FallbackContact, LevelTarget, PolicyLevel
from oncall.queries.reachability import holes

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
