"""Why somebody was called for an incident, and others were not: each rule, from what was stored."""

from datetime import time, timedelta
from typing import Any

import pytest
from django.conf import settings

from accounts.models import User
from incidents.domain.receipts import Ruling
from incidents.models import Alert, EscalationRun, Incident, Silence, TimelineEntry
from incidents.services import firing, lifecycle, merging
from incidents.services.silences import save_silence
from incidents.tests.incident_receipts import acknowledge, by_schedule, found, one, reader, receipt
from incidents.tests.oncall_portal import Portal, forged, portal
from notifications.domain.kinds import Kind
from notifications.models import NotificationRule, QuietHours
from oncall.models import (
    EscalationPolicy,
    FallbackContact,
    LevelTarget,
    Override,
    Schedule,
    ServicePolicy,
)

__all__ = ["portal", "reader", "receipt"]

pytestmark = [pytest.mark.django_db]


def test_who_was_on_call_is_told_as_it_was_then(portal: Portal, receipt: Any) -> None:
    """Schedule, policy and rules are changed afterwards: the receipt stays the same."""
    schedule = by_schedule(portal, "Primary")
    incident = portal.open_incident()
    before = receipt(incident)
    assert before.answer == (
        "alice was called by email at 03:00 UTC because L1 calls the schedule “Primary”,"
        " of which alice was on call by the layer “Days”."
    )
    assert "“Standard”, as it was when calling began, calls L1 at once" in one(
        before, "policy", Ruling.DECIDED
    )
    schedule.layers.all().delete()
    Schedule.objects.update(name="Renamed")
    EscalationPolicy.objects.update(name="Renamed")
    NotificationRule.objects.create(
        person=portal.people["alice"],
        urgency="high",
        method=portal.people["alice"].contact_methods.get(),
        delay=timedelta(minutes=5),
    )
    assert receipt(incident) == before


def test_an_override_is_named(portal: Portal, receipt: Any) -> None:
    hour = timedelta(hours=1)
    Override.objects.create(
        schedule=by_schedule(portal, "Primary"),
        person=portal.people["dave"],
        starts_at=portal.now - hour,
        ends_at=portal.now + hour,
    )
    assert "of which dave was on call by an override" in receipt(portal.open_incident()).answer


def test_who_was_missing_is_told_and_that_the_next_level_followed(
    portal: Portal, receipt: Any
) -> None:
    """L1 nobody on call, L2 no longer active, L3 no verified way; L4 is called at once."""
    by_schedule(portal, "Primary").layers.all().delete()
    User.objects.filter(username="bob").update(is_active=False)
    portal.people["carol"].contact_methods.update(verified_at=None)
    told = receipt(portal.open_incident())
    assert [verdict.text for verdict in found(told, "not_reached", Ruling.NOT_CALLED)] == [
        "L1: Nobody is on call of Primary.",
        "L2: bob is no longer active.",
        "L3: carol has no verified way to be reached.",
    ]
    levels = found(told, "level", Ruling.NOT_CALLED)
    assert len(levels) == 3
    assert all("the next level followed at once" in level.text for level in levels)
    rules = [verdict.rule for verdict in told.parts[1].verdicts]
    assert rules[-5:] == ["level", "not_reached", "message", "level", "message"]
    carol, dave = found(told, "message", Ruling.CALLED)
    assert "the email address of their account was tried, which nobody has verified" in carol.text
    assert "dave was called by email at 03:00 UTC. L4 calls dave by name." in dave.text


def test_what_an_acknowledgement_spared_is_told(portal: Portal, receipt: Any) -> None:
    """Alice's call was to follow her email after five minutes; L2 was to be called then."""
    alice = portal.people["alice"]
    phone = portal.add_method(alice, Kind.SMS)
    for method, delay in ((alice.contact_methods.earliest("pk"), 0), (phone, 5)):
        NotificationRule.objects.create(
            person=alice, urgency="high", method=method, delay=timedelta(minutes=delay)
        )
    incident = portal.open_incident()
    assert "only if nobody has answered by 03:05 UTC" in one(
        receipt(incident), "message", Ruling.PUT_OFF
    )
    portal.fast_forward(minutes=4)
    acknowledge(portal, incident, "alice")
    told = receipt(incident)
    assert one(told, "message", Ruling.NOT_CALLED) == (
        "alice was not called by text message, which was to be at 03:05 UTC: alice acknowledged at 03:04 UTC"
        " before it went out. L1 calls alice by name. Their rule for high urgency has this way, which"
        " was verified, 5 min after the call."
    )
    assert one(told, "acknowledge", Ruling.NOT_CALLED) == (
        "alice acknowledged: nobody else of L2, L3 and L4 was called for want of an answer."
    )
    assert one(told, "next", Ruling.NEXT) == (
        "L2 is called at 04:04 UTC, unless it is resolved before."
    )


def test_quiet_hours_put_off_what_can_wait(portal: Portal, receipt: Any) -> None:
    portal.add_low_rule("alice")
    QuietHours.objects.create(person=portal.people["alice"], begins=time(22), ends=time(7))
    incident = portal.open_incident(severity="P3")
    told = receipt(incident)
    assert "is put off until 07:00 UTC by their quiet hours" in one(told, "message", Ruling.PUT_OFF)
    assert told.answer == "Nobody was called, because no message is due before 07:00 UTC."
    portal.fast_forward(hours=5)
    assert "at 07:00 UTC. Quiet hours had put it off until then." in one(
        receipt(incident), "message", Ruling.CALLED
    )


def test_what_waits_for_its_way_and_goes_out_with_others_is_told(
    portal: Portal, receipt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message a minute: the second and the third incident are one message."""
    monkeypatch.setattr(settings, "PAGE_EVERY_S", 60)
    portal.open_incident("first", severity="P1")
    second = portal.open_incident("second", severity="P1")
    third = portal.open_incident("third", severity="P1")
    assert "is held back until 03:01 UTC: one message a minute goes one way" in one(
        receipt(second), "message", Ruling.PUT_OFF
    )
    portal.fast_forward(minutes=1)
    (message,) = found(receipt(second), "message", Ruling.CALLED)
    assert f"at 03:01 UTC. One message named #{third.pk} as well. It waited 1 min" in message.text
    assert message.facts["with_incidents"] == [third.pk]


@pytest.mark.parametrize("ending", ["acknowledge", "snooze"])
def test_a_quorum_is_counted(portal: Portal, receipt: Any, ending: str) -> None:
    """L1 asks for two answers: one is not enough, and whoever gave it is left out of later calls."""
    portal.policy.levels.filter(number=1).update(acknowledgements=2)
    LevelTarget.objects.create(
        level=portal.policy.levels.get(number=2), person=portal.people["alice"]
    )
    incident = portal.open_incident()
    acknowledge(portal, incident, "alice")
    portal.fast_forward(minutes=5)
    told = receipt(incident)
    assert "alice answered: 1 of 2 who must answer" in one(told, "quorum", Ruling.NO_EFFECT)
    assert one(told, "answered_already", Ruling.NOT_CALLED) == (
        "L2: alice was left out, having answered already."
    )
    if ending == "acknowledge":
        acknowledge(portal, incident, "bob")
    else:
        until, bob = portal.now + timedelta(hours=1), portal.people["bob"]
        lifecycle.snooze(incident.pk, until=until, now=portal.now, actor=bob, person=bob)
    (last,) = found(receipt(incident), ending, Ruling.NOT_CALLED)
    assert last.facts == {"answers": ["alice", "bob"]}
    assert "the 2 that were asked for having answered" in last.text


def test_a_snooze_says_until_when_nobody_is_called(portal: Portal, receipt: Any) -> None:
    incident = portal.open_incident()
    until = portal.now + timedelta(hours=2)
    lifecycle.snooze(incident.pk, until=until, now=portal.now, actor=portal.people["alice"])
    told = receipt(incident)
    assert "alice snoozed it until 2026-03-02 05:00 UTC" in one(told, "snooze", Ruling.NOT_CALLED)
    assert one(told, "snooze_ends", Ruling.NEXT).startswith("Nobody is called until 05:00 UTC")
    portal.fast_forward(hours=2)
    told = receipt(incident)
    assert "nobody works on it any more: The snooze ended" in one(
        told, "called_anew", Ruling.DECIDED
    )
    assert [part.title for part in told.parts][2] == "Calling 2, from 05:00 UTC"


def test_without_a_policy_the_fallback_contact_is_called(portal: Portal, receipt: Any) -> None:
    FallbackContact.objects.create(person=portal.add_person("eve"))
    ServicePolicy.objects.all().delete()
    told = receipt(portal.open_incident())
    assert told.answer == (
        "eve was called by email at 03:00 UTC because they are the fallback contact:"
        " No escalation policy calls anybody for it."
    )
    assert one(told, "policy", Ruling.NOT_CALLED).startswith("There was no policy")
    assert one(told, "fallback", Ruling.CALLED).endswith("Fallback contact: eve.")


def test_where_nobody_can_be_called_the_answer_says_why(portal: Portal, receipt: Any) -> None:
    ServicePolicy.objects.all().delete()
    told = receipt(portal.open_incident())
    assert told.answer == "Nobody was called, because no escalation policy calls anybody for it."
    assert "nobody either" in one(told, "fallback", Ruling.NOT_CALLED)


def test_where_nobody_has_a_way_the_answer_names_them(portal: Portal, receipt: Any) -> None:
    for each in portal.people.values():
        each.contact_methods.update(verified_at=None)
        User.objects.filter(pk=each.pk).update(email="")
    told = receipt(portal.open_incident(severity="P3"))
    assert told.answer == (
        "Nobody was called, because nobody could be called: alice has no verified way to be reached"
        " and bob has no verified way to be reached."
    )


def test_what_its_receiver_refuses_is_told_with_the_problem(portal: Portal, receipt: Any) -> None:
    portal.post.refusing.add("alice-email@example.com")
    told = receipt(portal.open_incident())
    assert one(told, "message", Ruling.NOT_CALLED).startswith(
        "alice was not reached by email: The receiver refuses."
    )
    assert told.answer.startswith("bob was called by email at 03:00 UTC because L2")


def test_a_pager_that_was_away_is_told(portal: Portal, receipt: Any) -> None:
    """Before it comes back nobody was called, afterwards late."""
    opening = lifecycle.Opening("P0", "5xx", service_id=portal.service.pk)
    incident = lifecycle.declare(opening, now=portal.now, actor="test")
    portal.now += timedelta(hours=5)
    told = receipt(incident)
    assert told.answer == "Nobody was called, because no pager has fired the first level yet."
    assert one(told, "next", Ruling.NEXT) == (
        "L1 was due at 03:00 UTC, and no pager has called yet."
    )
    portal.settle()
    assert "It was due at 03:00 UTC, and made 5 h later: no pager fired it before." in one(
        receipt(incident), "message", Ruling.CALLED
    )


def test_an_escalation_that_was_set_aside_is_told(
    portal: Portal, receipt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    FallbackContact.objects.create(person=portal.add_person("eve"))

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("It always fails.")

    monkeypatch.setattr(firing._Batch, "write", broken)
    incident = portal.open_incident()
    portal.fast_forward(minutes=20)
    assert EscalationRun.objects.get().state == "quarantined"
    told = receipt(incident)
    assert "was set aside" in one(told, "set_aside", Ruling.NOT_CALLED)
    assert "because they are the fallback contact: The escalation failed 5 times" in told.answer


def test_a_worse_alert_calls_anew(portal: Portal, receipt: Any) -> None:
    incident = portal.alert("disk", severity="P2", group_key="g")
    portal.fast_forward(minutes=3)
    portal.alert("cpu", severity="P1", group_key="g")
    told = receipt(incident)
    assert one(told, "called_anew", Ruling.DECIDED) == (
        "People were called anew: it became worse while nobody had taken it on:"
        " P2 → P1: an alert is worse."
    )
    assert len(found(told, "message", Ruling.CALLED)) == 2


def test_what_a_silence_held_back_is_told_once_it_calls(portal: Portal, receipt: Any) -> None:
    fields = {
        "service": portal.service,
        "starts_at": portal.now,
        "ends_at": portal.now + timedelta(minutes=30),
        "comment": "Disks are exchanged.",
    }
    silence = save_silence(Silence(), fields=fields, actor="test", now=portal.now)
    assert portal.alert("disk") is None
    portal.fast_forward(minutes=30)
    told = receipt(Incident.objects.get())
    assert one(told, "silence", Ruling.PUT_OFF) == (
        f"Silence {silence.pk} (“Disks are exchanged.”) had held back what it is about until then."
    )


def test_a_merged_incident_says_where_it_goes_on(portal: Portal, receipt: Any) -> None:
    into = portal.open_incident()
    opening = lifecycle.Opening("P0", "5xx", service_id=portal.service.pk)
    source = lifecycle.declare(opening, now=portal.now, actor="test")
    merging.merge(source.pk, into=into.pk, now=portal.now, actor="test")
    portal.settle()
    told = receipt(source)
    assert told.answer == (
        f"Nobody was called, because it was merged into #{into.pk} before a message went out."
    )
    assert one(told, "next", Ruling.NEXT) == f"It goes on as #{into.pk}."


def test_a_receipt_names_the_split_and_the_merges_that_an_incident_came_from(
    portal: Portal, receipt: Any
) -> None:
    """From both sides: where its alerts came from, what went, and what was taken out again."""
    alice = portal.people["alice"]
    by: dict[str, Any] = {"now": portal.now, "actor": alice}
    first = portal.alert("disk", group_key="db")
    portal.alert("cpu", group_key="db")
    other = portal.open_incident("Slow")
    assert first is not None
    (cpu,) = Alert.objects.filter(dedup_key="cpu")
    parted = merging.split(first.pk, alerts=[cpu.pk], **by)
    assert one(receipt(parted), "split_off", Ruling.DECIDED) == (
        f"alice split it off from #{first.pk}: its first alerts were part of that."
    )
    assert one(receipt(first), "split", Ruling.DECIDED) == (
        f"alice split off 1 of its alerts to #{parted.pk}."
    )
    merging.merge(other.pk, into=first.pk, **by)
    assert one(receipt(first), "merged_in", Ruling.DECIDED) == (
        f"alice merged {other} into it: nobody is called for that one any more."
    )
    portal.now += timedelta(minutes=1)
    merging.unmerge(other.pk, now=portal.now, actor=alice)
    assert one(receipt(first), "unmerged", Ruling.DECIDED) == (
        f"alice took #{other.pk} out of it: that is one of its own again."
    )
    assert one(receipt(other), "called_anew", Ruling.DECIDED) == (
        f"People were called anew: alice made it one of its own again: Out of #{first.pk}."
    )


def test_what_an_earlier_version_did_not_keep_is_not_guessed(portal: Portal, receipt: Any) -> None:
    """Its timeline had level and loop only: by which target and rule is said to be not recorded."""
    incident = portal.open_incident()
    with forged("incidents_timelineentry"):
        kept = {"level": 1, "loop": 0, "missing": []}
        TimelineEntry.objects.filter(act="call").update(facts=kept)
    told = receipt(incident)
    assert one(told, "message", Ruling.CALLED) == (
        "alice was called by email at 03:00 UTC. L1 calls them; by which target is not recorded."
        " By which of their rules is not recorded."
    )
