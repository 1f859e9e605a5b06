"""What can wait rings in nobody's quiet hours, whoever asks and however they are reached."""

from datetime import UTC, datetime, time, timedelta

import pytest

from accounts.models import User
from catalog.models import Service
from incidents.models import Incident
from incidents.queries.simulation import simulate
from incidents.services import lifecycle
from incidents.tests.oncall_portal import MONDAY, Portal, portal
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod, NotificationRule, QuietHours

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SEVEN = datetime(2026, 3, 2, 7, tzinfo=UTC)
EVENING = datetime(2026, 3, 1, 21, 45, tzinfo=UTC)


@pytest.fixture
def alice(portal: Portal) -> User:
    """Alice, who is not to be called from 22 to 7 for what can wait; it is three at night."""
    person = portal.people["alice"]
    QuietHours.objects.create(person=person, begins=time(22), ends=time(7))
    return person


def sent_to(portal: Portal, name: str) -> list[datetime]:
    """Return when somebody got something."""
    return [sent.at for sent in portal.post.sent if sent.to.startswith(name)]


def taken_on(portal: Portal, by: User, severity: str) -> Incident:
    """Open an incident that somebody acknowledges, whom the policy asks after ten minutes."""
    portal.policy.ack_timeout = timedelta(minutes=10)
    portal.policy.save()
    incident = portal.open_incident(severity=severity)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=by, person=by)
    portal.settle()
    portal.post.sent.clear()
    return incident


def test_still_on_it_waits_for_the_morning_where_it_can(portal: Portal, alice: User) -> None:
    """P3 at night: asked at seven, and only five minutes later called from the beginning."""
    incident = taken_on(portal, alice, "P3")
    portal.fast_forward(hours=4, minutes=4)
    assert sent_to(portal, "alice") == [SEVEN]
    assert "Still on it?" in portal.post.sent[-1].message.subject
    incident.refresh_from_db()
    assert incident.status == "acknowledged"
    portal.fast_forward(minutes=1)
    incident.refresh_from_db()
    assert (incident.status, incident.cycle) == ("triggered", 2)


@pytest.mark.parametrize("severity", ["P0", "P2"])
def test_still_on_it_is_asked_at_once_where_it_cannot_wait(
    portal: Portal, alice: User, severity: str
) -> None:
    taken_on(portal, alice, severity)
    portal.fast_forward(minutes=10)
    assert sent_to(portal, "alice") == [MONDAY + timedelta(minutes=10)]


def test_still_on_it_goes_by_the_rules_for_what_can_wait(portal: Portal) -> None:
    """Outside of quiet hours too: alice wants email for it, half an hour later, and no call."""
    alice = portal.people["alice"]
    email = ContactMethod.objects.get(person=alice)
    portal.add_method(alice, Kind.VOICE)
    NotificationRule.objects.create(
        person=alice, urgency="low", method=email, delay=timedelta(minutes=30)
    )
    taken_on(portal, alice, "P3")
    portal.fast_forward(minutes=44)
    assert [(sent.to, sent.at) for sent in portal.post.sent] == [
        ("alice-email@example.com", MONDAY + timedelta(minutes=40)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("severity", "at"), [("P0", MONDAY), ("P1", MONDAY), ("P2", MONDAY), ("P3", SEVEN)]
)
def test_who_is_given_an_incident_is_told_as_its_severity_asks_for(
    portal: Portal, severity: str, at: datetime
) -> None:
    bob = portal.people["bob"]
    QuietHours.objects.create(person=bob, begins=time(22), ends=time(7))
    incident = portal.open_incident(severity=severity)
    lifecycle.assign(incident.pk, to=bob, now=portal.now, actor=portal.people["alice"])
    portal.settle()
    portal.fast_forward(hours=5)
    assert sent_to(portal, "bob")[0] == at


def test_a_rule_with_a_delay_does_not_ring_in_quiet_hours(portal: Portal, alice: User) -> None:
    """Opened 21:45, to be called half an hour later: that is 22:15, so it is seven."""
    method = ContactMethod.objects.get(person=alice)
    NotificationRule.objects.create(
        person=alice, urgency="low", method=method, delay=timedelta(minutes=30)
    )
    portal.now = EVENING
    portal.open_incident(severity="P3")
    portal.fast_forward(hours=12)
    assert sent_to(portal, "alice") == [SEVEN]


def test_the_accounts_email_waits_for_the_end_of_quiet_hours(portal: Portal, alice: User) -> None:
    alice.contact_methods.all().delete()
    portal.open_incident(severity="P3")
    portal.fast_forward(hours=5)
    assert sent_to(portal, "alice") == [SEVEN]
    assert sent_to(portal, "bob") == [MONDAY]
    _, calls = simulate(Service.objects.get(), "P3", MONDAY)
    assert (calls[0].person, calls[0].at) == ("alice", SEVEN)


def test_what_is_urgent_rings_at_any_time(portal: Portal, alice: User) -> None:
    alice.contact_methods.all().delete()
    portal.open_incident(severity="P2")
    assert sent_to(portal, "alice") == [MONDAY]
