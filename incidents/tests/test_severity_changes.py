"""Somebody says that it is worse, or less bad, than it seemed: ladder and timers follow."""

from datetime import timedelta
from typing import Any

import pytest

from incidents.models import EscalationRun, Incident
from incidents.queries.incidents import next_call
from incidents.services import firing, lifecycle, merging
from incidents.services.auditor import audit_paging
from incidents.services.claims import Queue
from incidents.tests.oncall_portal import MONDAY, Portal, portal
from oncall.models import FallbackContact

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

HOUR = 60


def rated(portal: Portal, incident: Incident, severity: str) -> Incident:
    """Let a person say how bad it is, and the pager look."""
    lifecycle.set_severity(
        incident.pk, severity=severity, now=portal.now, actor=portal.people["alice"]
    )
    portal.settle()
    incident.refresh_from_db()
    return incident


def taken_on(portal: Portal, severity: str) -> Incident:
    """Open an incident that alice acknowledges at once."""
    incident = portal.open_incident(severity=severity)
    alice = portal.people["alice"]
    return lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)


@pytest.mark.parametrize(
    ("was", "becomes", "after", "expected"),
    [
        ("P0", "P3", 0, [(0, "alice"), (24 * HOUR, "bob")]),
        # Monday 03:00: four hours of working time are over at 13:00.
        ("P0", "P2", 2, [(0, "alice"), (10 * HOUR, "bob")]),
        ("P0", "P1", 2, [(0, "alice"), (15, "bob"), (60, "carol"), (240, "dave"), (255, "alice")]),
        # Its L2 is called already; the third one follows 45 minutes after the second, as P1 has it.
        ("P0", "P1", 6, [(0, "alice"), (5, "bob"), (50, "carol"), (230, "dave"), (245, "alice")]),
        ("P0", "P3", 20, [(0, "alice"), (5, "bob"), (15, "carol")]),
        ("P2", "P3", 11 * HOUR, [(0, "alice"), (10 * HOUR, "bob")]),
    ],
)
def test_less_bad_is_called_by_its_own_ladder_and_nobody_twice(
    portal: Portal, was: str, becomes: str, after: int, expected: list[tuple[int, str]]
) -> None:
    incident = portal.open_incident(severity=was)
    portal.fast_forward(minutes=after)
    assert rated(portal, incident, becomes).cycle == 1
    portal.fast_forward(minutes=26 * HOUR - after)
    assert portal.paged()[: len(expected)] == expected
    assert becomes == "P1" or len(portal.paged()) == len(expected)
    assert audit_paging(now=portal.now) == []


def test_before_anybody_was_called_it_is_as_if_it_had_been_so_from_the_beginning(
    portal: Portal,
) -> None:
    opening = lifecycle.Opening("P0", "5xx spike", service_id=portal.service.pk)
    incident = lifecycle.declare(opening, now=portal.now, actor="test")
    rated(portal, incident, "P3")
    portal.fast_forward(hours=25)
    assert portal.paged() == [(0, "alice"), (24 * HOUR, "bob")]
    assert {page.urgency for page in portal.pages()} == {"low"}


def test_in_its_second_round_it_goes_on_there(portal: Portal) -> None:
    """P0 began again after 45 minutes; as a P1 its L2 of that round comes 15 minutes later."""
    incident = portal.open_incident(severity="P0")
    portal.fast_forward(minutes=46)
    rated(portal, incident, "P1")
    portal.fast_forward(minutes=HOUR)
    assert portal.paged()[4:] == [(45, "alice"), (60, "bob"), (105, "carol")]


def test_who_was_called_last_still_has_time_before_the_next_round(portal: Portal) -> None:
    incident = portal.open_incident(severity="P0")
    portal.fast_forward(minutes=31)
    rated(portal, incident, "P1")
    portal.fast_forward(minutes=30)
    assert portal.paged()[4:] == [(45, "alice"), (60, "bob")]


def test_while_the_fallback_contact_is_waited_for_less_urgent_calls_nobody_more(
    portal: Portal,
) -> None:
    """All rounds are over; a P1 waits on for the fallback contact, a P3 does not."""
    FallbackContact.objects.create(person=portal.add_person("eve"))
    portal.policy.loops = 1
    portal.policy.save()
    for severity in ("P1", "P3"):
        incident = portal.open_incident(severity="P0")
        portal.fast_forward(minutes=31)
        rated(portal, incident, severity)
        called = len(portal.paged())
        portal.fast_forward(hours=26)
        assert [name for _, name in portal.paged()[called:]] == ["eve"] * (severity == "P1")
        lifecycle.resolve(incident.pk, now=portal.now, actor="test")


def test_a_walk_that_is_over_stays_so(portal: Portal) -> None:
    portal.policy.loops = 1
    portal.policy.save()
    incident = portal.open_incident(severity="P0")
    portal.fast_forward(hours=2)
    called = portal.paged()
    rated(portal, incident, "P1")
    portal.fast_forward(hours=10)
    assert portal.paged() == called


@pytest.mark.parametrize(
    ("was", "becomes", "after", "expected"),
    [
        ("P0", "P3", 0, []),
        ("P0", "P3", 70, [(60, "bob")]),
        ("P0", "P1", 10, [(2 * HOUR, "bob"), (4 * HOUR, "carol"), (8 * HOUR, "dave")]),
        ("P0", "P1", 70, [(60, "bob"), (3 * HOUR, "carol"), (7 * HOUR, "dave")]),
        ("P1", "P0", 90, [(90, "bob"), (150, "carol"), (270, "dave")]),
        ("P2", "P0", 30, [(90, "bob"), (150, "carol"), (270, "dave")]),
        ("P3", "P1", 0, [(2 * HOUR, "bob"), (4 * HOUR, "carol"), (8 * HOUR, "dave")]),
    ],
)
def test_taken_on_it_follows_the_ladder_of_what_it_is_now(
    portal: Portal, was: str, becomes: str, after: int, expected: list[tuple[int, str]]
) -> None:
    """Raised by hand nobody is woken anew, but the next levels hear when it is not resolved."""
    incident = taken_on(portal, was)
    portal.fast_forward(minutes=after)
    assert rated(portal, incident, becomes).status == "acknowledged"
    portal.fast_forward(minutes=9 * HOUR - after)
    assert portal.paged()[1:] == expected


def test_back_and_forth_nobody_hears_twice(portal: Portal) -> None:
    """Urgent again after 90 minutes: L3 an hour later, as it would have been after L2."""
    incident = taken_on(portal, "P0")
    portal.fast_forward(minutes=70)
    rated(portal, incident, "P3")
    portal.fast_forward(minutes=20)
    rated(portal, incident, "P0")
    portal.fast_forward(hours=4)
    assert portal.paged()[1:] == [(60, "bob"), (150, "carol"), (270, "dave")]


def test_a_snooze_holds_whatever_it_becomes(portal: Portal) -> None:
    incident = taken_on(portal, "P0")
    until = portal.now + timedelta(hours=5)
    lifecycle.snooze(incident.pk, until=until, now=portal.now, actor=portal.people["alice"])
    for severity in ("P1", "P0", "P3", "P1"):
        rated(portal, incident, severity)
    portal.fast_forward(minutes=5 * HOUR + 15)
    assert portal.paged()[1:] == [(5 * HOUR, "alice"), (5 * HOUR + 15, "bob")]


def test_a_snooze_may_be_taken_back(portal: Portal) -> None:
    """Acknowledged, snoozed, acknowledged: the next levels hear after their time from then on."""
    incident = taken_on(portal, "P0")
    alice: dict[str, Any] = {"actor": portal.people["alice"], "person": portal.people["alice"]}
    until = portal.now + timedelta(hours=5)
    portal.fast_forward(minutes=10)
    lifecycle.snooze(incident.pk, until=until, now=portal.now, **alice)
    portal.fast_forward(minutes=10)
    lifecycle.acknowledge(incident.pk, now=portal.now, **alice)
    portal.fast_forward(hours=2)
    assert portal.paged()[1:] == [(80, "bob"), (140, "carol")]


def test_the_page_says_who_is_called_next(portal: Portal) -> None:
    incident = portal.open_incident(severity="P0")
    rated(portal, incident, "P1")
    found = next_call(incident)
    assert found is not None
    assert (found.level, found.due_at) == (2, MONDAY + timedelta(minutes=15))


def standings(incident: Incident) -> tuple[str, str]:
    incident.refresh_from_db()
    return incident.response, incident.resolution


def test_less_bad_has_more_time(portal: Portal) -> None:
    """A P0 unanswered for 20 minutes is late, a P3 is not; its own times then count."""
    incident = portal.open_incident(severity="P0")
    portal.fast_forward(minutes=20)
    assert standings(incident) == ("breached", "on_track")
    assert standings(rated(portal, incident, "P1")) == ("on_track", "on_track")
    portal.fast_forward(minutes=30)
    assert standings(incident) == ("at_risk", "on_track")
    assert standings(rated(portal, incident, "P3")) == ("on_track", "on_track")
    portal.fast_forward(hours=20)
    assert standings(incident) == ("at_risk", "on_track")
    portal.fast_forward(days=14)
    assert standings(incident) == ("breached", "breached")


def test_what_is_late_for_less_as_well_stays_late(portal: Portal) -> None:
    incident = portal.open_incident(severity="P0")
    portal.fast_forward(hours=9)
    assert standings(rated(portal, incident, "P1")) == ("breached", "breached")
    portal.fast_forward(hours=1)
    assert standings(incident) == ("breached", "breached")
    assert incident.timeline.filter(kind="timer").count() == 4


def test_what_was_answered_and_ended_counts_by_what_it_was(portal: Portal) -> None:
    """Late for a P0, in time for a P2; and what was in time stays so when it becomes worse."""
    incident = portal.open_incident(severity="P0")
    portal.fast_forward(minutes=30)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor="test")
    portal.fast_forward(hours=5)
    lifecycle.resolve(incident.pk, now=portal.now, actor="test")
    assert standings(incident) == ("breached", "breached")
    assert standings(rated(portal, incident, "P2")) == ("met", "met")
    other = taken_on(portal, "P3")
    portal.fast_forward(hours=3)
    assert standings(rated(portal, other, "P0")) == ("met", "on_track")


def test_more_urgent_is_late_at_once_where_its_time_has_passed(portal: Portal) -> None:
    incident = portal.open_incident(severity="P3")
    portal.fast_forward(hours=10)
    assert standings(rated(portal, incident, "P0")) == ("breached", "breached")


def test_a_step_that_was_taken_before_is_not_fired_by_the_old_ladder(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pager read the walk, then its ladder changed: it looks again."""
    FallbackContact.objects.create(person=portal.add_person("eve"))
    incident = portal.open_incident(severity="P0")
    take = Queue.take

    def taken(queue: Queue, **kwargs: Any) -> Any:
        rows = take(queue, **kwargs)
        monkeypatch.setattr(Queue, "take", take)
        lifecycle.set_severity(incident.pk, severity="P3", now=portal.now, actor="test")
        return rows

    monkeypatch.setattr(Queue, "take", taken)
    portal.now += timedelta(minutes=5)
    firing.fire_due(firing.queue(), now=portal.now, limit=10)
    portal.settle()
    portal.fast_forward(hours=2)
    assert portal.paged() == [(0, "alice"), (5, "bob")]
    run = EscalationRun.objects.get()
    assert (run.state, run.ladder.steps[-1].urgency) == ("exhausted", "low")


def test_one_walk_a_phase(portal: Portal) -> None:
    """Whatever it becomes, it is called by one walk until somebody acknowledges."""
    incident = portal.open_incident(severity="P0")
    for severity in ("P1", "P2", "P3"):
        rated(portal, incident, severity)
    assert EscalationRun.objects.get().state == "running"


# What a person set, and alerts that are worse


def judged(portal: Portal, *severities: str) -> Incident:
    """Have alerts open an incident that alice calls P2 and takes on."""
    for number, severity in enumerate(severities):
        found = portal.alert(f"disk {number}", severity=severity, group_key="disks")
    assert found is not None
    rated(portal, found, "P2")
    alice = portal.people["alice"]
    return lifecycle.acknowledge(found.pk, now=portal.now, actor=alice, person=alice)


def worse(portal: Portal, key: str, severity: str = "P0") -> tuple[str, str, int]:
    """Report an alert of its group; returns how its incident stands, and how many were called for it."""
    before = len(portal.paged())
    found = portal.alert(key, severity=severity, group_key="disks")
    assert found is not None
    found.refresh_from_db()
    return found.severity, found.status, len(portal.paged()) - before


def test_an_alert_worse_than_those_that_a_person_judged_calls_anew(portal: Portal) -> None:
    """What they set stays; each further alert that is no worse, and each report of it, changes nothing."""
    judged(portal, "P2")
    assert worse(portal, "ticket", "P3") == ("P2", "acknowledged", 0)
    assert worse(portal, "network", "P1") == ("P2", "triggered", 1)
    alice = portal.people["alice"]
    incident = Incident.objects.get()
    assert incident.cycle == 2
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    assert worse(portal, "network", "P1") == ("P2", "acknowledged", 0)
    assert worse(portal, "memory", "P1") == ("P2", "acknowledged", 0)
    assert worse(portal, "memory", "P0") == ("P2", "triggered", 1)
    assert incident.timeline.filter(act="urgent_alert").count() == 2
    assert audit_paging(now=portal.now) == []


def test_alerts_that_a_person_judged_call_nobody_again(portal: Portal) -> None:
    """Who called a P0 alert P2 is not contradicted by its reports, nor by others like it."""
    judged(portal, "P2", "P0")
    for key in ("disk 1", "disk 1", "disk 2"):
        assert worse(portal, key) == ("P2", "acknowledged", 0)


def test_what_nobody_has_taken_on_is_called_anew_too(portal: Portal) -> None:
    incident = portal.alert("disk", severity="P2", group_key="disks")
    assert incident is not None
    rated(portal, incident, "P3")
    portal.add_low_rule("alice")
    portal.fast_forward(hours=30)
    assert worse(portal, "network") == ("P3", "triggered", 1)


def test_what_is_merged_in_and_urgent_calls_anew(portal: Portal) -> None:
    incident = judged(portal, "P2")
    other = portal.alert("network", severity="P0")
    assert other is not None
    merging.merge(other.pk, into=incident.pk, now=portal.now, actor="test")
    told = incident.timeline.get(act="urgent_alert").text
    assert told == f"What came in is {other.severity}. It stays P2, as somebody set it."
    before = len(portal.paged())
    portal.settle()
    incident.refresh_from_db()
    assert (incident.severity, incident.status) == ("P2", "triggered")
    assert len(portal.paged()) == before + 1
