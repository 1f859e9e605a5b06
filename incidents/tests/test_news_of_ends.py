"""Whoever was called hears that it was mitigated, or is over, also where nobody acknowledged it."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents.models import Incident
from incidents.queries.verification import check_invariants
from incidents.services import lifecycle
from incidents.tests.oncall_portal import Portal, portal
from notifications.domain.kinds import Kind
from notifications.models import NotificationRule, QuietHours

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SEVEN = datetime(2026, 3, 2, 7, tzinfo=UTC)
Deed = Callable[..., Incident]


def broken(portal: Portal) -> list[str]:
    """Return which promises evidence does not bear out."""
    return [found.id for found in check_invariants(now=portal.now) if not found.holds]


def quiet(portal: Portal, name: str) -> None:
    """Let somebody have quiet hours from 22 to 7; it is three at night."""
    QuietHours.objects.create(person=portal.people[name], begins=time(22), ends=time(7))


@pytest.mark.parametrize(
    ("deed", "said"), [(lifecycle.mitigate, "Mitigated:"), (lifecycle.resolve, "Resolved by bob:")]
)
def test_who_was_called_hears_that_nobody_is_needed(portal: Portal, deed: Deed, said: str) -> None:
    """By their rules for what can wait; whoever did it knows, and who was not called needs not."""
    for name in ("alice", "bob", "dave"):
        portal.add_low_rule(name)
    incident = portal.open_incident()
    portal.fast_forward(minutes=15)
    bob = portal.people["bob"]
    deed(incident.pk, now=portal.now, actor=bob)
    portal.settle()
    portal.fast_forward(minutes=60)
    # Carol has no such rules.
    assert portal.told() == [(15, "alice")]
    message = portal.post.sent[-1].message
    assert f"P0 #{incident.pk} {said} Checkout: 5xx spike" in message.subject
    assert (message.act_url, message.facts["is_news"]) == ("", True)
    assert broken(portal) == []


def test_who_was_called_hears_it_once(portal: Portal) -> None:
    """First that it was mitigated, and later nothing of its end."""
    portal.add_low_rule("alice")
    incident = portal.open_incident()
    lifecycle.mitigate(incident.pk, now=portal.now, actor="bob")
    portal.settle()
    lifecycle.resolve(incident.pk, now=portal.now, actor="bob")
    portal.settle()
    assert portal.told() == [(0, "alice")]
    taken = portal.open_incident("another")
    lifecycle.acknowledge(taken.pk, now=portal.now, actor="bob")
    portal.settle()
    lifecycle.resolve(taken.pk, now=portal.now, actor="bob")
    portal.settle()
    assert portal.told() == [(0, "alice"), (0, "alice")]


def test_who_was_called_hears_that_it_resolved_by_itself(portal: Portal) -> None:
    portal.add_low_rule("alice")
    assert portal.alert("disk") is not None
    portal.now += timedelta(minutes=3)
    portal.alert("disk", firing=False)
    assert portal.told() == [(3, "alice")]
    assert "Resolved by portal:" in portal.post.sent[-1].message.subject


def test_nobody_hears_of_what_they_were_never_called_for(portal: Portal) -> None:
    """What was to wake them waited; it was over before that."""
    portal.add_low_rule("alice")
    method = portal.people["alice"].contact_methods.get()
    NotificationRule.objects.create(
        person=portal.people["alice"], urgency="high", method=method, delay=timedelta(minutes=5)
    )
    incident = portal.open_incident()
    lifecycle.resolve(incident.pk, now=portal.now, actor="test")
    portal.fast_forward(minutes=60)
    assert portal.post.sent == []


def test_news_wake_nobody_and_say_in_the_morning_how_it_stands(portal: Portal) -> None:
    """Taken at three, resolved at four: at seven alice reads that it is over."""
    portal.add_low_rule("alice")
    quiet(portal, "alice")
    incident = portal.open_incident()
    lifecycle.acknowledge(incident.pk, now=portal.now, actor="bob")
    portal.fast_forward(hours=1)
    lifecycle.resolve(incident.pk, now=portal.now, actor="bob")
    portal.fast_forward(hours=6)
    (news,) = [sent for sent in portal.post.sent if sent.message.facts["reason"] == "taken"]
    assert news.at == SEVEN
    assert "Resolved by bob:" in news.message.subject


@pytest.mark.parametrize("anew", [lifecycle.reopen, lifecycle.resolve])
def test_news_that_no_longer_hold_are_taken_back(portal: Portal, anew: Deed) -> None:
    """It was reopened before they went out: people are called, and nobody reads that it is over."""
    portal.add_low_rule("alice")
    quiet(portal, "alice")
    incident = portal.open_incident()
    lifecycle.resolve(incident.pk, now=portal.now, actor="bob")
    if anew is lifecycle.reopen:
        lifecycle.reopen(incident.pk, now=portal.now, actor="bob")
    portal.fast_forward(hours=6)
    assert len(portal.told()) == (anew is lifecycle.resolve)


def test_who_answered_one_of_two_hears_that_it_is_over(portal: Portal) -> None:
    portal.policy.levels.filter(number=1).update(acknowledgements=2)
    portal.add_low_rule("alice")
    incident, alice = portal.open_incident(), portal.people["alice"]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    lifecycle.resolve(incident.pk, now=portal.now, actor="bob")
    portal.settle()
    assert portal.told() == [(0, "alice")]


def test_the_end_of_a_storm_is_few_messages_and_one_question_more(
    portal: Portal, settings: Any
) -> None:
    settings.PAGE_EVERY_S = 60
    portal.add_low_rule("alice")
    for number in range(20):
        assert portal.alert(f"disk {number}", group_key=str(number)) is not None
    portal.fast_forward(minutes=2)
    assert len(portal.paged()) == 2
    for number in range(20):
        portal.alert(f"disk {number}", group_key=str(number), firing=False)
    portal.fast_forward(minutes=2)
    assert len(portal.told()) == 2
    # Nobody has been called for it: there is nobody to look up the ways of.
    method = portal.add_method(portal.people["alice"], Kind.SMS)
    assert method.pk
    opening = lifecycle.Opening("P1", "not called yet", service_id=portal.service.pk)
    waiting = lifecycle.declare(opening, now=portal.now, actor="test")
    with CaptureQueriesContext(connection) as asked:
        lifecycle.resolve(waiting.pk, now=portal.now, actor="test")
    questions = [query["sql"] for query in asked if "notifications_" in query["sql"]]
    assert len(questions) == 1
