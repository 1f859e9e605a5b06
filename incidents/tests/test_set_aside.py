"""What the pager cannot do is set aside, and the fallback contact hears of it whatever else is so."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from core.errors import Conflict
from incidents.models import Deadline, EscalationRun, Incident
from incidents.queries.incidents import next_call
from incidents.services import due, firing, lifecycle
from incidents.services.auditor import audit_paging
from incidents.tests.oncall_portal import Portal, portal, watched
from oncall.models import EscalationPolicy, FallbackContact, ServicePolicy

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def eve(portal: Portal) -> None:
    """The fallback contact."""
    FallbackContact.objects.create(person=portal.add_person("eve"))


def broken(*_: Any, **__: Any) -> None:
    raise RuntimeError("It always fails.")


def fallback_pages(portal: Portal) -> list[str]:
    return [page.state for page in portal.pages(person__username="eve")]


def answered(portal: Portal, severity: str = "P0") -> Incident:
    incident = portal.open_incident(severity=severity)
    alice = portal.people["alice"]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    return incident


def snoozed(portal: Portal, minutes: int) -> Incident:
    incident = portal.open_incident(severity="P0")
    alice = portal.people["alice"]
    until = portal.now + timedelta(minutes=minutes)
    lifecycle.snooze(incident.pk, until=until, now=portal.now, actor=alice, person=alice)
    return incident


@pytest.mark.usefixtures("eve")
def test_a_snooze_that_cannot_end_calls_the_fallback_contact(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    snoozed(portal, 30)
    with monkeypatch.context() as patched:
        patched.setitem(due._MEANINGS, Deadline.Kind.SNOOZE_ENDS, broken)
        portal.fast_forward(minutes=60)
        assert fallback_pages(portal) == ["sent"]
    assert [name for _, name in portal.paged()] == ["alice", "eve"]
    # When what was broken is mended, people are called after all.
    assert watched(portal, 2)[0] == "Its snooze has ended, and nobody was called."
    assert Incident.objects.get().status == "triggered"
    assert portal.paged()[-1][1] == "alice"


@pytest.mark.usefixtures("eve")
def test_what_lasts_and_cannot_be_told_calls_the_fallback_contact(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(portal)
    monkeypatch.setattr(firing._Batch, "write", broken)
    portal.fast_forward(minutes=120)
    assert EscalationRun.objects.filter(phase="unresolved", state="quarantined").exists()
    assert fallback_pages(portal) == ["sent"]


@pytest.mark.usefixtures("eve")
def test_an_answer_takes_back_what_was_set_aside_before_it(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has it in hand: the fallback contact need not be woken any more."""
    with monkeypatch.context() as patched:
        patched.setattr(firing._Batch, "write", broken)
        incident = portal.open_incident(severity="P0")
        patched.setattr("incidents.services.sending.claim", lambda **_: [])
        portal.fast_forward(minutes=30)
    alice = portal.people["alice"]
    assert fallback_pages(portal) == ["waiting"]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    portal.settle()
    assert fallback_pages(portal) == ["cancelled"]


@pytest.mark.usefixtures("eve")
def test_each_finding_of_the_auditor_is_a_page(portal: Portal) -> None:
    """The timeline says that the fallback contact is called: so it is, each time."""
    incident = portal.open_incident(severity="P0")
    for _ in range(3):
        portal.now += timedelta(hours=2)
        EscalationRun.objects.update(state="stopped", position=1, loop=0)
        Incident.objects.update(updated_at=portal.now - timedelta(minutes=5))
        assert audit_paging(now=portal.now)
        portal.settle()
        # Once an hour is enough.
        portal.now += timedelta(minutes=2)
        EscalationRun.objects.update(state="stopped", position=1, loop=0)
        assert audit_paging(now=portal.now)
        portal.settle()
    said = incident.timeline.filter(act="fallback", text__startswith="The auditor found: ")
    assert said.count() == 3
    assert fallback_pages(portal) == ["sent"] * 3


def test_whoever_it_is_given_to_is_told_although_somebody_answers_at_once(portal: Portal) -> None:
    incident = portal.open_incident(severity="P1")
    alice, bob = portal.people["alice"], portal.people["bob"]
    lifecycle.assign(incident.pk, to=bob, now=portal.now, actor=alice)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    portal.settle()
    assert portal.paged() == [(0, "alice"), (0, "bob")]


def test_what_is_over_is_told_to_nobody(portal: Portal) -> None:
    incident = portal.open_incident(severity="P1")
    lifecycle.assign(incident.pk, to=portal.people["bob"], now=portal.now, actor="test")
    lifecycle.resolve(incident.pk, now=portal.now, actor="test")
    assert [page.state for page in portal.pages(person__username="bob")] == ["cancelled"]


@pytest.mark.usefixtures("eve")
@pytest.mark.parametrize("severity", ["P2", "P3"])
@pytest.mark.parametrize(
    ("first", "second"),
    [("mute", "empty"), ("empty", "mute"), ("mute", "mute"), ("mute", "refuse"), ("refuse", "mute")],
)  # fmt: skip
def test_an_address_that_nobody_verified_does_not_count_as_heard(
    portal: Portal, severity: str, first: str, second: str
) -> None:
    """Whatever the order of the levels, the fallback contact is called."""
    for number, (name, how) in enumerate(zip(("alice", "bob"), (first, second), strict=True), 1):
        if how == "empty":
            portal.policy.levels.get(number=number).targets.all().delete()
        elif how == "mute":
            portal.people[name].contact_methods.update(verified_at=None)
        else:
            portal.post.refusing.add(f"{name}-email@example.com")
    incident = portal.open_incident(severity=severity)
    portal.fast_forward(hours=30)
    assert "sent" in fallback_pages(portal)
    incident.refresh_from_db()
    assert incident.unreached == "Nobody could be called."


def fail(portal: Portal, monkeypatch: pytest.MonkeyPatch, incident: Incident) -> None:
    """Have no step be taken until its escalation is set aside."""
    with monkeypatch.context() as patched:
        patched.setattr(firing._Batch, "write", broken)
        portal.fast_forward(minutes=7)
    assert incident.runs.get().state == "quarantined"


def set_aside(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Incident:
    """Return an incident that alice was called for, and whose second level cannot be called."""
    incident = portal.open_incident(severity="P0")
    fail(portal, monkeypatch, incident)
    incident.refresh_from_db()
    assert incident.unreached == "The escalation failed 5 times and was set aside."
    return incident


@pytest.mark.usefixtures("eve")
def test_what_waited_when_an_escalation_is_set_aside_still_goes_out(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alice's second message, ten minutes after the call, is none of the step that failed."""
    alice = portal.people["alice"]
    method = alice.contact_methods.get()
    for minutes in (0, 10):
        delay = timedelta(minutes=minutes)
        alice.notification_rules.create(urgency="high", method=method, delay=delay)
    set_aside(portal, monkeypatch)
    portal.fast_forward(minutes=10)
    assert [name for _, name in portal.paged()] == ["alice", "eve", "alice"]


@pytest.mark.usefixtures("eve")
def test_a_person_takes_up_what_was_set_aside_by_the_policy_of_now(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the repair: at the level that failed, and from there as the ladder says."""
    incident = set_aside(portal, monkeypatch)
    dave = portal.people["dave"]
    portal.policy.levels.get(number=2).targets.update(person=dave)
    call = next_call(incident)
    assert call is not None
    assert (call.level, call.is_set_aside) == (2, True)
    lifecycle.escalate(incident.pk, now=portal.now, actor=dave, step=call.step)
    portal.settle()
    assert [name for _, name in portal.paged()] == ["alice", "eve", "dave"]
    incident.refresh_from_db()
    assert incident.unreached == ""
    assert incident.timeline.filter(act="escalate", actor="dave").count() == 1
    portal.fast_forward(minutes=10)
    assert portal.paged()[-1] == (17, "carol")
    assert not audit_paging(now=portal.now)
    with pytest.raises(Conflict, match="Somebody was called since you looked"):
        lifecycle.escalate(incident.pk, now=portal.now, actor=dave, step=call.step)


@pytest.mark.usefixtures("eve")
def test_each_time_that_it_is_set_aside_the_fallback_contact_hears(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken up before it was repaired, it fails again."""
    incident = set_aside(portal, monkeypatch)
    lifecycle.escalate(incident.pk, now=portal.now, actor="test")
    fail(portal, monkeypatch, incident)
    assert fallback_pages(portal) == ["sent"] * 2


@pytest.mark.usefixtures("eve")
def test_the_page_says_that_an_escalation_was_set_aside(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    incident = set_aside(portal, monkeypatch)
    client.force_login(portal.people["bob"])
    shown = client.get(f"/i/{incident.pk}").content.decode()
    assert "Calling was set aside: nobody else is called unless somebody escalates." in shown
    assert "Escalate to L2" in shown
    last = portal.post.sent[-1].message
    assert last.facts["next_step"] == incident.runs.get().next_step
    client.post(f"/i/{incident.pk}/escalate/", {"step": last.facts["next_step"]})
    portal.settle()
    assert [name for _, name in portal.paged()] == ["alice", "eve", "bob"]


@pytest.mark.usefixtures("eve")
def test_another_severity_takes_up_what_was_set_aside(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = set_aside(portal, monkeypatch)
    lifecycle.set_severity(incident.pk, severity="P1", now=portal.now, actor="test")
    portal.fast_forward(minutes=15)
    assert [name for _, name in portal.paged()] == ["alice", "eve", "bob"]


@pytest.mark.usefixtures("eve")
def test_whom_no_policy_calls_any_more_is_not_taken_up(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told of what lasts by the policy of now: it says so, and changes nothing."""
    incident = answered(portal)
    with monkeypatch.context() as patched:
        patched.setattr(firing._Batch, "write", broken)
        portal.fast_forward(minutes=62)
    run = incident.runs.get(phase="unresolved")
    assert run.state == "quarantined"
    ServicePolicy.objects.all().delete()
    EscalationPolicy.objects.update(is_default=False)
    with pytest.raises(Conflict, match="Nobody is left to call"):
        lifecycle.escalate(incident.pk, now=portal.now, actor="test")
