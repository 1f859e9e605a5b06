"""Roles of an incident: claimed in one tap, handed over when the other one accepts."""

from collections.abc import Callable
from datetime import time, timedelta
from functools import partial
from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from catalog.models import Service, Team
from core.errors import Conflict, Forbidden, InvalidInput
from core.models import AuditEntry
from core.tests.crossing import beside
from incidents.domain.roles import DUTIES, Holder, RoleName
from incidents.models import Incident, IncidentRole, Page
from incidents.queries.roles import RoleState, role_offers, roles_of
from incidents.services import lifecycle, merging, roles
from incidents.tests.oncall_portal import Portal, portal
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod, QuietHours
from oncall.models import LevelTarget, PolicyLevel

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
COMMANDER = RoleName.COMMANDER
Deed = Callable[..., Incident]


@pytest.fixture
def incident(portal: Portal) -> Incident:
    return portal.open_incident("Checkout answers 500")


@pytest.fixture
def alice(portal: Portal) -> User:
    return portal.people["alice"]


@pytest.fixture
def bob(portal: Portal) -> User:
    return portal.people["bob"]


@pytest.fixture
def mona() -> User:
    return person("mona", Role.MANAGER)


def do(portal: Portal, deed: Deed, incident: Incident, by: User, **values: Any) -> None:
    deed(incident.pk, role=COMMANDER, person=by, now=portal.now, actor=by, **values)


def commander(incident: Incident, reader: User) -> RoleState:
    return roles_of(incident, reader)[0]


def told(incident: Incident) -> list[str]:
    """Return what the timeline says of roles."""
    entries = incident.timeline.filter(act__startswith="role_").order_by("pk")
    return [f"{entry.act} {entry.text}" for entry in entries]


def test_a_free_role_is_claimed_in_one_tap_and_a_second_tap_changes_nothing(
    portal: Portal, incident: Incident, alice: User
) -> None:
    assert {state.role for state in roles_of(incident, alice)} == set(RoleName) == set(DUTIES)
    assert commander(incident, alice).may == {"claim"}
    for _ in range(2):
        do(portal, roles.claim, incident, alice)
    held = commander(incident, alice)
    assert (held.holder, held.since, held.is_free) == ("alice", portal.now, False)
    assert held.may == {"offer", "release"}
    assert told(incident) == ["role_claimed Commander: alice."]
    (entry,) = AuditEntry.objects.filter(act="incident.role_claimed")
    assert entry.changes == {"role": "commander", "holder": [None, "alice"]}


def test_a_held_role_is_refused_by_the_name_of_its_holder(
    portal: Portal, incident: Incident, alice: User, bob: User
) -> None:
    do(portal, roles.claim, incident, alice)
    with pytest.raises(Conflict, match="alice is commander since 2026-03-02 03:00 UTC"):
        do(portal, roles.claim, incident, bob)
    assert commander(incident, bob).may == frozenset()


def test_a_handover_counts_when_the_other_one_accepts(
    portal: Portal, incident: Incident, alice: User, bob: User
) -> None:
    do(portal, roles.claim, incident, alice)
    for _ in range(2):
        do(portal, roles.offer, incident, alice, to=bob)
    asked = commander(incident, bob)
    assert (asked.holder, asked.offered_to, asked.offered_by) == ("alice", "bob", "alice")
    assert asked.may == {"accept", "decline"}
    assert [row.incident for row in role_offers(bob)] == [incident]
    for _ in range(2):
        do(portal, roles.accept, incident, bob)
    now_held = commander(incident, bob)
    assert (now_held.holder, now_held.offered_to) == ("bob", "")
    assert role_offers(bob) == []
    assert told(incident)[1:] == [
        "role_offered Commander: to bob.",
        "role_accepted Commander: bob, offered by alice.",
    ]


@pytest.mark.parametrize(
    ("by", "text"),
    [("bob", "by bob."), ("alice", "no more to bob: alice took the offer back.")],
)
def test_who_is_asked_declines_and_who_asked_takes_it_back(
    portal: Portal, incident: Incident, alice: User, bob: User, by: str, text: str
) -> None:
    do(portal, roles.claim, incident, alice)
    do(portal, roles.offer, incident, alice, to=bob)
    with pytest.raises(Forbidden, match="offered to bob"):
        do(portal, roles.decline, incident, portal.people["carol"])
    for _ in range(2):
        do(portal, roles.decline, incident, portal.people[by])
    assert told(incident)[2:] == [f"role_declined Commander: {text}"]
    assert commander(incident, alice).holder == "alice"
    with pytest.raises(Conflict, match="not offered to you any more"):
        do(portal, roles.accept, incident, bob)


def test_a_released_role_is_free_and_its_offer_is_over(
    portal: Portal, incident: Incident, alice: User, bob: User
) -> None:
    do(portal, roles.claim, incident, alice)
    do(portal, roles.offer, incident, alice, to=bob)
    with pytest.raises(Conflict, match="alice is commander"):
        do(portal, roles.release, incident, bob)
    for _ in range(2):
        do(portal, roles.release, incident, alice)
    free = commander(incident, bob)
    assert (free.holder, free.offered_to, free.may) == ("", "", {"claim"})


def test_only_whoever_has_it_or_a_manager_offers_it(
    portal: Portal, incident: Incident, alice: User, bob: User, mona: User
) -> None:
    with pytest.raises(Conflict, match="Claim it, then hand it over"):
        do(portal, roles.offer, incident, alice, to=bob)
    do(portal, roles.offer, incident, mona, to=bob)
    do(portal, roles.claim, incident, alice)
    assert commander(incident, bob).offered_to == ""
    with pytest.raises(Forbidden, match="alice is commander"):
        do(portal, roles.offer, incident, bob, to=portal.people["carol"])
    for to, why in ((alice, "already"), (mona, "Claim it, or take it over")):
        with pytest.raises(InvalidInput, match=why):
            do(portal, roles.offer, incident, mona, to=to)


def test_a_manager_takes_over_from_who_is_away_and_the_timeline_says_so(
    portal: Portal, incident: Incident, alice: User, bob: User, mona: User
) -> None:
    do(portal, roles.claim, incident, alice)
    with pytest.raises(Forbidden, match="A manager takes a role over"):
        do(portal, roles.take_over, incident, bob)
    assert "take_over" in commander(incident, mona).may
    for _ in range(2):
        do(portal, roles.take_over, incident, mona)
    assert commander(incident, mona).holder == "mona"
    assert told(incident)[1:] == [
        "role_taken_over Commander: mona. Taken over by a manager, as alice is away."
    ]


@pytest.mark.parametrize(
    ("holder", "absence"),
    [
        (Holder("alice"), ""),
        (Holder("alice", has_account=False), "The account of alice was deleted."),
        (Holder("alice", is_active=False), "alice is no longer active."),
        (Holder("alice", may_act=False), "alice is a viewer now, and can only look."),
        (Holder("alice", may_know=False), "alice may no longer know of this service."),
    ],
)
def test_why_somebody_no_longer_has_what_they_took(holder: Holder, absence: str) -> None:
    assert holder.absence == absence


def deleted(alice: User) -> None:
    IncidentRole.objects.update(holder=None)


def deactivated(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)


def made_viewer(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(role=Role.VIEWER)


def left_out(alice: User) -> None:
    team = Team.objects.create(slug="them", name="Them")
    team.members.add(User.objects.get(username="bob"))
    Service.objects.update(is_private=True, owner=team)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (deleted, "The account of alice was deleted."),
        (deactivated, "alice is no longer active."),
        (made_viewer, "alice is a viewer now, and can only look."),
        (left_out, "alice may no longer know of this service."),
    ],
)
def test_what_somebody_has_who_is_gone_anybody_may_claim(
    portal: Portal,
    incident: Incident,
    alice: User,
    bob: User,
    change: Callable[[User], None],
    why: str,
) -> None:
    do(portal, roles.claim, incident, alice)
    change(alice)
    incident = Incident.objects.get(pk=incident.pk)
    seen = commander(incident, bob)
    assert (seen.holder, seen.absence, seen.may) == ("alice", why, {"claim"})
    do(portal, roles.claim, incident, bob)
    assert told(incident)[1:] == [f"role_claimed Commander: bob. {why}"]


def test_who_cannot_act_or_may_not_know_gets_no_role(
    portal: Portal, incident: Incident, alice: User, bob: User
) -> None:
    viewer, gone = person("vera", Role.VIEWER), person("gus", is_active=False)
    with pytest.raises(Forbidden, match="vera is a viewer"):
        do(portal, roles.claim, incident, viewer)
    assert commander(incident, viewer).may == frozenset()
    do(portal, roles.claim, incident, bob)
    for to, why in ((viewer, "is a viewer"), (gone, "no longer active")):
        with pytest.raises(InvalidInput, match=why):
            do(portal, roles.offer, incident, bob, to=to)
    left_out(alice)
    with pytest.raises(InvalidInput, match="alice may not know"):
        do(portal, roles.offer, incident, bob, to=alice)


def test_of_what_is_over_or_merged_roles_are_only_read(
    portal: Portal, incident: Incident, alice: User, bob: User
) -> None:
    do(portal, roles.claim, incident, alice)
    do(portal, roles.offer, incident, alice, to=bob)
    other = portal.open_incident("The same")
    merging.merge(incident.pk, into=other.pk, now=portal.now, actor="test")
    incident.refresh_from_db()
    read = commander(incident, alice)
    assert (read.holder, read.offered_to, read.may) == ("alice", "", frozenset())
    assert (read.offered_by, read.offered_at) == ("", None)
    assert role_offers(bob) == []
    assert commander(other, alice).holder == ""
    for deed, by in ((roles.accept, bob), (roles.release, alice), (roles.decline, bob)):
        with pytest.raises(Conflict, match=f"lives on in #{other.pk}"):
            do(portal, deed, incident, by)
    lifecycle.resolve(other.pk, now=portal.now, actor="test")
    with pytest.raises(Conflict, match="reopen it first"):
        do(portal, roles.claim, other, alice)


@pytest.mark.parametrize("way", ["merged", "resolved"])
def test_an_offer_holds_while_its_incident_is_open_and_comes_back_with_it(
    portal: Portal, incident: Incident, alice: User, bob: User, way: str
) -> None:
    do(portal, roles.claim, incident, alice)
    do(portal, roles.offer, incident, alice, to=bob)
    by: dict[str, Any] = {"now": portal.now, "actor": alice}
    if way == "merged":
        merging.merge(incident.pk, into=portal.open_incident("The same").pk, **by)
    else:
        lifecycle.resolve(incident.pk, **by)
    incident.refresh_from_db()
    assert commander(incident, bob).offered_to == ""
    back = (merging.unmerge if way == "merged" else lifecycle.reopen)(incident.pk, **by)
    again = commander(back, bob)
    assert (again.offered_to, "accept" in again.may) == ("bob", True)
    assert [row.incident for row in role_offers(bob)] == [back]


def test_who_is_offered_a_role_is_told_by_their_rules_for_what_can_wait(
    portal: Portal, alice: User, bob: User
) -> None:
    """Also of a P0, which asks for high urgency; the message asks for no acknowledgement."""
    incident = portal.open_incident("Checkout answers 500", severity="P0")
    portal.add_low_rule("bob")
    do(portal, roles.claim, incident, alice)
    do(portal, roles.offer, incident, alice, to=bob)
    portal.settle()
    sent = portal.post.sent[-1]
    assert sent.to == "bob-email@example.com"
    assert "Commander? You are asked to take this role: Checkout:" in sent.message.subject
    assert (sent.message.act_url, sent.message.facts["urgency"]) == ("", "low")


def test_without_such_rules_nobody_is_bothered(
    portal: Portal, incident: Incident, alice: User, bob: User
) -> None:
    do(portal, roles.claim, incident, alice)
    do(portal, roles.offer, incident, alice, to=bob)
    assert not Page.objects.filter(reason__startswith="role").exists()


def test_an_offer_made_again_in_the_same_moment_is_told_again(
    portal: Portal, incident: Incident, alice: User, bob: User
) -> None:
    """What was taken back with the first one is not what the second one says."""
    portal.add_low_rule("bob")
    do(portal, roles.claim, incident, alice)
    do(portal, roles.offer, incident, alice, to=bob)
    do(portal, roles.decline, incident, alice)
    do(portal, roles.offer, incident, alice, to=bob)
    assert [page.state for page in portal.pages(reason__startswith="role")] == [
        "cancelled",
        "waiting",
    ]


def test_rules_that_lead_nowhere_make_nobody_woken(
    portal: Portal, incident: Incident, alice: User, bob: User
) -> None:
    """Their phone rings for what cannot wait; a role can, whatever became of the method for that."""
    portal.add_low_rule("bob")
    ContactMethod.objects.filter(person=bob).update(is_enabled=False)
    portal.add_method(bob, Kind.VOICE)
    do(portal, roles.claim, incident, alice)
    do(portal, roles.offer, incident, alice, to=bob)
    assert not portal.pages(reason__startswith="role", person=bob)


def test_whoever_answered_one_of_two_times_is_still_told_of_an_offer(
    portal: Portal, alice: User, bob: User
) -> None:
    """An answer to the incident is none to the offer, whichever came first."""
    PolicyLevel.objects.update(acknowledgements=2)
    LevelTarget.objects.create(
        level=PolicyLevel.objects.get(policy=portal.policy, number=1), person=bob
    )
    incident = portal.open_incident("Checkout answers 500")
    portal.add_low_rule("bob")
    do(portal, roles.claim, incident, alice)
    do(portal, roles.offer, incident, alice, to=bob)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=bob, person=bob)
    assert Incident.objects.get(pk=incident.pk).status == "triggered"
    portal.settle()
    (page,) = portal.pages(reason__startswith="role")
    assert page.state == "sent"


def test_an_offer_that_waits_for_the_morning_outlives_that_people_are_called_anew(
    portal: Portal, incident: Incident, alice: User, bob: User
) -> None:
    """The offer stands as long as nobody answers it, so its message goes out."""
    portal.add_low_rule("bob")
    QuietHours.objects.create(person=bob, begins=time(0), ends=time(7))
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    do(portal, roles.claim, incident, alice)
    do(portal, roles.offer, incident, alice, to=bob)
    lifecycle.unacknowledge(incident.pk, now=portal.now, actor=alice)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    portal.fast_forward(hours=4)
    (page,) = portal.pages(reason__startswith="role")
    assert (page.state, page.sent_at) == ("sent", portal.now)


def test_an_offer_that_waits_tells_nothing_of_what_became_private(
    portal: Portal, incident: Incident, alice: User, bob: User
) -> None:
    """Who may not know of the service any more does not hear the title of its incident."""
    portal.add_low_rule("bob")
    QuietHours.objects.create(person=bob, begins=time(0), ends=time(7))
    do(portal, roles.claim, incident, alice)
    do(portal, roles.offer, incident, alice, to=bob)
    team = Team.objects.create(slug="payments", name="Payments")
    Service.objects.filter(pk=portal.service.pk).update(is_private=True, owner=team)
    portal.fast_forward(hours=4)
    (page,) = portal.pages(reason__startswith="role")
    assert page.state == "cancelled"


@pytest.mark.parametrize("answer", [roles.accept, roles.decline])
def test_what_waits_to_be_told_is_taken_back_with_the_answer(
    portal: Portal, incident: Incident, alice: User, bob: User, answer: Deed
) -> None:
    portal.add_low_rule("bob")
    do(portal, roles.claim, incident, alice)
    do(portal, roles.offer, incident, alice, to=bob)
    do(portal, answer, incident, bob)
    (page,) = Page.objects.filter(reason__startswith="role")
    assert (page.state, page.problem) == ("cancelled", "It was answered, or is offered no more.")


def test_taking_a_role_shows_that_somebody_is_still_on_it(portal: Portal, alice: User) -> None:
    portal.policy.ack_timeout = timedelta(minutes=10)
    portal.policy.save()
    incident = portal.open_incident()
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    portal.now += timedelta(minutes=5)
    do(portal, roles.claim, incident, alice)
    due = incident.deadlines.get(kind="ack_timeout").due_at
    assert due == portal.now + timedelta(minutes=10)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_claim_at_once_one_has_it_and_the_other_hears_who(
    portal: Portal, incident: Incident, alice: User, bob: User
) -> None:
    """Both begin while the role is free; each waits for the other's lock, or for the whole database."""
    refused = []
    claims = [beside(partial(do, portal, roles.claim, incident, by)) for by in (alice, bob)]
    for doing, failed in claims:
        doing.join(30)
        refused += failed
    (row,) = IncidentRole.objects.filter(incident=incident)
    assert [str(error) for error in refused] == [
        f"{row.holder} is commander since 2026-03-02 03:00 UTC."
    ]
    assert len(told(incident)) == 1
