"""Who is called, when, and when no more: the promises of the pager, on a clock that the test moves."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection

from accounts.models import User
from accounts.roles import Role
from incidents.models import Incident, TimelineEntry
from incidents.queries.incidents import next_call
from incidents.services import lifecycle
from incidents.services.auditor import audit_paging
from incidents.tests.oncall_portal import MONDAY, Portal, portal
from oncall.models import FallbackContact, LevelTarget

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_a_critical_incident_climbs_the_ladder_and_begins_again(portal: Portal) -> None:
    """P0: L1 at once, L2 after 5, L3 after 15, L4 after 30 minutes, then the loop repeats."""
    portal.open_incident(severity="P0")
    portal.fast_forward(minutes=50)
    assert portal.paged() == [
        (0, "alice"), (5, "bob"), (15, "carol"), (30, "dave"), (45, "alice"), (50, "bob"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("severity", "hours", "expected"),
    [
        ("P1", 5, [(0, "alice"), (15, "bob"), (60, "carol"), (240, "dave"), (255, "alice"),
                   (270, "bob")]),
        # Monday 03:00: four hours of working time are over at 13:00.
        ("P2", 11, [(0, "alice"), (600, "bob")]),
        ("P3", 25, [(0, "alice"), (1440, "bob")]),
    ],
)  # fmt: skip
def test_each_severity_has_its_own_ladder(
    portal: Portal, severity: str, hours: int, expected: list[tuple[int, str]]
) -> None:
    portal.open_incident(severity=severity)
    portal.fast_forward(hours=hours)
    assert portal.paged() == expected


def test_nobody_is_called_after_an_acknowledgement(portal: Portal) -> None:
    """Acknowledged before L2 is due: L2 sleeps on."""
    incident = portal.open_incident(severity="P0")
    portal.fast_forward(minutes=4)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=portal.people["alice"])
    portal.fast_forward(minutes=30)
    assert portal.paged() == [(0, "alice")]


@pytest.mark.parametrize(
    ("was", "becomes", "is_called"),
    [("P3", "P0", True), ("P1", "P0", True), ("P2", "P1", True), ("P3", "P2", False)],
)
@pytest.mark.parametrize("key", ["disk", "another"])
@pytest.mark.parametrize("answer", ["acknowledge", "snooze", "mitigate"])
def test_what_becomes_urgent_after_an_answer_calls_anew(
    portal: Portal, was: str, becomes: str, is_called: bool, key: str, answer: str
) -> None:
    """Somebody took on a slow leak; the flood in the same group wakes whoever is on call."""
    incident = portal.alert("disk", severity=was, group_key="disks")
    assert incident is not None
    until = {"until": portal.now + timedelta(hours=12)} if answer == "snooze" else {}
    getattr(lifecycle, answer)(incident.pk, now=portal.now, actor=portal.people["alice"], **until)
    called = len(portal.paged())
    portal.fast_forward(minutes=5)
    portal.alert(key, severity=becomes, group_key="disks")
    assert [name for _, name in portal.paged()[called:]] == (["alice"] if is_called else [])
    incident.refresh_from_db()
    assert incident.severity == becomes
    assert (incident.status == "triggered") is is_called
    portal.alert(key, severity=becomes, group_key="disks")
    assert len(portal.paged()) == called + is_called


def test_acknowledged_and_not_resolved_tells_the_next_levels(portal: Portal) -> None:
    """P0: L2 an hour after the acknowledgement, L3 after two, L4 after four; nothing repeats."""
    incident = portal.open_incident(severity="P0")
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=portal.people["alice"])
    portal.fast_forward(hours=6)
    assert portal.paged() == [(0, "alice"), (60, "bob"), (120, "carol"), (240, "dave")]


def test_who_is_called_twice_by_different_phases_is_called_twice(portal: Portal) -> None:
    """A page of one phase is not taken for that of the other."""
    LevelTarget.objects.update(person=portal.people["alice"])
    incident = portal.open_incident(severity="P0")
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=portal.people["alice"])
    portal.fast_forward(minutes=60)
    assert portal.paged() == [(0, "alice"), (60, "alice")]


def test_a_level_without_anybody_is_passed_at_once(portal: Portal) -> None:
    """Nobody at L1: L2 is called in the same moment, and the timeline says who was missing."""
    LevelTarget.objects.filter(level__number=1).delete()
    incident = portal.open_incident(severity="P0")
    assert portal.paged() == [(0, "bob")]
    said = incident.timeline.filter(act="call").first()
    assert said is not None
    assert said.text == "L1: nobody. The level has no targets."


def test_without_any_way_the_accounts_address_is_tried_and_the_next_level_called(
    portal: Portal,
) -> None:
    """An unverified method does not count; silence would be worse than a mail to the account."""
    portal.people["alice"].contact_methods.update(verified_at=None)
    portal.open_incident(severity="P0")
    assert [(sent.to, minute) for sent, (minute, _) in zip(portal.post.sent, portal.paged(), strict=True)] == [
        ("alice@example.com", 0), ("bob-email@example.com", 0),
    ]  # fmt: skip


@pytest.mark.both_databases
def test_a_message_leads_to_the_runbook_of_the_worst_alert_else_of_its_service(
    portal: Portal,
) -> None:
    portal.service.runbook_url = "https://wiki.example.org/shop"
    portal.service.save()
    portal.alert("plain", severity="P1")
    portal.fast_forward(minutes=2)
    portal.alert("own", severity="P1", runbook_url="https://wiki.example.org/disk")
    portal.fast_forward(minutes=2)
    texts = [sent.message.text for sent in portal.post.sent]
    assert "Runbook: https://wiki.example.org/shop" in texts[0].splitlines()
    assert "Runbook: https://wiki.example.org/disk" in texts[1].splitlines()


def test_whoever_cannot_be_reached_is_not_said_to_be_called(portal: Portal) -> None:
    alice = portal.people["alice"]
    alice.contact_methods.update(verified_at=None)
    User.objects.filter(pk=alice.pk).update(email="")
    incident = portal.open_incident(severity="P0")
    assert portal.paged() == [(0, "bob")]
    said = incident.timeline.filter(act="call").order_by("pk").values_list("text", flat=True)
    assert list(said[:2]) == ["L1: nobody. alice has no verified way to be reached.", "L2: bob."]


def test_when_everything_fails_the_fallback_contact_is_called(portal: Portal) -> None:
    """No target anywhere: the fallback contact is called at once, and the incident says why."""
    LevelTarget.objects.all().delete()
    eve = portal.add_person("eve")
    FallbackContact.objects.create(person=eve)
    incident = portal.open_incident(severity="P0")
    incident.refresh_from_db()
    assert portal.paged() == [(0, "eve")]
    assert incident.unreached == "Nobody could be called."


@pytest.mark.parametrize(("answers", "called"), [(False, [(40, "eve")]), (True, [])])
def test_the_last_level_has_its_time_before_the_fallback_contact_is_called(
    portal: Portal, answers: bool, called: list[tuple[int, str]]
) -> None:
    """Whoever is called last can answer first; nobody else is woken in the same second."""
    FallbackContact.objects.create(person=portal.add_person("eve"))
    portal.policy.loops, portal.policy.repeat_after = 1, timedelta(minutes=10)
    portal.policy.save()
    incident = portal.open_incident(severity="P0")
    portal.fast_forward(minutes=35)
    found = next_call(incident)
    assert found is not None
    assert (found.level, found.due_at) == (0, MONDAY + timedelta(minutes=40))
    if answers:
        lifecycle.acknowledge(incident.pk, now=portal.now, actor=portal.people["dave"])
    portal.fast_forward(minutes=15)
    ladder = [(0, "alice"), (5, "bob"), (15, "carol"), (30, "dave")]
    assert portal.paged() == ladder + called
    incident.refresh_from_db()
    assert incident.unreached == ("Everybody was called, nobody answered." if called else "")
    assert audit_paging(now=portal.now) == []


def test_without_a_policy_the_fallback_contact_is_called(portal: Portal) -> None:
    portal.policy.services.all().delete()
    eve = portal.add_person("eve")
    FallbackContact.objects.create(person=eve)
    incident = portal.open_incident(severity="P2")
    incident.refresh_from_db()
    assert portal.paged() == [(0, "eve")]
    assert incident.unreached == "No escalation policy calls anybody for it."


def test_the_auditor_calls_as_soon_as_anybody_can_be_and_says_so_once_an_hour(
    portal: Portal,
) -> None:
    """Nobody has any way to be reached; after two hours of looking again and again somebody has."""
    LevelTarget.objects.all().delete()
    eve = User.objects.create_user("eve", role=Role.RESPONDER)
    FallbackContact.objects.create(person=eve)
    incident = portal.open_incident(severity="P0")

    def look(minutes: int, *, every: int) -> None:
        for _ in range(0, minutes, every):
            portal.now += timedelta(minutes=every)
            audit_paging(now=portal.now)
            portal.settle()

    look(119, every=7)
    said = "The auditor found: Nobody was called. Fallback contact: eve."
    assert TimelineEntry.objects.filter(incident=incident, text=said).count() == 2
    assert portal.paged() == []
    portal.add_method(eve)
    look(5, every=1)
    assert portal.paged() == [(120, "eve")]


def test_a_method_that_fails_for_good_calls_the_next_level_at_once(portal: Portal) -> None:
    portal.post.refusing = {"alice-email@example.com"}
    portal.open_incident(severity="P0")
    assert portal.paged() == [(0, "bob")]


def test_a_method_that_fails_for_now_is_tried_again(portal: Portal) -> None:
    """Up to five times within two minutes; the page goes out once the provider is back."""
    portal.post.refusing, portal.post.is_final = {"alice-email@example.com"}, False
    portal.open_incident(severity="P0")
    portal.fast_forward(seconds=5)
    portal.post.refusing = set()
    portal.fast_forward(seconds=20)
    (page,) = portal.pages()
    assert (page.state, page.attempts) == ("sent", 3)
    outcomes = page.tries.values_list("outcome", flat=True).order_by("number")
    assert list(outcomes) == ["failed", "failed", "sent"]
    assert page.is_repeat is False


def test_snoozed_calls_nobody_and_then_everybody_anew(portal: Portal) -> None:
    incident = portal.open_incident(severity="P0")
    until = portal.now + timedelta(hours=1)
    lifecycle.snooze(incident.pk, until=until, now=portal.now, actor=portal.people["alice"])
    portal.fast_forward(minutes=59)
    assert portal.paged() == [(0, "alice")]
    portal.fast_forward(minutes=6)
    assert portal.paged() == [(0, "alice"), (60, "alice"), (65, "bob")]


def test_still_on_it_is_asked_and_silence_calls_anew(portal: Portal) -> None:
    """Without activity for the policy's time: asked once, then called from the beginning."""
    portal.policy.ack_timeout = timedelta(minutes=20)
    portal.policy.save()
    incident = portal.open_incident(severity="P1")
    alice = portal.people["alice"]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    portal.fast_forward(minutes=10)
    lifecycle.note(incident.pk, text="Looking at it.", now=portal.now, actor=alice)
    portal.fast_forward(minutes=19)
    assert portal.paged() == [(0, "alice")]
    portal.fast_forward(minutes=1)
    assert portal.post.sent[-1].message.subject.startswith("P1 #")
    assert "Still on it?" in portal.post.sent[-1].message.subject
    portal.fast_forward(minutes=5)
    incident.refresh_from_db()
    assert (incident.status, incident.cycle) == ("triggered", 2)
    assert [minute for minute, _ in portal.paged()] == [0, 30, 35]


def test_timers_are_at_risk_then_breached_and_met_when_answered(portal: Portal) -> None:
    """P0 wants an answer within 15 minutes: at risk after 12, breached after 15."""
    first = portal.open_incident("one", severity="P0")
    second = portal.open_incident("two", severity="P0")
    portal.fast_forward(minutes=11)
    lifecycle.acknowledge(second.pk, now=portal.now, actor=portal.people["alice"])
    portal.fast_forward(minutes=1)
    assert Incident.objects.get(pk=first.pk).response == "at_risk"
    portal.fast_forward(minutes=3)
    assert Incident.objects.get(pk=first.pk).response == "breached"
    assert Incident.objects.get(pk=second.pk).response == "met"
    portal.fast_forward(hours=4)
    assert Incident.objects.get(pk=second.pk).resolution == "breached"


def test_evidence_can_be_read_with_sql(portal: Portal) -> None:
    incident = portal.open_incident(severity="P0")
    lifecycle.acknowledge(incident.pk, now=portal.now, actor="test")
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, acked_at IS NOT NULL, resolved_at FROM ev_incident")
        assert [(pk, bool(acked), end) for pk, acked, end in cursor.fetchall()] == [
            (incident.pk, True, None)
        ]
        cursor.execute(
            "SELECT incident_id, cycle, step, target, channel, state, attempts FROM ev_page"
        )
        assert cursor.fetchall() == [(incident.pk, 1, 1, "user:alice", "email", "sent", 1)]
        cursor.execute("SELECT n, outcome, owner FROM ev_attempt")
        assert cursor.fetchall() == [(1, "sent", "pager-1")]


def test_the_clock_begins_on_a_monday_night(portal: Portal) -> None:
    """What the other tests count on."""
    assert (MONDAY.weekday(), MONDAY.hour) == (0, 3)


@pytest.mark.parametrize("statement", ["UPDATE {} SET text = 'x'", "DELETE FROM {}"])
def test_nobody_rewrites_the_timeline(portal: Portal, statement: str) -> None:
    """Not even with SQL: the database itself refuses."""
    portal.open_incident()
    table = TimelineEntry._meta.db_table
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(statement.format(table))


def test_those_who_were_called_hear_that_somebody_answered(portal: Portal) -> None:
    """By their rules for what can wait: whoever answered knows, who was not called needs not."""
    for name in ("alice", "bob", "carol"):
        portal.add_low_rule(name)
    incident = portal.open_incident()
    portal.fast_forward(minutes=15)
    bob = portal.people["bob"]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=bob, person=bob)
    portal.settle()
    assert portal.told() == [(15, "alice"), (15, "carol")]
    said = portal.post.sent[-1].message
    assert f"P0 #{incident.pk} Taken by bob: Checkout: 5xx spike" in said.subject
    assert said.act_url == ""
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=bob, person=bob)
    portal.settle()
    assert len(portal.told()) == 2
    assert portal.paged() == [(0, "alice"), (5, "bob"), (15, "carol")]


def test_who_snoozes_has_answered_too(portal: Portal) -> None:
    """Those who were called hear it once, whatever is said of it afterwards."""
    for name in ("alice", "bob", "carol"):
        portal.add_low_rule(name)
    incident = portal.open_incident()
    portal.fast_forward(minutes=15)
    bob, until = portal.people["bob"], portal.now + timedelta(hours=2)
    lifecycle.snooze(incident.pk, until=until, now=portal.now, actor=bob, person=bob)
    portal.settle()
    assert portal.told() == [(15, "alice"), (15, "carol")]
    assert f"#{incident.pk} Taken by bob" in portal.post.sent[-1].message.subject
    later = until + timedelta(minutes=5)
    lifecycle.snooze(incident.pk, until=later, now=portal.now, actor=bob, person=bob)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=bob, person=bob)
    portal.settle()
    assert len(portal.told()) == 2


def test_news_hold_up_no_page(portal: Portal, settings: Any) -> None:
    """A method that has just told something still rings at once."""
    settings.PAGE_EVERY_S = 60
    portal.add_low_rule("alice")
    first = portal.open_incident("one", severity="P1")
    portal.fast_forward(minutes=2)
    lifecycle.acknowledge(first.pk, now=portal.now, actor="somebody")
    portal.settle()
    assert portal.told() == [(2, "alice")]
    portal.open_incident("two", severity="P1")
    assert portal.paged() == [(0, "alice"), (2, "alice")]
