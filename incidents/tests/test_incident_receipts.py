"""Why somebody was called for an incident, and others were not: each rule, from what was stored."""

from datetime import date, time, timedelta
from typing import Any

import pytest
from django.conf import settings

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from catalog.models import Team
from core import encryption
from incidents.domain.receipts import Receipt, Ruling, Verdict
from incidents.domain.roles import RoleName
from incidents.models import EscalationRun, Incident, Silence, TimelineEntry
from incidents.queries import receipts
from incidents.queries.receipts import receipt_of_incident
from incidents.services import firing, lifecycle, merging, roles, sending
from incidents.services.due import Queues
from incidents.services.silences import save_silence
from incidents.tests.oncall_portal import Portal, forged, portal
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod, NotificationRule, QuietHours
from oncall.models import (
    EscalationPolicy,
    FallbackContact,
    Layer,
    LayerMember,
    LevelTarget,
    Override,
    Schedule,
    ServicePolicy,
    Timing,
)

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def reader(portal: Portal) -> User:
    """Somebody who may know of everything; nobody calls them."""
    return person("reader", Role.VIEWER)


@pytest.fixture
def receipt(portal: Portal, reader: User) -> Any:
    """Reads the receipt of an incident as it is stored now."""

    def read(incident: Incident | None) -> Receipt:
        assert incident is not None
        return receipt_of_incident(Incident.objects.get(pk=incident.pk), reader, now=portal.now)

    return read


def found(receipt: Receipt, rule: str, ruling: Ruling | None = None) -> list[Verdict]:
    """Return the verdicts of a rule, those that came to `ruling`."""
    all_of_it = [verdict for part in receipt.parts for verdict in part.verdicts]
    return [v for v in all_of_it if v.rule == rule and ruling in (None, v.verdict)]


def one(receipt: Receipt, rule: str, ruling: Ruling) -> str:
    """Return what the only such verdict says."""
    (verdict,) = found(receipt, rule, ruling)
    return verdict.text


def by_schedule(portal: Portal, name: str) -> Schedule:
    """Have L1 call whoever is on call of a schedule: alice, on the layer of the days."""
    schedule = Schedule.objects.create(slug="primary", name=name)
    layer = Layer.objects.create(
        schedule=schedule, name="Days", first_on=date(2026, 3, 1), handover_at=time(0)
    )
    LayerMember.objects.create(layer=layer, position=0, person=portal.people["alice"])
    LevelTarget.objects.filter(level__number=1).update(person=None, schedule=schedule)
    return schedule


def acknowledge(portal: Portal, incident: Incident, name: str) -> None:
    who = portal.people[name]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=who, person=who)
    portal.settle()


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


def test_a_quorum_is_counted(portal: Portal, receipt: Any) -> None:
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
    acknowledge(portal, incident, "bob")
    (last,) = found(receipt(incident), "acknowledge", Ruling.NOT_CALLED)
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


def test_news_for_others_are_no_calls(portal: Portal, receipt: Any) -> None:
    """Who was called hears that somebody else has answered: that is told as what it is."""
    portal.add_low_rule("alice")
    incident = portal.open_incident()
    acknowledge(portal, incident, "bob")
    assert one(receipt(incident), "message", Ruling.NO_EFFECT).startswith(
        "alice was told by email at 03:00 UTC. Who was called hears that somebody else has answered."
    )


def test_who_is_asked_to_take_a_role_is_not_called(portal: Portal, receipt: Any) -> None:
    portal.add_low_rule("bob")
    incident, boss = portal.open_incident(), person("boss", role=Role.ADMIN)
    scribe, bob = RoleName.SCRIBE, portal.people["bob"]
    roles.offer(incident.pk, role=scribe, to=bob, person=boss, now=portal.now, actor=boss)
    portal.fast_forward(minutes=1)
    told = one(receipt(incident), "message", Ruling.NO_EFFECT)
    assert told.startswith("bob was told by email at 03:01 UTC.")
    assert "They are asked to take the role scribe." in told


def test_each_kind_of_target_is_named(portal: Portal, receipt: Any) -> None:
    """A member of a team, everybody of a role, and a team's channel."""
    team = Team.objects.create(slug="shop", name="Shop")
    team.members.add(portal.people["bob"])
    channel = ContactMethod.objects.create(
        team=team,
        kind=Kind.SLACK,
        label="#shop",
        sealed_address=encryption.encrypt("C0123456"),
        verified_at=portal.now,
    )
    User.objects.filter(username="carol").update(role=Role.MANAGER)
    level = portal.policy.levels.get(number=1)
    level.targets.all().delete()
    for target in ({"team": team}, {"role": Role.MANAGER}, {"channel": channel}):
        LevelTarget.objects.create(level=level, **target)
    told = [verdict.text for verdict in found(receipt(portal.open_incident()), "message")]
    assert any("the team “Shop”, of which bob was a member" in text for text in told)
    assert any("everybody with the role manager, which carol had" in text for text in told)
    assert any(
        "Slack: #shop was called by Slack at 03:00 UTC. L1 calls that channel." in text
        for text in told
    )


def test_what_people_do_by_hand_is_told(portal: Portal, receipt: Any) -> None:
    """Escalated, given away, less bad, acknowledged twice."""
    incident = portal.open_incident()
    minute = {"minutes": 1}
    portal.fast_forward(**minute)
    lifecycle.escalate(incident.pk, now=portal.now, actor=portal.people["alice"])
    portal.fast_forward(**minute)
    lifecycle.set_severity(incident.pk, severity="P1", now=portal.now, actor="alice")
    portal.fast_forward(**minute)
    lifecycle.assign(
        incident.pk, to=portal.people["dave"], now=portal.now, actor=portal.people["bob"]
    )
    portal.settle()
    for _ in range(2):
        portal.fast_forward(**minute)
        acknowledge(portal, incident, "dave")
    told = receipt(incident)
    assert one(told, "escalate", Ruling.DECIDED) == "alice had the next level called at once."
    assert one(told, "severity", Ruling.DECIDED).startswith("P0 → P1. Who was called already")
    assert one(told, "assign", Ruling.DECIDED) == "bob gave it: To dave."
    assert "dave was called by email at 03:03 UTC. It was given to them." in [
        verdict.text for verdict in found(told, "message", Ruling.CALLED)
    ]
    assert one(told, "acknowledge", Ruling.NO_EFFECT).startswith("dave acknowledged once more")
    assert "these are the times as of the last change" in found(told, "policy")[0].text


def test_whether_somebody_is_still_on_it_is_asked_and_told(portal: Portal, receipt: Any) -> None:
    portal.policy.ack_timeout = timedelta(minutes=10)
    portal.policy.save()
    incident = portal.open_incident()
    acknowledge(portal, incident, "alice")
    assert "At 03:10 UTC whoever works on it is asked" in one(
        receipt(incident), "ack_timeout", Ruling.NEXT
    )
    portal.fast_forward(minutes=10)
    told = receipt(incident)
    assert one(told, "still_on_it", Ruling.DECIDED) == "Asked alice: still on it?"
    assert found(told, "message")[-1].text == (
        "alice was called by email at 03:10 UTC. They had answered, and were asked whether they are still on it."
    )
    assert found(told, "ack_lapse", Ruling.NEXT)


def test_tries_are_counted(portal: Portal, receipt: Any) -> None:
    """Refused for now: tried again, and then taken."""
    portal.post.refusing.add("alice-email@example.com")
    portal.post.is_final = False
    incident = portal.open_incident()
    assert "is tried again at 03:00 UTC: The receiver refuses." in one(
        receipt(incident), "message", Ruling.PUT_OFF
    )
    portal.post.refusing.clear()
    portal.fast_forward(minutes=1)
    assert "2 attempts; the first failed: The receiver refuses." in one(
        receipt(incident), "message", Ruling.CALLED
    )


def test_what_a_crash_cut_is_in_doubt(portal: Portal, receipt: Any) -> None:
    """While it is being sent, and once its lease has run out: a P2 is sent at most once."""
    opening = lifecycle.Opening("P2", "5xx", service_id=portal.service.pk)
    incident = lifecycle.declare(opening, now=portal.now, actor="test")
    Queues().fire_steps(now=portal.now)
    sending.claim(owner="dies", now=portal.now, limit=10)
    assert "it is being sent" in one(receipt(incident), "message", Ruling.PUT_OFF)
    portal.fast_forward(minutes=5)
    told = receipt(incident)
    assert found(told, "message", Ruling.NOT_RECORDED)[0].text.startswith(
        "Whether alice was called by email is not known: Its sender died"
    )


def test_that_everybody_was_called_is_told(portal: Portal, receipt: Any) -> None:
    incident = portal.open_incident(severity="P2")
    portal.fast_forward(hours=12)
    told = receipt(incident)
    assert one(told, "everybody_called", Ruling.NOT_CALLED).startswith("Every level was called")
    assert one(told, "next", Ruling.NEXT) == "Nobody else is called."


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("resolve", "it was resolved at 03:01 UTC, before anybody was due"),
        ("mitigate", "users no longer noticed it at 03:01 UTC, before anybody was due"),
        ("acknowledge", "alice had taken it on at 03:01 UTC, before anybody was due"),
        ("", "the first level is not due before 03:30 UTC"),
    ],
)
def test_nobody_was_called_before_the_first_level_was_due(
    portal: Portal, receipt: Any, end: str, why: str
) -> None:
    Timing.objects.create(policy=portal.policy, severity="P0", level=1, after=timedelta(minutes=30))
    incident = portal.open_incident()
    portal.fast_forward(minutes=1)
    if end:
        getattr(lifecycle, end)(incident.pk, now=portal.now, actor=portal.people["alice"])
    assert receipt(incident).answer == f"Nobody was called, because {why}."


def test_of_very_many_calls_the_newest_are_told(
    portal: Portal, receipt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left out is not said to be not recorded."""
    monkeypatch.setattr(receipts, "_MOST", 3)
    incident = portal.open_incident()
    portal.fast_forward(minutes=40)
    told = receipt(incident)
    assert not told.is_whole
    assert told.answer.startswith("Of the newest calls: bob was called by email at 03:05 UTC")
    assert not found(told, "message", Ruling.NOT_RECORDED)
    assert all("not recorded" not in verdict.text for verdict in found(told, "message"))
