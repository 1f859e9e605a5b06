"""What comes long after it was due says so: whoever reads it knows that others have waited."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from incidents.models import Page
from incidents.services import lifecycle
from incidents.services.auditor import audit_paging, overdue_pages
from incidents.tests.oncall_portal import MONDAY, Portal, portal
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod, NotificationRule, QuietHours

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
AWAY = timedelta(hours=5)


def declare(portal: Portal, title: str = "5xx spike", severity: str = "P0") -> None:
    """Open an incident while no pager runs."""
    opening = lifecycle.Opening(severity, title, service_id=portal.service.pk)
    lifecycle.declare(opening, now=portal.now, actor="test")


def said(line: str) -> str:
    """Return a line without severity, number and service."""
    return line.split(" ", 2)[2].replace("Checkout: ", "")


def subjects(portal: Portal) -> list[str]:
    """Return what was sent, without severity and number."""
    return [said(sent.message.subject) for sent in portal.post.sent]


def test_a_first_page_that_comes_hours_late_says_so(portal: Portal) -> None:
    """The pager was down when it was due: subject, text and facts say that it is delayed."""
    declare(portal)
    portal.now += AWAY
    portal.settle()
    (message,) = [sent.message for sent in portal.post.sent]
    assert subjects(portal) == ["Delayed: 5xx spike"]
    assert "Delayed: this was due at 2026-03-02 03:00:00 UTC." in message.text.splitlines()
    assert message.facts["is_delayed"] is True
    (page,) = portal.pages()
    assert (page.due_at, page.created_at) == (MONDAY, portal.now)


def test_a_level_that_was_missed_says_so_and_the_next_one_does_not(portal: Portal) -> None:
    portal.open_incident()
    portal.now += AWAY
    portal.settle()
    portal.fast_forward(minutes=10)
    assert portal.paged() == [(0, "alice"), (300, "bob"), (310, "carol")]
    assert subjects(portal) == ["5xx spike", "Delayed: 5xx spike", "5xx spike"]


def test_what_was_due_a_moment_ago_is_not_delayed(portal: Portal) -> None:
    declare(portal)
    portal.now += timedelta(minutes=10)
    portal.settle()
    assert subjects(portal) == ["5xx spike"]
    assert portal.post.sent[0].message.facts["is_delayed"] is False


def test_a_page_that_was_made_in_time_and_waited_for_hours_says_so(portal: Portal) -> None:
    """The pager went down between making and sending it."""
    portal.open_incident()
    Page.objects.update(state="waiting", look_at=portal.now)
    portal.post.sent.clear()
    portal.now += AWAY
    portal.settle()
    assert "Delayed: 5xx spike" in subjects(portal)


def test_a_later_rule_counts_from_the_call_and_is_delayed_too(portal: Portal) -> None:
    alice = portal.people["alice"]
    for method, delay in (
        (ContactMethod.objects.get(person=alice), timedelta()),
        (portal.add_method(alice, Kind.SMS), timedelta(minutes=3)),
    ):
        NotificationRule.objects.create(person=alice, urgency="high", method=method, delay=delay)
    declare(portal)
    portal.now += AWAY
    portal.settle()
    assert (audit_paging(now=portal.now), overdue_pages(now=portal.now)) == ([], 0)
    portal.fast_forward(minutes=3)
    assert [sent.at - MONDAY - AWAY for sent in portal.post.sent] == [
        timedelta(), timedelta(minutes=3),
    ]  # fmt: skip
    assert subjects(portal) == ["Delayed: 5xx spike"] * 2


def test_what_waits_for_the_end_of_quiet_hours_is_not_delayed(portal: Portal) -> None:
    """Due at 03:00, made at 06:00, and at 07:00 in either case."""
    QuietHours.objects.create(person=portal.people["alice"], begins=time(22), ends=time(7))
    declare(portal, severity="P3")
    portal.now += timedelta(hours=3)
    portal.settle()
    portal.fast_forward(hours=2)
    assert [sent.at for sent in portal.post.sent] == [datetime(2026, 3, 2, 7, tzinfo=UTC)]
    assert subjects(portal) == ["5xx spike"]


def test_many_are_told_apart_by_how_late_they_are(portal: Portal) -> None:
    """Fired together, late and in time, each with the moment at which its own step was due."""
    declare(portal, "first")
    portal.now += timedelta(hours=1)
    declare(portal, "second")
    portal.now += timedelta(hours=1)
    declare(portal, "third")
    portal.settle()
    due = {
        page.incident.title: (page.due_at - MONDAY).total_seconds() / 3600
        for page in portal.pages()
    }
    assert due == {"first": 0, "second": 1, "third": 2}
    assert sorted(subjects(portal)) == ["Delayed: first", "Delayed: second", "third"]


def test_a_digest_says_which_of_them_are_delayed(portal: Portal, settings: Any) -> None:
    settings.PAGE_EVERY_S = 60
    declare(portal, "first")
    portal.now += AWAY
    declare(portal, "second")
    portal.settle()
    (message,) = [sent.message for sent in portal.post.sent]
    lines = [said(line) for line in message.text.splitlines() if line.startswith("P0")]
    assert sorted(lines) == ["Delayed: first", "second"]
