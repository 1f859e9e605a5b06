"""The auditor believes none of the escalation's own notes of what is due."""

from datetime import timedelta
from typing import Any

import pytest

from incidents.models import Deadline, EscalationRun, Incident, Page
from incidents.queries.verification import check_invariants
from incidents.services import auditor, escalation, lifecycle, overdue, pager
from incidents.services.auditor import audit_paging, overdue_pages
from incidents.services.lifecycle import Opening
from incidents.services.overdue import Look
from incidents.tests.oncall_portal import Portal, portal, watched
from incidents.tests.test_set_aside import answered, snoozed
from notifications.models import NotificationRule
from oncall.models import (
    EscalationPolicy,
    FallbackContact,
    LevelTarget,
    PolicyLevel,
    ServicePolicy,
    Timing,
)

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.mark.parametrize("severity", ["P0", "P3"])
def test_finds_nothing_where_all_is_well(portal: Portal, severity: str) -> None:
    """Through levels, loops, answers, snoozes and new severities, for a day."""
    incident = portal.open_incident(severity=severity)
    alice = portal.people["alice"]
    found = watched(portal, 100, every=10)
    lifecycle.set_severity(incident.pk, severity="P2", now=portal.now, actor=alice)
    found += watched(portal, 100, every=10)
    lifecycle.set_severity(incident.pk, severity="P1", now=portal.now, actor=alice)
    found += watched(portal, 100, every=10)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    found += watched(portal, 200, every=10)
    until = portal.now + timedelta(minutes=50)
    lifecycle.snooze(incident.pk, until=until, now=portal.now, actor=alice, person=alice)
    found += watched(portal, 100, every=10)
    lifecycle.resolve(incident.pk, now=portal.now, actor=alice)
    lifecycle.reopen(incident.pk, now=portal.now, actor=alice)
    found += watched(portal, 400, every=10)
    assert found == []


@pytest.mark.parametrize("by", [timedelta(days=365), timedelta(minutes=45)])
def test_a_step_that_is_due_much_too_late_is_found(portal: Portal, by: timedelta) -> None:
    """A clock that jumped, or a fault of the engine: L2 is called within the time of its level."""
    portal.open_incident(severity="P0")
    later = portal.now + by
    EscalationRun.objects.update(due_at=later, look_at=later)
    assert "The next level is overdue." in watched(portal, 7)
    assert portal.paged()[-1][1] == "bob"


def test_a_snooze_that_an_answer_ended_begins_to_count_anew(portal: Portal) -> None:
    """L2 was told before it; L3 is told as long after the answer as it is after L2."""
    incident, alice = answered(portal), portal.people["alice"]
    found = watched(portal, 62, every=2)
    until = portal.now + timedelta(hours=5)
    lifecycle.snooze(incident.pk, until=until, now=portal.now, actor=alice, person=alice)
    found += watched(portal, 120, every=10)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    found += watched(portal, 70, every=5)
    assert found == []
    assert [name for _, name in portal.paged()] == ["alice", "bob", "carol"]


def test_who_is_called_again_at_a_lower_severity_is_not_a_finding(portal: Portal) -> None:
    """In the second loop of a P0 all were called: of a P2 nobody is left."""
    portal.policy.loops = 3
    portal.policy.save()
    incident = portal.open_incident(severity="P0")
    found = watched(portal, 46)
    assert portal.paged()[-1][1] == "alice"
    lifecycle.set_severity(incident.pk, severity="P2", now=portal.now, actor="test")
    called = len(portal.paged())
    found += watched(portal, 5)
    assert found == []
    assert len(portal.paged()) == called


def test_a_rule_that_calls_later_is_not_overdue_after_an_outage(portal: Portal) -> None:
    alice = portal.people["alice"]
    for minutes in (0, 15):
        delay, method = timedelta(minutes=minutes), alice.contact_methods.get()
        NotificationRule.objects.create(person=alice, urgency="high", method=method, delay=delay)
    lifecycle.declare(
        Opening("P1", "5xx spike", service_id=portal.service.pk), now=portal.now, actor="test"
    )
    portal.now += timedelta(minutes=35)
    portal.settle()
    found = watched(portal, 14)
    assert found == []
    assert portal.paged() == [(35, "alice")]
    assert watched(portal, 1) == []
    assert portal.paged()[1] == (50, "alice")
    assert not [each.id for each in check_invariants(now=portal.now) if not each.holds]


def test_a_longer_pause_between_messages_is_no_delay(portal: Portal, settings: Any) -> None:
    settings.PAGE_EVERY_S = 1800
    portal.open_incident("one", severity="P3")
    portal.now += timedelta(seconds=30)
    portal.open_incident("two", severity="P3")
    assert watched(portal, 25) == []


def test_snoozes_that_end_together_are_only_a_queue(portal: Portal) -> None:
    """A pager was away; what it does next is no finding."""
    for _ in range(15):
        snoozed(portal, 30)
    portal.now += timedelta(minutes=40)
    assert audit_paging(now=portal.now) == []


def test_another_policy_of_the_service_changes_nothing_that_was_begun(portal: Portal) -> None:
    silent = EscalationPolicy.objects.create(slug="silent", name="Silent")
    level = PolicyLevel.objects.create(policy=silent, number=1, name="L1")
    LevelTarget.objects.create(level=level, person=portal.people["alice"])
    held = ServicePolicy.objects.filter(service=portal.service)
    held.update(policy=silent)
    answered(portal)
    portal.now += timedelta(minutes=5)
    held.update(policy=portal.policy)
    assert watched(portal, 3) == []


def test_who_answers_before_the_repair_is_called_no_more(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found is looked at again under the lock of the incident."""
    FallbackContact.objects.create(person=portal.add_person("eve"))
    incident, alice = portal.open_incident(severity="P0"), portal.people["alice"]
    portal.now += timedelta(minutes=7)
    genuine = auditor._repair

    def late(*arguments: Any) -> bool:
        lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
        return genuine(*arguments)

    monkeypatch.setattr(auditor, "_repair", late)
    assert audit_paging(now=portal.now) == []
    portal.settle()
    assert portal.paged() == [(0, "alice")]


def test_one_check_that_fails_hides_no_other(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.open_incident(severity="P0")
    EscalationRun.objects.update(state="exhausted", ended_at=portal.now)
    portal.now += timedelta(minutes=2)

    def broken(_look: Look) -> list[tuple[int, str]]:
        raise ValueError("It cannot be looked at.")

    monkeypatch.setattr(auditor, "CHECKS", (broken, *auditor.CHECKS))
    with pytest.raises(ValueError, match="cannot be looked at"):
        audit_paging(now=portal.now)
    portal.settle()
    assert portal.paged()[-1][1] == "bob"


def test_of_very_many_walks_each_audit_looks_at_others(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overdue, "_AT_A_TIME", 2)
    for number in range(5):
        portal.open_incident(f"incident {number}", severity="P0")
    later = portal.now + timedelta(days=365)
    EscalationRun.objects.update(due_at=later, look_at=later)
    portal.now += timedelta(minutes=1)
    found = [len(audit_paging(now=portal.now, turn=turn)) for turn in range(3)]
    assert sum(found) == 5
    assert max(found) == 2


def test_who_lasts_in_working_hours_is_not_overdue_at_night(portal: Portal) -> None:
    """Monday, three o'clock: two hours of working time end at eleven."""
    Timing.objects.create(
        policy=portal.policy, severity="P2", phase="unacknowledged", level=1, after=timedelta(),
        urgency="high",
    )  # fmt: skip
    Timing.objects.create(
        policy=portal.policy, severity="P2", phase="unacknowledged", level=2,
        after=timedelta(hours=2), urgency="high", in_working_hours=True,
    )  # fmt: skip
    portal.open_incident(severity="P2")
    assert watched(portal, 8 * 60 + 10, every=10) == []
    assert portal.paged() == [(0, "alice"), (8 * 60, "bob")]


def test_an_escalation_that_ended_too_early_goes_on(portal: Portal) -> None:
    portal.open_incident(severity="P0")
    EscalationRun.objects.update(state="exhausted", ended_at=portal.now)
    assert watched(portal, 3)[0] == "Its escalation ended although not everybody was called."
    assert portal.paged()[:2] == [(0, "alice"), (1, "bob")]
    watched(portal, 60)
    assert [name for _, name in portal.paged()][2:4] == ["carol", "dave"]


def test_one_of_p3_that_ended_too_early_goes_on(portal: Portal) -> None:
    portal.open_incident(severity="P3")
    EscalationRun.objects.update(state="exhausted", ended_at=portal.now)
    assert watched(portal, 2)[0] == "Its escalation ended although not everybody was called."
    assert portal.paged() == [(0, "alice"), (1, "bob")]


def test_a_snooze_whose_end_was_lost_ends_all_the_same(portal: Portal) -> None:
    snoozed(portal, 30)
    Deadline.objects.filter(kind="snooze_ends").update(is_open=False)
    assert watched(portal, 35) == ["Its snooze has ended, and nobody was called."]
    assert portal.paged() == [(0, "alice"), (31, "alice")]


def test_what_lasts_is_told_although_that_was_lost(portal: Portal) -> None:
    incident = answered(portal)
    EscalationRun.objects.filter(phase="unresolved").delete()
    assert watched(portal, 5) == ["Nobody is told that it lasts."]
    assert incident.runs.get(phase="unresolved").state == "running"


def test_a_page_that_nobody_would_look_at_is_found(portal: Portal) -> None:
    portal.open_incident(severity="P0")
    Page.objects.update(state="waiting", look_at=portal.now + timedelta(days=365))
    assert "A page would be looked at much too late." in watched(portal, 3)
    assert [page.state for page in portal.pages(person__username="alice")] == ["sent"]


def test_a_page_that_others_overtook_is_found(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where what came later went out, one that still waits is no mere delay."""
    portal.open_incident(severity="P0")
    (stuck,) = portal.pages()
    Page.objects.filter(pk=stuck.pk).update(state="waiting")
    portal.now += timedelta(minutes=2)
    other = portal.open_incident("another", severity="P0")
    Page.objects.filter(pk=stuck.pk).update(state="waiting", look_at=stuck.look_at)
    found = {finding.what for finding in audit_paging(now=portal.now)}
    assert "A page is overdue." in found
    assert other.pk != stuck.incident_id


def test_one_that_cannot_be_repaired_keeps_no_other_waiting(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = portal.open_incident("poison", severity="P0")
    portal.open_incident("other", severity="P0")
    EscalationRun.objects.update(state="stopped")
    portal.now += timedelta(minutes=2)
    genuine = escalation.page_fallback

    def page(incident: Incident, *arguments: Any, **named: Any) -> int:
        if incident.pk == poison.pk:
            raise RuntimeError("It cannot be called for.")
        return genuine(incident, *arguments, **named)

    monkeypatch.setattr(escalation, "page_fallback", page)
    assert len(audit_paging(now=portal.now)) == 2
    assert list(EscalationRun.objects.filter(state="running").values_list("incident__title")) == [
        ("other",)
    ]


@pytest.mark.parametrize(("is_clean", "calls"), [(True, 1), (False, 0)])
def test_the_outside_is_told_only_while_all_is_well(
    portal: Portal, settings: Any, monkeypatch: pytest.MonkeyPatch, *, is_clean: bool, calls: int
) -> None:
    """The dead man's switch: silence there means that somebody should look here."""
    told: list[str] = []
    settings.DEAD_MAN_URL = "https://watch.example.com/ping"
    monkeypatch.setattr("core.http_client.request", lambda url, **_: told.append(url))
    portal.open_incident(severity="P0")
    if not is_clean:
        long_ago = portal.now - timedelta(minutes=5)
        Page.objects.update(state="waiting", due_at=long_ago, look_at=long_ago)
        assert overdue_pages(now=portal.now) == 1
        monkeypatch.setattr("incidents.services.sending.claim", lambda **_: [])
    watch = pager.Pager(lambda: portal.now, owner="pager-1", senders=1)
    watch._audit(portal.now)
    watch._pool.shutdown(wait=True)
    watch._recorder.close()
    assert told == ["https://watch.example.com/ping"] * calls
