"""Several rules may name one method: "text me at once, and again after five minutes"."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

import pytest

from incidents.models import EscalationRun, Page
from incidents.queries.verification import check_invariants
from incidents.services import escalation, lifecycle
from incidents.services.auditor import audit_paging, overdue_pages
from incidents.services.pages import key_of
from incidents.tests.oncall_portal import Portal, portal
from notifications.models import ContactMethod, NotificationRule, QuietHours
from notifications.services import contacts
from oncall.models import FallbackContact

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
AT_ONCE_AND_AFTER_5 = (0, 5)


def text_alice(portal: Portal, minutes: Sequence[int], urgency: str = "high") -> ContactMethod:
    """Have alice called by her only method once for each delay."""
    alice = portal.people["alice"]
    method = ContactMethod.objects.get(person=alice)
    for each in minutes:
        NotificationRule.objects.create(
            person=alice, urgency=urgency, method=method, delay=timedelta(minutes=each)
        )
    return method


def to_alice(portal: Portal) -> list[int]:
    """Return when alice was called: minutes since the start."""
    return [minute for minute, name in portal.paged() if name == "alice"]


def test_each_of_them_calls(portal: Portal) -> None:
    text_alice(portal, AT_ONCE_AND_AFTER_5)
    portal.open_incident()
    portal.fast_forward(minutes=14)
    assert to_alice(portal) == [0, 5]


def test_an_acknowledgement_takes_back_those_that_are_to_come(portal: Portal) -> None:
    text_alice(portal, AT_ONCE_AND_AFTER_5)
    incident = portal.open_incident()
    portal.fast_forward(minutes=3)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=portal.people["alice"])
    portal.fast_forward(minutes=30)
    assert to_alice(portal) == [0]
    assert [page.state for page in portal.pages(incident=incident)] == ["sent", "cancelled"]


def test_a_step_that_fires_twice_calls_no_more_often(portal: Portal) -> None:
    """A crash after the pages were stored and before the walk moved on."""
    text_alice(portal, AT_ONCE_AND_AFTER_5)
    incident = portal.open_incident()
    EscalationRun.objects.update(position=0, due_at=portal.now, look_at=portal.now)
    portal.settle()
    portal.fast_forward(minutes=5)
    assert Page.objects.filter(incident=incident, step=1).count() == 2
    assert to_alice(portal) == [0, 5]


def test_the_first_keeps_the_key_that_a_page_has_without_the_others(portal: Portal) -> None:
    """Pages that were stored before are found again by their keys."""
    method = text_alice(portal, AT_ONCE_AND_AFTER_5)
    incident = portal.open_incident()
    tail = f"1/0/1/user:alice/{method.pk}/escalation"
    first, second = portal.pages(incident=incident)
    assert first.key == key_of(incident.pk, tail.encode())
    assert second.key == key_of(incident.pk, f"{tail}/1".encode())


def test_the_auditor_and_the_invariants_find_nothing_wrong_with_them(portal: Portal) -> None:
    text_alice(portal, AT_ONCE_AND_AFTER_5)
    portal.open_incident()
    portal.fast_forward(minutes=4)
    assert (audit_paging(now=portal.now), overdue_pages(now=portal.now)) == ([], 0)
    portal.fast_forward(minutes=4)
    assert (audit_paging(now=portal.now), overdue_pages(now=portal.now)) == ([], 0)
    assert [each.id for each in check_invariants(now=portal.now) if not each.holds] == []


def test_a_method_that_was_removed_is_used_by_none_of_them(portal: Portal) -> None:
    """Nor do those that wait go to the email address of the account."""
    method = text_alice(portal, (3, 5))
    portal.open_incident()
    contacts.remove_method(method, actor=portal.people["alice"], now=portal.now)
    portal.fast_forward(minutes=5)
    assert to_alice(portal) == []
    problems = {page.problem for page in portal.pages(person=portal.people["alice"])}
    assert problems == {"That contact method was removed."}


def test_where_all_of_them_fail_the_next_level_is_called_at_once(portal: Portal) -> None:
    text_alice(portal, (0, 2))
    portal.post.refusing = {"alice-email@example.com"}
    portal.open_incident()
    portal.fast_forward(minutes=2)
    portal.settle()
    assert portal.paged() == [(2, "bob")]


def test_the_fallback_contact_is_called_by_each_of_theirs(portal: Portal) -> None:
    text_alice(portal, AT_ONCE_AND_AFTER_5)
    FallbackContact.objects.create(person=portal.people["alice"])
    incident = portal.open_incident()
    escalation.page_fallback(incident, "Nobody could be called.", now=portal.now)
    fallback = portal.pages(reason="fallback")
    assert [page.due_at - portal.now for page in fallback] == [
        timedelta(), timedelta(minutes=5),
    ]  # fmt: skip
    assert fallback[0].key != fallback[1].key


def test_at_the_end_of_quiet_hours_they_call_once(portal: Portal) -> None:
    """Called before them; 5 minutes and 5 hours later would both be at their end."""
    text_alice(portal, (0, 5, 300), urgency="low")
    QuietHours.objects.create(person=portal.people["alice"], begins=time(22), ends=time(7, 10))
    portal.now = datetime(2026, 3, 1, 21, 57, tzinfo=UTC)
    portal.open_incident(severity="P3")
    portal.fast_forward(hours=11)
    sent = [each.at for each in portal.post.sent if each.to.startswith("alice")]
    assert sent == [
        datetime(2026, 3, 1, 21, 57, tzinfo=UTC),
        datetime(2026, 3, 2, 7, 10, tzinfo=UTC),
    ]


def test_news_are_told_once(portal: Portal) -> None:
    """That somebody else has answered is nothing to be called for again and again."""
    text_alice(portal, AT_ONCE_AND_AFTER_5, urgency="low")
    incident = portal.open_incident()
    bob = portal.people["bob"]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=bob, person=bob)
    portal.settle()
    portal.fast_forward(minutes=10)
    assert portal.told() == [(0, "alice")]
