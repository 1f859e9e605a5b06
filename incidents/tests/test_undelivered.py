"""Messages that do not get out: somebody is told all the same, and nobody sooner than they should be."""

from datetime import timedelta

import pytest
from django.db import OperationalError

from accounts.models import User
from incidents.models import Incident, Page
from incidents.queries.simulation import simulate
from incidents.queries.verification import check_invariants
from incidents.services import lifecycle, undelivered
from incidents.services.auditor import audit_paging
from incidents.services.lifecycle import Opening
from incidents.tests.oncall_portal import MONDAY, Portal, portal, watched
from notifications.models import NotificationRule
from oncall.models import FallbackContact, LevelTarget, PolicyLevel

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OF_LEVELS = {"alice-email@example.com", "bob-email@example.com", "carol-email@example.com", "dave-email@example.com"}  # fmt: skip


@pytest.fixture
def eve(portal: Portal) -> User:
    """Return the fallback contact."""
    person = portal.add_person("eve")
    FallbackContact.objects.create(person=person)
    return person


def keeps_its_promises(portal: Portal) -> bool:
    return all(invariant.holds for invariant in check_invariants(now=portal.now))


@pytest.mark.parametrize("is_final", [True, False])
@pytest.mark.parametrize("severity", ["P0", "P1", "P2", "P3"])
def test_where_every_level_fails_the_fallback_contact_is_called(
    portal: Portal, eve: User, severity: str, is_final: bool
) -> None:
    portal.policy.repeat_after = timedelta(minutes=30)
    portal.policy.save()
    portal.post.refusing, portal.post.is_final = set(OF_LEVELS), is_final
    incident = portal.open_incident(severity=severity)
    portal.fast_forward(minutes=15)
    assert [who for _, who in portal.paged()] == ["eve"]
    incident.refresh_from_db()
    assert incident.unreached == "Nobody could be called."
    assert keeps_its_promises(portal)


def test_one_level_whose_message_is_refused_is_nobody(portal: Portal, eve: User) -> None:
    PolicyLevel.objects.filter(number__gt=1).delete()
    portal.post.refusing = {"alice-email@example.com"}
    portal.open_incident(severity="P2")
    assert portal.paged() == [(0, "eve")]


def test_where_one_level_was_told_nobody_else_is_bothered(portal: Portal, eve: User) -> None:
    portal.post.refusing = {"bob-email@example.com"}
    portal.open_incident(severity="P3")
    portal.fast_forward(hours=30)
    assert [who for _, who in portal.paged()] == ["alice"]
    assert audit_paging(now=portal.now) == []


@pytest.mark.parametrize(("severity", "is_final"), [("P0", False), ("P3", True)])
def test_after_an_outage_of_the_provider_people_are_called(
    portal: Portal, eve: User, severity: str, is_final: bool
) -> None:
    """Whatever was tried meanwhile in vain, soon after it somebody is told."""
    portal.post.refusing, portal.post.is_final = {*OF_LEVELS, "eve-email@example.com"}, is_final
    portal.open_incident(severity=severity)
    found = watched(portal, 120, every=6)
    assert portal.paged() == []
    assert "No message got out." in found
    pages = Page.objects.count()
    watched(portal, 60)
    assert Page.objects.count() - pages < 20
    portal.post.refusing = set()
    watched(portal, 60, every=6)
    assert portal.paged()
    assert keeps_its_promises(portal)


def test_the_pause_before_everybody_is_called_again_is_kept(portal: Portal, eve: User) -> None:
    """Refused at once by all: their loops do not follow within the same second."""
    portal.policy.loops, portal.policy.repeat_after = 3, timedelta(minutes=10)
    portal.policy.save()
    portal.post.refusing = set(OF_LEVELS)
    portal.open_incident(severity="P0")
    portal.fast_forward(minutes=5)
    portal.post.refusing = set()
    portal.fast_forward(minutes=10)
    assert portal.paged() == [(0, "eve"), (10, "alice"), (15, "bob")]


def test_without_verified_ways_loops_do_not_follow_at_once(portal: Portal) -> None:
    portal.policy.loops, portal.policy.repeat_after = 2, timedelta(minutes=10)
    portal.policy.save()
    for person in portal.people.values():
        person.contact_methods.update(verified_at=None)
    portal.open_incident(severity="P1")
    assert [minute for minute, _ in portal.paged()] == [0, 0, 0, 0]
    portal.fast_forward(minutes=10)
    # In the end all admins, of whom there are none here.
    assert [minute for minute, _ in portal.paged()] == [0, 0, 0, 0, 10, 10, 10, 10]


def test_where_nobody_is_there_the_fallback_contact_is_called_in_each_loop(
    portal: Portal, eve: User
) -> None:
    LevelTarget.objects.all().delete()
    portal.policy.loops, portal.policy.repeat_after = 2, timedelta(minutes=10)
    portal.policy.save()
    portal.open_incident(severity="P0")
    portal.fast_forward(minutes=20)
    assert portal.paged() == [(0, "eve"), (10, "eve")]
    _, calls = simulate(portal.service, "P0", MONDAY)
    told = [(call.at - MONDAY, call.person) for call in calls if call.channel]
    assert told == [(timedelta(), "eve"), (timedelta(minutes=10), "eve")]


def test_a_late_failure_calls_no_later_level_sooner(portal: Portal) -> None:
    alice = portal.people["alice"]
    method = alice.contact_methods.get()
    delay = timedelta(minutes=20)
    NotificationRule.objects.create(person=alice, urgency="high", method=method, delay=delay)
    portal.post.refusing = {"alice-email@example.com"}
    portal.open_incident(severity="P1")
    portal.fast_forward(minutes=61)
    assert portal.paged() == [(15, "bob"), (60, "carol")]


def test_the_turn_of_a_round_robin_goes_on_with_each_loop_and_passes_who_cannot_be_reached(
    portal: Portal,
) -> None:
    PolicyLevel.objects.filter(number__gt=1).delete()
    level = PolicyLevel.objects.get()
    level.mode = PolicyLevel.Mode.ROUND_ROBIN
    level.save()
    for name in ("bob", "carol"):
        LevelTarget.objects.create(level=level, person=portal.people[name])
    portal.policy.loops, portal.policy.repeat_after = 3, timedelta(minutes=10)
    portal.policy.save()
    User.objects.filter(username="bob").update(is_active=False)
    portal.open_incident(severity="P0")
    portal.fast_forward(minutes=25)
    called = portal.paged()
    assert [minute for minute, _ in called] == [0, 10, 20]
    assert {who for _, who in called} == {"alice", "carol"}
    said = Incident.objects.get().timeline.filter(act="call").values_list("text", flat=True)
    assert any("bob" in text for text in said)


def test_a_round_robin_goes_on_with_each_incident_of_its_policy(portal: Portal) -> None:
    """Whatever numbers the incidents have: those between are of another service."""
    level = PolicyLevel.objects.get(number=1)
    level.mode = PolicyLevel.Mode.ROUND_ROBIN
    level.save()
    for name in ("bob", "carol"):
        LevelTarget.objects.create(level=level, person=portal.people[name])
    for number in range(6):
        for service in (portal.service.pk, None):
            opening = Opening("P2", f"incident {number}", service_id=service)
            lifecycle.declare(opening, now=portal.now, actor="test")
        portal.settle()
    assert [name for _, name in portal.paged()] == ["alice", "bob", "carol"] * 2


def test_a_round_robin_of_many_incidents_at_once_calls_all_alike(portal: Portal) -> None:
    level = PolicyLevel.objects.get(number=1)
    level.mode = PolicyLevel.Mode.ROUND_ROBIN
    level.save()
    LevelTarget.objects.create(level=level, person=portal.people["bob"])
    for number in range(7):
        opening = Opening("P1", f"incident {number}", service_id=portal.service.pk)
        lifecycle.declare(opening, now=portal.now, actor="test")
    portal.settle()
    called = sorted(name for _, name in portal.paged())
    assert called == ["alice"] * 4 + ["bob"] * 3


def test_what_is_claimed_is_sent_whatever_becomes_of_what_is_given_up(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody leaves and the database is busy: a message for others in the same claim goes out."""
    bob, delay = portal.people["bob"], timedelta(minutes=5)
    for person in (bob, portal.people["alice"]):
        method = person.contact_methods.get()
        NotificationRule.objects.create(person=person, urgency="high", method=method, delay=delay)
    LevelTarget.objects.create(level=PolicyLevel.objects.get(number=1), person=bob)
    portal.open_incident(severity="P2")
    other = portal.open_incident("Disk full", severity="P2")
    Page.objects.filter(incident=other, person=portal.people["alice"]).delete()
    User.objects.filter(pk=bob.pk).update(is_active=False)

    def busy(*_arguments: object, **_named: object) -> None:
        raise OperationalError("lock timeout")

    monkeypatch.setattr(undelivered, "_fall_back", busy)
    portal.fast_forward(minutes=6)
    assert (5, "alice") in portal.paged()
    assert not Page.objects.filter(state=Page.State.SENDING).exists()


@pytest.mark.parametrize("state", ["quarantined", "stopped", "exhausted"])
def test_the_auditor_calls_again_whatever_ended_the_calling(
    portal: Portal, eve: User, state: str
) -> None:
    portal.post.refusing = {*OF_LEVELS, "eve-email@example.com"}
    incident = portal.open_incident(severity="P2")
    portal.fast_forward(minutes=1)
    incident.runs.update(state=state, ended_at=portal.now)
    watched(portal, 3)
    portal.post.refusing = set()
    watched(portal, 20)
    assert "alice" in [who for _, who in portal.paged()]


def test_after_an_answer_nobody_says_that_the_fallback_contact_is_called(
    portal: Portal, eve: User
) -> None:
    incident = portal.open_incident(severity="P1")
    alice = portal.people["alice"]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice)
    User.objects.exclude(pk__in=[alice.pk, eve.pk]).update(is_active=False)
    portal.fast_forward(hours=10)
    assert "eve" not in [who for _, who in portal.paged()]
    assert not incident.timeline.filter(act="fallback").exists()
