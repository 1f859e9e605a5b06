"""Postmortems: begun from what is stored, written by one, approved by another, published once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from accounts.models import User
from catalog.models import Service, Team
from core.errors import Conflict, Forbidden, InvalidInput
from core.models import AuditEntry
from incidents.models import Incident, Postmortem, PostmortemPolicy
from incidents.queries.postmortems import STATES, demands, due_at, is_owed, listed, standing
from incidents.services import lifecycle, merging, postmortems
from incidents.tests.oncall_portal import Portal, portal

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db]

WRITTEN = {
    "impact": "Nobody could pay.",
    "root_cause": "One disk for everything.",
    "trigger": "A backup.",
    "lessons": "Watch disks.",
}


def over(portal: Portal, severity: str = "P1", title: str = "Checkout fails") -> Incident:
    """Return an incident that is resolved."""
    incident = portal.open_incident(title, severity)
    portal.fast_forward(minutes=10)
    lifecycle.acknowledge(
        incident.pk, now=portal.now, actor=portal.people["alice"], person=portal.people["alice"]
    )
    portal.fast_forward(minutes=20)
    return lifecycle.resolve(incident.pk, now=portal.now, actor=portal.people["alice"])


def begun(portal: Portal, incident: Incident, by: str = "alice") -> Postmortem:
    person = portal.people[by]
    postmortems.begin(incident.pk, now=portal.now, actor=person, person=person)
    return Postmortem.objects.get(pk=incident.pk)


def write(portal: Portal, found: Postmortem, by: str = "alice", **fields: str) -> Postmortem:
    person = portal.people[by]
    postmortems.edit(
        found.pk, fields=fields, seen=found.version, now=portal.now, actor=person, person=person
    )
    return Postmortem.objects.get(pk=found.pk)


def in_review(portal: Portal, incident: Incident) -> Postmortem:
    """Return one that alice wrote, and of which she asked for a review."""
    found = write(portal, begun(portal, incident), **WRITTEN)
    alice = portal.people["alice"]
    postmortems.ask_for_review(found.pk, now=portal.now, actor=alice, person=alice)
    return found


def approve(portal: Portal, found: Postmortem, by: str = "bob") -> None:
    person = portal.people[by]
    postmortems.approve(found.pk, now=portal.now, actor=person, person=person)


@pytest.mark.both_databases
def test_publishing_closes_what_asks_for_it(portal: Portal) -> None:
    """A P1 is refused to be closed until then; the way there is in the timeline and the audit."""
    incident = over(portal)
    with pytest.raises(Conflict, match="closed by publishing its postmortem"):
        lifecycle.close(incident.pk, now=portal.now, actor="test")
    found = in_review(portal, incident)
    with pytest.raises(Conflict, match="Nobody approved it yet"):
        postmortems.publish(found.pk, now=portal.now, actor="test")
    approve(portal, found)
    postmortems.publish(found.pk, now=portal.now, actor=portal.people["alice"])
    incident.refresh_from_db()
    found.refresh_from_db()
    assert (incident.status, incident.closed_at) == ("closed", portal.now)
    assert (found.status, found.published_by) == ("published", "alice")
    acts = list(incident.timeline.order_by("pk").values_list("act", flat=True))[-5:]
    assert acts == [
        *(f"postmortem_{what}" for what in ("begun", "review_asked", "approved", "published")),
        "close",
    ]
    told = list(AuditEntry.objects.order_by("seq").values_list("act", flat=True))[-6:]
    assert told == [
        "postmortem.begun", "postmortem.edited", "postmortem.review_asked", "postmortem.approved",
        "postmortem.published", "incident.closed",
    ]  # fmt: skip


def test_other_severities_close_without_one(portal: Portal) -> None:
    """The policy says which; a row of it overrides the default."""
    ticket = over(portal, "P2")
    assert lifecycle.close(ticket.pk, now=portal.now, actor="test").status == "closed"
    PostmortemPolicy.objects.create(severity="P2", is_required=True, within=timedelta(days=2))
    PostmortemPolicy.objects.create(severity="P1", is_required=False, within=timedelta(days=2))
    with pytest.raises(Conflict, match="It is P2"):
        lifecycle.close(over(portal, "P2").pk, now=portal.now, actor="test")
    assert lifecycle.close(over(portal, "P1").pk, now=portal.now, actor="test").status == "closed"


def test_merged_ones_need_none(portal: Portal) -> None:
    """The incident they are in does."""
    first, second = portal.open_incident("One", "P0"), portal.open_incident("Two", "P0")
    merging.merge(second.pk, into=first.pk, now=portal.now, actor="test")
    lifecycle.resolve(first.pk, now=portal.now, actor="test")
    owing = listed(portal.people["alice"], "due", now=portal.now)
    assert list(owing) == [Incident.objects.get(pk=first.pk)]
    with pytest.raises(Conflict, match=f"that of #{first.pk}"):
        begun(portal, second)


def test_one_is_due_a_week_after_the_end(portal: Portal) -> None:
    """Then it is overdue, unless another time was agreed on; without a postmortem it is as late."""
    alice, unbegun, late, agreed = portal.people["alice"], over(portal), over(portal), over(portal)
    begun(portal, late)
    found = begun(portal, agreed)
    portal.now += timedelta(days=7, seconds=1)
    postmortems.edit(
        found.pk, fields={"due_at": portal.now + timedelta(days=1)}, seen=1, now=portal.now,
        actor=alice, person=alice,
    )  # fmt: skip
    overdue = listed(alice, "overdue", now=portal.now)
    assert {row.pk for row in overdue} == {unbegun.pk, late.pk}
    stands = {
        row.pk: standing(row, demands(), now=portal.now)
        for row in listed(alice, "all", now=portal.now)
    }
    assert stands == {unbegun.pk: "overdue", late.pk: "overdue", agreed.pk: "draft"}
    assert {row.pk for row in listed(alice, "due", now=portal.now)} == stands.keys()


def test_it_begins_with_what_is_stored(portal: Portal) -> None:
    """Times in UTC, the answer, who was called, and "no data" where there is none."""
    incident = portal.alert("disk", title="Disk is *full*", severity="P1")
    assert incident is not None
    portal.fast_forward(minutes=10)
    alice = portal.people["alice"]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    lifecycle.resolve(incident.pk, now=portal.now, actor=alice, why="Deleted\nlogs.")
    found = begun(portal, incident)
    assert "Duration: 10 min" in found.impact
    assert "Users no longer noticed it: no data" in found.impact
    assert r"By an alert of test, 2026-03-02 03:00:00 UTC: Disk is \*full\*" in found.detection
    assert "Time to answer: 10 min" in found.detection
    assert "- 2026-03-02 03:10:00 UTC · Resolved: Deleted logs. (alice)" in found.timeline
    assert "- 2026-03-02 03:00:00 UTC · alice by email (L1): sent" in found.page_log
    assert found.budget_cost == "No data."
    assert (found.root_cause, found.went_well) == ("", "")


def test_it_tells_nothing_of_another_teams_private_service(portal: Portal) -> None:
    """What a merge brought in is told only as that there is something."""
    incident = portal.open_incident("Checkout fails", "P1")
    hidden = Service.objects.create(
        slug="vault", name="Vault", is_private=True, owner=Team.objects.create(slug="t", name="T")
    )
    other = portal.alert("secret", title="Vault is sealed", service=hidden)
    assert other is not None
    merging.merge(other.pk, into=incident.pk, now=portal.now, actor="test")
    portal.alert("secret", title="Vault is sealed", service=hidden, firing=False)
    found = begun(portal, incident)
    texts = "\n".join(found.texts.values())
    assert "Vault" not in texts
    assert "An alert of a private service" in texts


def test_nobodys_text_is_lost(portal: Portal) -> None:
    """Whoever writes over what they did not see is refused."""
    found = begun(portal, over(portal))
    write(portal, found, trigger="A backup.")
    with pytest.raises(Conflict, match="Somebody changed it"):
        write(portal, found, "bob", trigger="A deploy.")
    again = Postmortem.objects.get(pk=found.pk)
    assert (again.trigger, again.version) == ("A backup.", 2)
    before = AuditEntry.objects.count()
    write(portal, again, trigger="A backup.\r\n")
    assert AuditEntry.objects.count() == before


def test_others_approve_than_wrote_it(portal: Portal) -> None:
    """Neither its author, nor who wrote last, nor who asked; and it is written whole."""
    found = begun(portal, over(portal))
    found = write(portal, found, "bob", **{**WRITTEN, "lessons": ""})
    carol = portal.people["carol"]
    with pytest.raises(InvalidInput) as refused:
        postmortems.ask_for_review(found.pk, now=portal.now, actor=carol, person=carol)
    assert refused.value.fields.keys() == {"lessons"}
    found = write(portal, found, "bob", lessons="Watch disks.")
    postmortems.ask_for_review(found.pk, now=portal.now, actor=carol, person=carol)
    for name in ("alice", "bob", "carol"):
        with pytest.raises(Forbidden):
            approve(portal, found, name)
    approve(portal, found, "dave")
    approve(portal, found, "dave")
    assert found.reviews.count() == 1


def test_what_is_sent_back_is_approved_anew(portal: Portal) -> None:
    """In review nothing is changed; what was approved of an earlier text counts no more."""
    found = in_review(portal, over(portal))
    approve(portal, found)
    with pytest.raises(Conflict, match="send it back"):
        write(portal, found, trigger="A deploy.")
    bob, alice = portal.people["bob"], portal.people["alice"]
    with pytest.raises(InvalidInput):
        postmortems.send_back(found.pk, comment=" ", now=portal.now, actor=bob, person=bob)
    postmortems.send_back(found.pk, comment="Why?", now=portal.now, actor=bob, person=bob)
    postmortems.ask_for_review(found.pk, now=portal.now, actor=alice, person=alice)
    with pytest.raises(Conflict, match="Nobody approved it yet"):
        postmortems.publish(found.pk, now=portal.now, actor=alice)


def test_a_reopened_incident_keeps_its_postmortem(portal: Portal) -> None:
    """It is closed again without another one; what is published is reopened where there is more."""
    found = in_review(portal, over(portal))
    approve(portal, found)
    postmortems.publish(found.pk, now=portal.now, actor="test")
    lifecycle.reopen(found.pk, now=portal.now, actor="test")
    with pytest.raises(Conflict, match="not over"):
        begun(portal, Incident.objects.get(pk=found.pk))
    lifecycle.resolve(found.pk, now=portal.now, actor="test")
    assert lifecycle.close(found.pk, now=portal.now, actor="test").status == "closed"
    postmortems.reopen(found.pk, now=portal.now, actor="test")
    found.refresh_from_db()
    assert (found.status, found.published_at) == ("draft", None)
    assert Incident.objects.get(pk=found.pk).status == "closed"


def test_a_draft_is_for_responders(portal: Portal) -> None:
    """Viewers read what is published; strangers know of nothing private."""
    found = begun(portal, over(portal))
    viewer = User.objects.create_user("victor")
    assert not Postmortem.objects.visible_to(viewer).exists()
    assert Postmortem.objects.visible_to(portal.people["bob"]).exists()
    Postmortem.objects.update(status="published", published_at=portal.now)
    assert Postmortem.objects.visible_to(viewer).get() == found
    Service.objects.update(is_private=True, owner=Team.objects.create(slug="t", name="T"))
    assert not Postmortem.objects.visible_to(portal.people["bob"]).exists()


def test_what_an_approver_says_is_kept(portal: Portal) -> None:
    """Of the second one, too, and what one of them adds later; a second tap adds nothing."""
    found = in_review(portal, over(portal))
    for name, comment in (
        ("bob", "Clear."),
        ("carol", "Add a picture."),
        ("bob", "And short."),
        ("bob", "And short."),
        ("bob", "short."),
        ("bob", ""),
    ):
        person = portal.people[name]
        postmortems.approve(found.pk, comment=comment, now=portal.now, actor=person, person=person)
    said = found.reviews.order_by("pk").values_list("actor", "comment")
    assert list(said) == [("bob", "Clear.\n\nAnd short.\n\nshort."), ("carol", "Add a picture.")]
    told = found.incident.timeline.filter(act="postmortem_approved").order_by("pk")
    assert [entry.text for entry in told] == ["Clear.", "Add a picture.", "And short.", "short."]
    bob = portal.people["bob"]
    with pytest.raises(InvalidInput, match="10,000 characters") as refused:
        postmortems.approve(found.pk, comment="x" * 9_990, now=portal.now, actor=bob, person=bob)
    assert refused.value.fields.keys() == {"comment"}


def test_what_is_said_with_the_publication_is_an_approval(portal: Portal) -> None:
    """Who wrote it has said everything in it: their comment is refused instead of dropped."""
    found = in_review(portal, over(portal))
    approve(portal, found)
    alice, carol = portal.people["alice"], portal.people["carol"]
    with pytest.raises(InvalidInput, match="you wrote it") as refused:
        postmortems.publish(found.pk, comment="Done!", now=portal.now, actor=alice, person=alice)
    assert refused.value.fields.keys() == {"comment"}
    postmortems.publish(found.pk, comment="Good.", now=portal.now, actor=carol, person=carol)
    found.refresh_from_db()
    assert (found.status, found.published_by) == ("published", "carol")
    assert found.reviews.get(person=carol).comment == "Good."


def test_the_postmortem_of_what_was_merged_waits_for_nobody(portal: Portal) -> None:
    """Its incident was reopened and lives on in another, whose postmortem counts; unmerged, it goes on."""
    found = in_review(portal, over(portal))
    other, alice, bob = portal.open_incident("Two"), portal.people["alice"], portal.people["bob"]
    by: dict[str, Any] = {"now": portal.now, "actor": alice}
    lifecycle.reopen(found.pk, **by)
    merging.merge(found.pk, into=other.pk, **by)
    stands = {state: {row.pk for row in listed(alice, state, now=portal.now)} for state in STATES}
    assert {state for state, rows in stands.items() if found.pk in rows} == {"all", "merged"}
    assert standing(Incident.objects.get(pk=found.pk), demands(), now=portal.now) == "merged"
    deeds: list[Callable[[], Incident]] = [
        partial(postmortems.approve, found.pk, person=bob, **by),
        partial(postmortems.send_back, found.pk, person=bob, comment="Why?", **by),
        partial(postmortems.publish, found.pk, **by),
        partial(postmortems.edit, found.pk, fields={}, seen=found.version, person=bob, **by),
    ]
    for deed in deeds:
        with pytest.raises(Conflict, match=f"merged: the postmortem is that of #{other.pk}"):
            deed()
    merging.unmerge(found.pk, **by)
    approve(portal, found)
    lifecycle.resolve(found.pk, **by)
    assert {row.pk for row in listed(alice, "in_review", now=portal.now)} == {found.pk}
    postmortems.publish(found.pk, **by)
    assert Incident.objects.get(pk=found.pk).status == "closed"


def test_what_was_published_before_a_merge_stays_published(portal: Portal) -> None:
    """It is not written anew, either: the postmortem of the other incident is."""
    found = in_review(portal, over(portal))
    approve(portal, found)
    by: dict[str, Any] = {"now": portal.now, "actor": portal.people["alice"]}
    postmortems.publish(found.pk, **by)
    lifecycle.reopen(found.pk, **by)
    merging.merge(found.pk, into=portal.open_incident("Two").pk, **by)
    published = listed(User.objects.create_user("victor"), "published", now=portal.now)
    assert [row.pk for row in published] == [found.pk]
    with pytest.raises(Conflict, match="It was merged"):
        postmortems.reopen(found.pk, **by)


def came(at: datetime) -> None:
    """Let postmortems have come to this portal at a moment."""
    rows = MigrationRecorder(connection).migration_qs.filter(app="incidents")
    assert rows.filter(name="0015_postmortems").update(applied=at) == 1


@pytest.mark.both_databases
def test_what_was_resolved_before_postmortems_came_owes_none(portal: Portal) -> None:
    """After an upgrade nothing old is due at once: it is closed, or written about by whoever likes."""
    old, alice = over(portal), portal.people["alice"]
    came(portal.now + timedelta(minutes=1))
    portal.fast_forward(days=8)
    new = over(portal)
    portal.fast_forward(days=8)
    asked = demands()
    assert [is_owed(each, asked) for each in (old, new)] == [False, True]
    assert (due_at(old, asked), standing(old, asked, now=portal.now)) == (None, "due")
    for state in ("due", "overdue", "all"):
        assert [row.pk for row in listed(alice, state, now=portal.now)] == [new.pk]
    found = begun(portal, old)
    assert standing(Incident.objects.get(pk=old.pk), demands(), now=portal.now) == "draft"
    assert found.status == "draft"
    assert lifecycle.close(old.pk, now=portal.now, actor=alice).status == "closed"
    with pytest.raises(Conflict, match="It is P1"):
        lifecycle.close(new.pk, now=portal.now, actor=alice)


def test_what_is_resolved_again_after_they_came_owes_one(portal: Portal) -> None:
    old = over(portal)
    came(portal.now + timedelta(minutes=1))
    portal.fast_forward(days=1)
    lifecycle.reopen(old.pk, now=portal.now, actor="test")
    again = lifecycle.resolve(old.pk, now=portal.now, actor="test")
    assert is_owed(again, demands())


def test_a_severity_that_asks_for_one_from_now_on_asks_for_none_of_before(portal: Portal) -> None:
    """Only where it did not before; what P1 asked for is still owed when its time is changed."""
    old, due = over(portal, "P2"), over(portal, "P1")
    portal.fast_forward(days=8)
    for severity in ("P1", "P2"):
        PostmortemPolicy.objects.create(severity=severity, within=timedelta(days=1))
    new = over(portal, "P2")
    owing = listed(portal.people["alice"], "due", now=portal.now)
    assert {row.pk for row in owing} == {due.pk, new.pk}
    assert lifecycle.close(old.pk, now=portal.now, actor="test").status == "closed"


@pytest.mark.parametrize("severity", ["P0", "P3"])
def test_why_none_is_asked_for_is_said(portal: Portal, severity: str) -> None:
    """Of an old incident another reason than of one that is minor."""
    old = over(portal, severity)
    came(portal.now + timedelta(minutes=1))
    client = Client()
    client.force_login(portal.people["alice"])
    page = client.get(f"/i/{old.pk}").content.decode()
    early = "it was resolved before postmortems were asked for"
    assert (early in page) is (severity == "P0")
    assert ("P3 is closed without" in page) is (severity == "P3")
    assert "Begin the postmortem" in page
