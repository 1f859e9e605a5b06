"""What a receipt gives as a cause was the cause, in the odder cases, too."""

from datetime import UTC, datetime, time, timedelta
from time import process_time
from typing import Any

import pytest
from django.conf import settings
from django.db.models import JSONField, Value

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from catalog.models import Team
from core import encryption
from incidents.domain import incident_receipts as domain
from incidents.domain.level_receipts import Walk
from incidents.domain.page_receipts import Entry, Message, Try, verdict_of
from incidents.domain.receipts import Ruling
from incidents.domain.roles import RoleName
from incidents.models import Alert, Incident, TimelineEntry
from incidents.queries import receipts
from incidents.queries.alert_receipts import receipt_of_alert
from incidents.queries.receipts import receipt_of_incident
from incidents.services import answering, lifecycle, merging, roles, sending
from incidents.services.due import Queues
from incidents.services.integrations import save_integration
from incidents.tests import bodies
from incidents.tests.incident_receipts import acknowledge, found, one, reader, receipt
from incidents.tests.oncall_portal import Portal, forged, portal
from incidents.tests.senders import integration_of, post
from incidents.tests.test_alert_receipts import silenced
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod, NotificationRule, QuietHours
from oncall.domain.escalations import Ladder
from oncall.models import FallbackContact, LevelTarget, Timing

__all__ = ["portal", "reader", "receipt"]

pytestmark = [pytest.mark.django_db]


def offered(portal: Portal, incident: Any, role: RoleName = RoleName.SCRIBE) -> User:
    """Ask bob to take a role, by a boss; returns the boss."""
    portal.add_low_rule("bob")
    boss, bob = person("boss", role=Role.ADMIN), portal.people["bob"]
    roles.offer(incident.pk, role=role, to=bob, person=boss, now=portal.now, actor=boss)
    return boss


def quiet(portal: Portal, name: str) -> None:
    QuietHours.objects.create(person=portal.people[name], begins=time(22), ends=time(7))


def test_an_offer_of_a_role_is_no_answer(portal: Portal, receipt: Any) -> None:
    """Nobody was due yet, and somebody was asked to take a role: nothing was answered, or over."""
    Timing.objects.create(policy=portal.policy, severity="P0", level=1, after=timedelta(minutes=30))
    incident = portal.open_incident()
    offered(portal, incident)
    portal.fast_forward(minutes=1)
    assert receipt(incident).answer == (
        "Nobody was called, because the first level is not due before 03:30 UTC."
    )


def test_an_offer_that_was_withdrawn_was_not_ended_by_what_came_later(
    portal: Portal, receipt: Any
) -> None:
    quiet(portal, "bob")
    incident = portal.open_incident()
    offered(portal, incident)
    bob = portal.people["bob"]
    portal.fast_forward(minutes=1)
    roles.decline(incident.pk, role=RoleName.SCRIBE, person=bob, now=portal.now, actor=bob)
    portal.fast_forward(minutes=1)
    lifecycle.resolve(incident.pk, now=portal.now, actor=portal.people["alice"])
    told = one(receipt(incident), "message", Ruling.NOT_CALLED)
    assert told.startswith("bob was not told by email, which was to be at 07:00 UTC: ")
    assert "It was answered, or is offered no more." in told
    assert "resolved" not in told


def test_an_offer_to_take_a_role_is_no_first_call_of_an_alert(portal: Portal, reader: User) -> None:
    Timing.objects.create(policy=portal.policy, severity="P1", level=1, after=timedelta(minutes=30))
    incident = portal.alert()
    offered(portal, incident)
    portal.fast_forward(minutes=1)
    assert receipt_of_alert(Alert.objects.get(), reader).answer.endswith(
        "for which no message has gone out since it came."
    )


def test_the_channel_that_an_alert_called_first_has_its_name(portal: Portal, reader: User) -> None:
    channel = ContactMethod.objects.create(
        team=Team.objects.create(slug="shop", name="Shop"),
        kind=Kind.SLACK,
        label="#shop",
        sealed_address=encryption.encrypt("C0123456"),
        verified_at=portal.now,
    )
    LevelTarget.objects.filter(level__number=1).update(person=None, channel=channel)
    portal.alert()
    assert "for which Slack: #shop was called by Slack" in (
        receipt_of_alert(Alert.objects.get(), reader).answer
    )


def test_an_answer_that_was_not_the_last_one_asked_for_is_not_called_so(
    portal: Portal, receipt: Any
) -> None:
    """Two of three answered, then it was resolved."""
    portal.policy.levels.filter(number=1).update(acknowledgements=3)
    incident = portal.open_incident()
    for name in ("alice", "bob"):
        acknowledge(portal, incident, name)
    lifecycle.resolve(incident.pk, now=portal.now, actor=portal.people["carol"])
    assert "having answered" not in one(receipt(incident), "resolve", Ruling.NOT_CALLED)


def test_who_had_answered_is_not_among_whom_a_level_called(portal: Portal, receipt: Any) -> None:
    portal.policy.levels.filter(number=1).update(acknowledgements=2)
    LevelTarget.objects.create(
        level=portal.policy.levels.get(number=2), person=portal.people["alice"]
    )
    incident = portal.open_incident()
    acknowledge(portal, incident, "alice")
    portal.fast_forward(minutes=5)
    second = [v.text for v in found(receipt(incident), "level") if "L2 was due" in v.text]
    assert second == ["L2 was due in loop 1 of 3, and called bob."]


def test_a_level_that_somebody_answered_calls_others_while_it_is_not_resolved(
    portal: Portal, receipt: Any
) -> None:
    """The acknowledgement spared L2 for want of an answer; L2 is called when it lasts."""
    incident = portal.open_incident()
    acknowledge(portal, incident, "alice")
    portal.fast_forward(hours=1)
    told = receipt(incident)
    assert (60, "bob") in portal.paged()
    assert one(told, "acknowledge", Ruling.NOT_CALLED) == (
        "alice acknowledged: nobody else of L2, L3 and L4 was called for want of an answer."
    )


def test_a_second_acknowledgement_takes_nothing_back(portal: Portal, receipt: Any) -> None:
    """L2's call was to follow later by text message: the resolution took it back, no second answer."""
    bob = portal.people["bob"]
    phone = portal.add_method(bob, Kind.SMS)
    for method, delay in ((bob.contact_methods.earliest("pk"), 0), (phone, 30)):
        NotificationRule.objects.create(
            person=bob, urgency="high", method=method, delay=timedelta(minutes=delay)
        )
    incident = portal.open_incident()
    acknowledge(portal, incident, "alice")
    portal.fast_forward(minutes=61)
    acknowledge(portal, incident, "carol")
    portal.fast_forward(minutes=1)
    lifecycle.resolve(incident.pk, now=portal.now, actor=portal.people["dave"])
    assert "it was resolved by dave at 04:02 UTC before it went out" in one(
        receipt(incident), "message", Ruling.NOT_CALLED
    )


def test_who_acknowledges_what_is_answered_spares_nobody(portal: Portal, receipt: Any) -> None:
    """Whatever was changed in between, and also where it was snoozed."""
    incident = portal.open_incident()
    until = portal.now + timedelta(hours=1)
    lifecycle.snooze(incident.pk, until=until, now=portal.now, actor=portal.people["alice"])
    portal.fast_forward(minutes=1)
    lifecycle.set_severity(incident.pk, severity="P1", now=portal.now, actor="alice")
    portal.fast_forward(minutes=1)
    answering.answer(incident.pk, now=portal.now, actor=portal.people["bob"])
    assert one(receipt(incident), "acknowledge", Ruling.NO_EFFECT).startswith(
        "bob acknowledged once more"
    )


def test_that_all_were_called_of_what_somebody_works_on_is_no_want_of_an_answer(
    portal: Portal, receipt: Any
) -> None:
    incident = portal.open_incident()
    acknowledge(portal, incident, "alice")
    portal.fast_forward(hours=13)
    text = found(receipt(incident), "everybody_called")[0].text
    assert text == "Every level was called, and it was not resolved."


def test_no_level_follows_at_once_where_there_is_none(portal: Portal, receipt: Any) -> None:
    """The last level reached nobody: all of them are called again only after the pause."""
    portal.people["dave"].contact_methods.update(verified_at=None)
    User.objects.filter(username="dave").update(email="", is_active=False)
    incident = portal.open_incident()
    portal.fast_forward(minutes=30)
    (last,) = [v for v in found(receipt(incident), "level") if "L4 was due" in v.text]
    assert last.text.endswith("No verified way led to anybody.")


def test_an_earlier_version_did_not_keep_whether_a_level_reached_anybody(
    portal: Portal, receipt: Any
) -> None:
    """Somebody was missing, and somebody was called."""
    LevelTarget.objects.create(
        level=portal.policy.levels.get(number=1), person=portal.people["bob"]
    )
    User.objects.filter(username="alice").update(is_active=False)
    incident = portal.open_incident()
    with forged("incidents_timelineentry"):
        kept = {"level": 1, "loop": 0, "missing": ["alice is no longer active."]}
        TimelineEntry.objects.filter(act="call").update(facts=kept)
    (level,) = found(receipt(incident), "level")
    assert level.text == "L1 was due in loop 1 of 3, and called bob."


def test_not_every_message_failed_where_one_was_taken_back(portal: Portal, receipt: Any) -> None:
    alice = portal.people["alice"]
    phone = portal.add_method(alice, Kind.SMS)
    for method, delay in ((alice.contact_methods.earliest("pk"), 0), (phone, 5)):
        NotificationRule.objects.create(
            person=alice, urgency="high", method=method, delay=timedelta(minutes=delay)
        )
    portal.post.refusing.add("alice-email@example.com")
    incident = portal.open_incident()
    acknowledge(portal, incident, "bob")
    assert receipt(incident).answer == (
        "Nobody was called, because every message that was tried failed, and the others were taken back."
    )


def test_what_is_being_sent_is_not_due_later(portal: Portal, receipt: Any) -> None:
    opening = lifecycle.Opening("P2", "5xx", service_id=portal.service.pk)
    incident = lifecycle.declare(opening, now=portal.now, actor="test")
    Queues().fire_steps(now=portal.now)
    sending.claim(owner="pager-1", now=portal.now, limit=10)
    assert receipt(incident).answer == "Nobody was called, because the first message is being sent."


def test_a_fallback_contact_whom_nothing_reached_was_not_called(
    portal: Portal, receipt: Any
) -> None:
    eve = portal.add_person("eve")
    FallbackContact.objects.create(person=eve)
    LevelTarget.objects.all().delete()
    portal.post.refusing.add("eve-email@example.com")
    told = receipt(portal.open_incident())
    assert found(told, "fallback")
    assert not found(told, "fallback", Ruling.CALLED)


def test_more_than_the_pause_between_messages_was_not_that_pause(
    portal: Portal, receipt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages that were made and then waited four minutes for a pager go out together."""
    monkeypatch.setattr(settings, "PAGE_EVERY_S", 60)
    opening = lifecycle.Opening("P1", "5xx", service_id=portal.service.pk)
    first, _ = (lifecycle.declare(opening, now=portal.now, actor="test") for _ in range(2))
    Queues().fire_steps(now=portal.now)
    portal.now += timedelta(minutes=4)
    portal.settle()
    text = found(receipt(first), "message", Ruling.CALLED)[0].text
    assert "It waited 4 min" in text
    assert "one message a minute" not in text


def test_what_a_silence_let_go_into_an_open_incident_did_not_call(
    portal: Portal, reader: User
) -> None:
    integration, _key = integration_of("generic")
    silenced(portal, matchers=[{"name": "title", "op": "=", "value": "cpu is wrong"}])
    portal.alert("cpu", group_key="g", integration=integration)
    portal.alert("disk", group_key="g", integration=integration)
    portal.fast_forward(hours=1)
    told = receipt_of_alert(Alert.objects.get(dedup_key="cpu"), reader)
    assert "then it called" not in one(told, "silence", Ruling.PUT_OFF)


def test_an_alert_that_ended_after_its_silence_did_not_end_before(
    portal: Portal, reader: User
) -> None:
    """No pager was there in between."""
    silenced(portal)
    portal.alert()
    alert = Alert.objects.get()
    alert.state, alert.resolved_at = Alert.State.RESOLVED, portal.now + timedelta(hours=2)
    alert.save()
    told = one(receipt_of_alert(alert, reader), "silence", Ruling.NOT_CALLED)
    assert "the alert ended before" not in told


def test_a_word_is_not_read_by_a_mapping_that_was_made_since(portal: Portal, reader: User) -> None:
    integration, key = integration_of("generic", mapping={"severity": "level"})
    portal.now += timedelta(minutes=1)
    post(f"/integrations/v1/generic/{key}/", {**bodies.GENERIC, "level": "error", "size": "small"})
    portal.now += timedelta(minutes=1)
    save_integration(
        integration, fields={"mapping": {"severity": "size"}}, actor="test", now=portal.now
    )
    alert = Alert.objects.select_related("integration").get()
    assert "said “small”, as its mapping of today reads it;" in one(
        receipt_of_alert(alert, reader), "severity", Ruling.NOT_RECORDED
    )


def test_what_was_merged_in_calls_anew_because_it_is_worse(portal: Portal, receipt: Any) -> None:
    """Whoever took the milder one on still works on it."""
    mild = portal.alert("disk", severity="P2")
    assert mild is not None
    acknowledge(portal, mild, "alice")
    portal.fast_forward(minutes=1)
    worse = portal.alert("cpu", severity="P0")
    assert worse is not None
    merging.merge(worse.pk, into=mild.pk, now=portal.now, actor=portal.people["alice"])
    assert one(receipt(mild), "called_anew", Ruling.DECIDED) == (
        "People were called anew: what came in is worse: It was P2 when somebody took it on."
    )


def test_a_policy_is_told_as_it_was_when_the_severity_changed(portal: Portal, receipt: Any) -> None:
    """And loops of a level that was called before are not those of the new severity."""
    incident = portal.open_incident()
    portal.fast_forward(minutes=1)
    lifecycle.set_severity(incident.pk, severity="P3", now=portal.now, actor="bob")
    told = receipt(incident)
    assert one(told, "policy", Ruling.DECIDED).startswith(
        "“Standard”, as it was when the severity changed last, calls L1 at once and L2 after 1 d"
    )
    (level,) = found(told, "level")
    assert level.text == "L1 was due in loop 1, and called alice."


def test_a_milder_severity_that_ends_calling_says_so(portal: Portal, receipt: Any) -> None:
    incident = portal.open_incident()
    acknowledge(portal, incident, "alice")
    portal.fast_forward(minutes=61)
    lifecycle.set_severity(incident.pk, severity="P2", now=portal.now, actor="bob")
    assert one(receipt(incident), "severity", Ruling.NOT_CALLED) == (
        "P0 → P2. Who was called already was not called again for it. Nobody else of L3 and L4 was called."
    )


def test_an_acknowledgement_that_ends_a_snooze_has_an_effect(portal: Portal, receipt: Any) -> None:
    incident = portal.open_incident()
    until = portal.now + timedelta(hours=1)
    lifecycle.snooze(incident.pk, until=until, now=portal.now, actor=portal.people["alice"])
    portal.fast_forward(minutes=1)
    acknowledge(portal, incident, "bob")
    assert one(receipt(incident), "acknowledge", Ruling.DECIDED) == (
        "bob acknowledged, which ended the snooze."
    )


@pytest.mark.parametrize("facts", [None, [], {"level": None, "loop": None, "missing": None}])
def test_facts_that_are_none_break_no_receipt(portal: Portal, reader: User, facts: Any) -> None:
    silenced(portal)
    portal.alert()
    portal.fast_forward(hours=1)
    with forged("incidents_timelineentry"):
        TimelineEntry.objects.update(facts=Value(facts, JSONField()))
    incident = Incident.objects.get()
    told = receipt_of_incident(incident, reader, now=portal.now)
    assert [v.text for v in found(told, "level", Ruling.NOT_RECORDED)] == ["L1: alice."]
    assert receipt_of_alert(Alert.objects.get(), reader).answer.startswith(
        f"It opened #{incident.pk}"
    )


def test_callings_that_ended_before_what_is_shown_are_not_shown(
    portal: Portal, receipt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "_MOST", 4)
    incident, alice = portal.open_incident(), portal.people["alice"]
    for _ in range(4):
        portal.fast_forward(minutes=1)
        acknowledge(portal, incident, "alice")
        portal.fast_forward(minutes=1)
        lifecycle.unacknowledge(incident.pk, now=portal.now, actor=alice)
        portal.settle()
    told = receipt(incident)
    assert not told.is_whole
    titles = [part.title[:9] for part in told.parts]
    assert titles == ["How it be", "Calling 3", "Calling 4", "Calling 5", "What is n"]


def test_hundreds_of_callings_are_told_at_once() -> None:
    """Nobody answers for days, and calling begins anew each time."""
    began, minute = datetime(2026, 3, 2, tzinfo=UTC), timedelta(minutes=1)
    ladder = Ladder((), loops=1, repeat_after=minute)
    times = [(cycle, began + cycle * minute) for cycle in range(1, 600)]
    walks = tuple(
        Walk(cycle, phase, "", ladder, 0, 0, "stopped", at, at, at + minute)
        for cycle, at in times
        for phase in ("unacknowledged", "unresolved")
    )
    entries = tuple(Entry(at, "unacknowledge", "alice", "", {}) for _, at in times)
    stored = domain.Incident(
        number=1, status="triggered", is_open=True, opened_at=began, severity="P0",
        entries=entries, walks=walks,
    )  # fmt: skip
    since = process_time()
    told = domain.receipt_of(stored, now=began + 700 * minute)
    assert process_time() - since < 2.5
    assert len(told.parts) > 599


def test_what_opened_as_often_as_what_flaps_is_not_said_to_be_quiet(
    portal: Portal, reader: User
) -> None:
    """A silence held it back until that was long ago: its incident is not marked."""
    silenced(portal)
    for firing in (True, False, True, False, True):
        portal.alert(firing=firing)
        portal.fast_forward(minutes=1)
    portal.fast_forward(hours=1)
    told = receipt_of_alert(Alert.objects.latest("pk"), reader)
    incident = Incident.objects.get()
    assert one(told, "flapping", Ruling.NO_EFFECT) == (
        f"The condition opened 3 times within 30 min; #{incident.pk} is not marked as flapping."
    )


def test_the_attempt_that_failed_is_named_by_its_number() -> None:
    """A crash cut the first one, of which no problem is known."""
    at = datetime(2026, 3, 2, 3, tzinfo=UTC)
    cut, failed, sent = Try(1, at, "lost"), Try(2, at, "failed", "No."), Try(3, at, "sent")
    message = Message(
        key="k", cycle=1, loop=0, step=1, level=0, name="alice", target="user:alice", channel="sms",
        reason="assigned", urgency="high", state="sent", created_at=at, due_at=at, look_at=at,
        sent_at=at, tries=(cut, failed, sent),
    )  # fmt: skip
    assert "3 attempts; number 2 failed: No." in verdict_of(message, None, ()).text
