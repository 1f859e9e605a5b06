"""A page that waits looks again before it goes: a way that is closed meanwhile is not used."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings

from accounts.models import User
from incidents.models import Attempt, Page, TimelineEntry
from incidents.tests.oncall_portal import Portal, forged_attempts, portal
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod, NotificationRule
from notifications.services import contacts, switching
from oncall.models import FallbackContact, PolicyLevel

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
Closes = Callable[[Portal, ContactMethod], None]


def switch_off(portal: Portal, method: ContactMethod) -> None:
    switching.set_enabled(method, enabled=False, actor=method.person, now=portal.now)


def remove(portal: Portal, method: ContactMethod) -> None:
    contacts.remove_method(method, actor=method.person, now=portal.now)


def deactivate(portal: Portal, method: ContactMethod) -> None:
    User.objects.filter(contact_methods=method).update(is_active=False)


CLOSES: list[tuple[Closes, str]] = [
    (switch_off, "Text message: sms is switched off."),
    (remove, "That contact method was removed."),
    (deactivate, "alice is no longer active."),
]


def text_after(portal: Portal, minutes: int, *, only: bool = False) -> ContactMethod:
    """Let alice be called by email at once, unless it is the only one, and by text message later."""
    alice = portal.people["alice"]
    email, text = ContactMethod.objects.get(person=alice), portal.add_method(alice, Kind.SMS)
    if not only:
        NotificationRule.objects.create(person=alice, urgency="high", method=email)
    NotificationRule.objects.create(
        person=alice, urgency="high", method=text, delay=timedelta(minutes=minutes)
    )
    return text


@pytest.mark.parametrize(("close", "why"), CLOSES)
def test_a_way_that_closes_is_not_used_and_the_timeline_says_why(
    portal: Portal, close: Closes, why: str
) -> None:
    """Email at once, text message three minutes later; after one minute it is gone."""
    text = text_after(portal, 3)
    incident = portal.open_incident()
    portal.fast_forward(minutes=1)
    close(portal, text)
    portal.fast_forward(minutes=3)
    assert [sent.to for sent in portal.post.sent] == ["alice-email@example.com"]
    page = Page.objects.get(channel="sms")
    assert (page.state, page.problem, page.attempts) == ("failed", why, 0)
    said = incident.timeline.filter(act="page_failed").values_list("text", flat=True)
    assert list(said) == [f"user:alice by sms: {why}"]


@pytest.mark.parametrize(("close", "why"), CLOSES)
def test_where_it_was_the_only_way_the_next_level_is_called_at_once(
    portal: Portal, close: Closes, why: str
) -> None:
    text = text_after(portal, 3, only=True)
    portal.open_incident()
    close(portal, text)
    portal.fast_forward(minutes=3)
    portal.settle()
    assert portal.paged() == [(3, "bob")]


def test_the_fallback_contact_is_called_where_nobody_else_is_left(portal: Portal) -> None:
    FallbackContact.objects.create(person=portal.add_person("eve"))
    PolicyLevel.objects.filter(number__gt=1).delete()
    portal.policy.loops = 1
    portal.policy.save()
    text = text_after(portal, 3, only=True)
    portal.open_incident()
    switch_off(portal, text)
    portal.fast_forward(minutes=3)
    portal.settle()
    assert portal.paged() == [(3, "eve")]


def test_a_removed_address_is_not_replaced_by_that_of_the_account(portal: Portal) -> None:
    """Email to an address that was removed does not go to another one."""
    alice = portal.people["alice"]
    email = ContactMethod.objects.get(person=alice)
    NotificationRule.objects.create(
        person=alice, urgency="high", method=email, delay=timedelta(minutes=3)
    )
    portal.open_incident()
    remove(portal, email)
    portal.fast_forward(minutes=3)
    portal.settle()
    assert portal.paged() == [(3, "bob")]


@pytest.mark.parametrize("email", ["", "new@example.com"])
def test_the_accounts_own_address_is_that_of_the_moment(portal: Portal, email: str) -> None:
    alice = portal.people["alice"]
    alice.contact_methods.all().delete()
    incident = portal.open_incident()
    Page.objects.filter(incident=incident, person=alice).update(
        state="waiting", look_at=portal.now + timedelta(minutes=1)
    )
    User.objects.filter(pk=alice.pk).update(email=email)
    portal.post.sent.clear()
    portal.fast_forward(minutes=1)
    page, said = Page.objects.get(person=alice), [sent.to for sent in portal.post.sent]
    assert (page.state, email in said) == (("sent", True) if email else ("failed", False))
    assert page.problem == ("" if email else "alice has no email address any more.")


def test_a_cut_send_by_a_way_that_closed_is_not_repeated(portal: Portal) -> None:
    """It may have arrived: it stays uncertain, and the next level is called at once."""
    portal.open_incident()
    Page.objects.update(state="sending", owner="dead", look_at=portal.now + timedelta(minutes=1))
    with forged_attempts():
        Attempt.objects.update(outcome="", ended_at=None, owner="dead")
    switch_off(portal, ContactMethod.objects.get(person=portal.people["alice"]))
    portal.fast_forward(minutes=1)
    portal.settle()
    assert portal.paged() == [(0, "alice"), (1, "bob")]
    page = Page.objects.get(person=portal.people["alice"])
    assert (page.state, page.tries.get().outcome) == ("uncertain", "uncertain")


def test_of_many_each_says_its_own_reason(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two people, two reasons, in one claim; what still goes goes out."""
    monkeypatch.setattr(settings, "PAGE_EVERY_S", 60)
    level = PolicyLevel.objects.get(number=1)
    level.targets.create(person=portal.people["bob"])
    level.targets.create(person=portal.people["carol"])
    bob = ContactMethod.objects.get(person=portal.people["bob"])
    portal.open_incident("first", severity="P1")
    portal.open_incident("second", severity="P1")
    deactivate(portal, ContactMethod.objects.get(person=portal.people["alice"]))
    switch_off(portal, bob)
    portal.fast_forward(minutes=1)
    failed = TimelineEntry.objects.filter(act="page_failed").order_by("text")
    assert [entry.text for entry in failed] == [
        "user:alice by email: alice is no longer active.",
        "user:bob by email: Email: email is switched off.",
    ]
    assert [name for minute, name in portal.paged() if minute] == ["carol"]
