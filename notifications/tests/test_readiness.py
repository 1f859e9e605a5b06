"""Readiness: points for what makes it surer that somebody is woken."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person, signed_in
from core import encryption
from notifications.domain.kinds import Kind
from notifications.domain.readiness import Way, readiness_of
from notifications.models import ContactMethod
from notifications.queries.readiness import readiness_of_people

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
DAY = timedelta(days=1)
SOON, LATE = timedelta(), timedelta(minutes=6)


@pytest.mark.parametrize(
    ("ways", "score", "missing"),
    [
        ([], 0, {"reachable", "wakes", "two_kinds", "soon", "proven"}),
        ([Way(Kind.EMAIL)], 50, {"wakes", "two_kinds", "proven"}),
        ([Way(Kind.EMAIL, LATE)], 40, {"wakes", "two_kinds", "soon", "proven"}),
        ([Way(Kind.VOICE)], 70, {"two_kinds", "proven"}),
        ([Way(Kind.VOICE, SOON, NOW - DAY), Way(Kind.EMAIL)], 100, set()),
        ([Way(Kind.VOICE, SOON, NOW - 31 * DAY), Way(Kind.EMAIL)], 85, {"proven"}),
        ([Way(Kind.VOICE, SOON, NOW - 2 * DAY, NOW - DAY), Way(Kind.EMAIL)], 85, {"proven"}),
        ([Way(Kind.VOICE, SOON, NOW - DAY, NOW - 2 * DAY), Way(Kind.EMAIL)], 100, set()),
    ],
)
def test_points(ways: list[Way], score: int, missing: set[str]) -> None:
    found = readiness_of(ways, NOW)
    assert found.score == score
    assert {check.name for check in found.missing} == missing
    assert found.is_reachable is bool(ways)


def method(of: User, kind: Kind, **values: object) -> ContactMethod:
    """Give somebody a verified method."""
    return ContactMethod.objects.create(
        person=of, kind=kind, label=kind, sealed_address=encryption.encrypt("x"),
        **{"verified_at": NOW, **values},
    )  # fmt: skip


@pytest.mark.django_db
@pytest.mark.both_databases
def test_only_what_is_used_when_it_is_urgent_counts(django_assert_num_queries: object) -> None:
    alice, bob, carol = (person(name) for name in ("alice", "bob", "carol"))
    voice, email = method(alice, Kind.VOICE), method(alice, Kind.EMAIL)
    method(bob, Kind.SMS, verified_at=None)
    method(carol, Kind.SMS, is_enabled=False)
    people = [each.pk for each in (alice, bob, carol)]

    def scores() -> list[int]:
        with django_assert_num_queries(2):  # type: ignore[operator]
            found = readiness_of_people(people, now=NOW)
        return [found[each].score for each in people]

    assert scores() == [85, 0, 0]
    rule = alice.notification_rules.create(urgency="high", method=email)
    assert scores() == [50, 0, 0]
    alice.notification_rules.create(urgency="low", method=voice)
    assert scores() == [50, 0, 0]
    rule.delete()
    assert scores() == [85, 0, 0]


@pytest.mark.django_db
@pytest.mark.both_databases
def test_people_see_what_is_left_to_do() -> None:
    client = signed_in(Role.RESPONDER)
    page = client.get("/contact/").content.decode()
    assert "0 of 100" in page
    assert "Add a way to reach you, and verify it." in page
