"""Signing a handoff: twice, from an old page, and with notes that are refused."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from core import clock
from core.models import AuditEntry
from dashboard.tests.test_handoffs import MONDAY, client_of, friday, people, schedule
from oncall.models import Handoff, Schedule

__all__ = ["friday", "people", "schedule"]

pytestmark = pytest.mark.django_db
PAGE = "/oncall/ops/handoff/"


def button(client: Client, act: str) -> dict[str, str]:
    """Return what the button of a page sends."""
    shown = client.get(PAGE).context
    seen = {"give": shown["form"]["seen"].value(), "take": shown["edition"]}[act]
    return {"act": act, "at": shown["change"].at.isoformat(), "seen": seen}


def test_a_second_tap_signs_no_handoff_that_nobody_has_read(
    schedule: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manager may sign for either: also for the next one, which the page shows then."""
    person("mary", Role.MANAGER)
    change = MONDAY + timedelta(days=7)
    monkeypatch.setattr(clock, "now", lambda: change + timedelta(hours=1))
    mary = client_of("mary")
    take = button(mary, "take")
    for _ in range(2):
        assert "You have taken over." in mary.post(PAGE, take, follow=True).content.decode()
    assert Handoff.objects.get().at == change


def test_nobody_signs_for_notes_that_they_did_not_see(schedule: Schedule) -> None:
    alice, bob = client_of("alice"), client_of("bob")
    alice.post(PAGE, {**button(alice, "give"), "notes": "All is quiet."})
    take = button(bob, "take")
    alice.post(PAGE, {**button(alice, "give"), "notes": "Do not restart the queue."})
    page = bob.post(PAGE, take, follow=True).content.decode()
    assert "The notes were changed after you opened this page" in page
    assert "Do not restart the queue." in page
    assert Handoff.objects.get().taken_at is None
    bob.post(PAGE, button(bob, "take"))
    assert Handoff.objects.get().taken_by == "bob"


def test_nobody_writes_over_notes_that_they_did_not_see(schedule: Schedule) -> None:
    person("mary", Role.MANAGER)
    alice, mary = client_of("alice"), client_of("mary")
    old = button(alice, "give")
    mary.post(PAGE, {**button(mary, "give"), "notes": "From mary."})
    refused = alice.post(PAGE, {**old, "notes": "From alice."})
    assert refused.status_code == 422
    assert "Somebody changed the notes" in refused.content.decode()
    assert "From alice.</textarea>" in refused.content.decode()
    assert Handoff.objects.get().notes == "From mary."
    again = {**old, "seen": refused.context["form"]["seen"].value()}
    assert alice.post(PAGE, {**again, "notes": "From both."}).status_code == 302
    assert Handoff.objects.get().notes == "From both."


def test_a_second_tap_hands_over_once(schedule: Schedule) -> None:
    alice = client_of("alice")
    give = {**button(alice, "give"), "notes": "All is quiet.\r\nSo far. "}
    for _ in range(2):
        page = alice.post(PAGE, give, follow=True)
        assert page.status_code == 200
        assert "It is signed" in page.content.decode()
    assert AuditEntry.objects.filter(act="handoff.given").count() == 1
    other = {**give, "notes": "Nothing is."}
    assert alice.post(PAGE, other).status_code == 422


@pytest.mark.parametrize("left", [2, 1])
def test_notes_for_a_change_that_is_no_longer_planned_are_kept(
    schedule: Schedule, friday: datetime, left: int
) -> None:
    """With others on call, or with nobody else who could come, the page says why and signs nothing."""
    alice, bob = client_of("alice"), client_of("bob")
    give, take = button(alice, "give"), button(bob, "take")
    layer = schedule.layers.get()
    layer.members.exclude(person__username="alice").delete()
    if left == 2:
        carol = User.objects.get(username="carol")
        schedule.overrides.create(
            person=carol,
            starts_at=friday + timedelta(days=1),
            ends_at=friday + timedelta(days=2),
        )
    refused = alice.post(PAGE, {**give, "notes": "Do not restart the queue."})
    page = refused.content.decode()
    assert refused.status_code == 422
    assert "no longer planned" in page
    assert "Do not restart the queue.</textarea>" in page
    assert ("Sign and hand over" in page) == (left == 2)
    assert "no longer planned" in bob.post(PAGE, take, follow=True).content.decode()
    assert not Handoff.objects.exists()
    if left == 2:
        again = {**button(alice, "give"), "notes": "Do not restart the queue."}
        assert alice.post(PAGE, again).status_code == 302
        assert Handoff.objects.get().at == friday + timedelta(days=1)


def test_notes_of_a_shift_that_is_anothers_by_now_are_kept(
    schedule: Schedule, people: dict[str, User]
) -> None:
    alice = client_of("alice")
    give = button(alice, "give")
    until = MONDAY + timedelta(days=7)
    schedule.overrides.create(
        person=people["carol"], starts_at=until - timedelta(hours=5), ends_at=until
    )
    refused = alice.post(PAGE, {**give, "notes": "Do not restart the queue."})
    assert refused.status_code == 422
    assert "Only who goes signs that" in refused.content.decode()
    assert "Do not restart the queue.</textarea>" in refused.content.decode()
    assert not Handoff.objects.exists()


@pytest.mark.parametrize(
    ("notes", "said"),
    [("x" * 10_001, "10,000 characters at most"), ("a\0b", "Null characters are not allowed.")],
)
def test_notes_that_are_refused_are_kept_and_the_field_is_named(
    schedule: Schedule, people: dict[str, User], notes: str, said: str
) -> None:
    alice = client_of("alice")
    answer: Any = alice.post(PAGE, {**button(alice, "give"), "notes": notes})
    assert answer.status_code == 422
    assert said in " ".join(answer.context["form"].errors["notes"])
    assert notes in answer.content.decode()
    assert not Handoff.objects.exclude(notes="").exists()


def test_a_new_line_is_one_character_as_in_the_browser(schedule: Schedule) -> None:
    alice = client_of("alice")
    notes = "\r\n".join(["x" * 99] * 100)
    assert alice.post(PAGE, {**button(alice, "give"), "notes": notes}).status_code == 302
    assert len(Handoff.objects.get().notes) == 99 * 100 + 99
