"""What time does to an incident: promises that are late, and questions whether anybody is on it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from incidents.models import Deadline, Incident
from incidents.services import lifecycle
from incidents.services.claims import MOST_CLAIMS, Queue
from incidents.tests.oncall_portal import Portal, portal
from notifications.models import NotificationRule

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_what_is_due_longest_is_first(portal: Portal) -> None:
    """Whatever the order in which the rows lie."""
    incidents = [portal.open_incident(severity="P3") for _ in range(3)]
    for minutes, incident in zip((3, 1, 2), incidents, strict=True):
        at = portal.now + timedelta(minutes=minutes)
        own = Deadline.objects.filter(incident=incident, kind="response_at_risk")
        own.update(due_at=at, look_at=at)
    queue = Queue(Deadline, "is_open", ("id", "incident_id"))
    rows = queue.claim(now=portal.now + timedelta(minutes=5), limit=10)
    assert [incident for _, incident in rows] == [incidents[n].pk for n in (1, 2, 0)]


def test_after_an_outage_it_is_as_late_as_it_is(portal: Portal) -> None:
    incident = portal.open_incident(severity="P1")
    portal.now += timedelta(hours=9)
    portal.settle()
    incident.refresh_from_db()
    assert (incident.response, incident.resolution) == ("breached", "breached")


def test_what_a_warning_is_about_is_due_after_it(portal: Portal) -> None:
    """It is set with the warning, once; an answer in between ends it."""
    answered, left = (portal.open_incident(severity="P0") for _ in range(2))
    portal.fast_forward(minutes=13)
    lifecycle.acknowledge(answered.pk, now=portal.now, actor="test")
    own = Deadline.objects.filter(kind="response_breached")
    assert set(own.values_list("incident", "due_at", "is_open")) == {
        (left.pk, left.opened_at + timedelta(minutes=15), True),
        (answered.pk, answered.opened_at + timedelta(minutes=15), False),
    }
    portal.fast_forward(minutes=3)
    for incident, response in ((answered, "met"), (left, "breached")):
        incident.refresh_from_db()
        assert incident.response == response
    said = left.timeline.filter(act="response").order_by("pk")
    assert list(said.values_list("text", flat=True)) == ["Response at risk.", "Response breached."]


def test_a_warning_that_is_set_aside_takes_nothing_with_it(portal: Portal) -> None:
    """What it warns of comes all the same."""
    incident = portal.open_incident(severity="P0")
    warning = Deadline.objects.filter(incident=incident, kind="response_at_risk")
    warning.update(claims=MOST_CLAIMS, due_at=portal.now, look_at=portal.now)
    portal.settle()
    assert not warning.get().is_open
    portal.fast_forward(minutes=16)
    incident.refresh_from_db()
    assert incident.response == "breached"


def test_a_timer_that_comes_late_makes_nothing_better(portal: Portal) -> None:
    """What was at risk is breached already when another pager gets to say so."""
    incident = portal.open_incident(severity="P0")
    portal.fast_forward(minutes=20)
    Deadline.objects.filter(incident=incident, kind="response_at_risk").update(
        is_open=True, claims=0, look_at=portal.now
    )
    portal.settle()
    incident.refresh_from_db()
    assert incident.response == "breached"
    said = incident.timeline.filter(act="response").order_by("pk")
    assert list(said.values_list("text", flat=True)) == ["Response at risk.", "Response breached."]


def test_reopened_late_it_is_late(portal: Portal) -> None:
    incident = portal.open_incident(severity="P0")
    lifecycle.resolve(incident.pk, now=portal.now, actor="test")
    portal.fast_forward(hours=48)
    lifecycle.reopen(incident.pk, now=portal.now, actor="test")
    portal.settle()
    incident.refresh_from_db()
    assert incident.resolution == "breached"


def assigned(portal: Portal, incident: Incident, by: dict[str, Any]) -> None:
    lifecycle.assign(incident.pk, to=portal.people["alice"], **by)


def escalated(portal: Portal, incident: Incident, by: dict[str, Any]) -> None:
    lifecycle.escalate(incident.pk, **by)


def rated(portal: Portal, incident: Incident, by: dict[str, Any]) -> None:
    lifecycle.set_severity(incident.pk, severity="P1", **by)


@pytest.mark.parametrize("act", [assigned, escalated, rated])
@pytest.mark.parametrize("minutes", [9, 12])
def test_whoever_does_anything_is_still_on_it(
    portal: Portal, act: Callable[[Portal, Incident, dict[str, Any]], None], minutes: int
) -> None:
    """Before the question it is put off, and after it answered."""
    portal.policy.ack_timeout = timedelta(minutes=10)
    portal.policy.save()
    incident, alice = portal.open_incident(severity="P0"), portal.people["alice"]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    portal.fast_forward(minutes=minutes)
    act(portal, incident, {"now": portal.now, "actor": alice})
    portal.settle()
    called = len(portal.paged())
    portal.fast_forward(minutes=9.9)
    incident.refresh_from_db()
    assert incident.status == "acknowledged"
    assert len(portal.paged()) == called
    portal.fast_forward(minutes=0.1)
    assert "Still on it?" in portal.post.sent[-1].message.subject


@pytest.mark.parametrize("act", [assigned, rated])
def test_nobody_is_asked_while_it_is_snoozed(
    portal: Portal, act: Callable[[Portal, Incident, dict[str, Any]], None]
) -> None:
    portal.policy.ack_timeout = timedelta(minutes=10)
    portal.policy.save()
    incident = portal.open_incident(severity="P2")
    by: dict[str, Any] = {"now": portal.now, "actor": portal.people["alice"]}
    lifecycle.snooze(incident.pk, until=portal.now + timedelta(hours=1), **by)
    act(portal, incident, by)
    portal.fast_forward(minutes=59)
    assert portal.paged() == [(0, "alice")]


def test_mitigated_it_is_no_longer_snoozed(portal: Portal, client: Client) -> None:
    incident, alice = portal.open_incident(), portal.people["alice"]
    until = portal.now + timedelta(hours=1)
    lifecycle.snooze(incident.pk, until=until, now=portal.now, actor=alice)
    found = lifecycle.mitigate(incident.pk, now=portal.now, actor=alice)
    assert found.snoozed_until is None
    client.force_login(alice)
    assert "snoozed until" not in client.get(incident.get_absolute_url()).content.decode()
    portal.fast_forward(hours=2)
    incident.refresh_from_db()
    assert incident.status == "mitigated"


def test_who_says_that_they_are_on_it_is_not_asked_by_other_ways_later(portal: Portal) -> None:
    alice = portal.people["alice"]
    portal.policy.ack_timeout = timedelta(minutes=10)
    portal.policy.save()
    method = alice.contact_methods.get()
    for minutes in (0, 3):
        delay = timedelta(minutes=minutes)
        NotificationRule.objects.create(person=alice, urgency="high", method=method, delay=delay)
    incident = portal.open_incident(severity="P1")
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    portal.fast_forward(minutes=11)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    portal.fast_forward(minutes=5)
    assert portal.paged() == [(0, "alice"), (10, "alice")]
