"""What somebody wrote of a postmortem is shown to them when they come too late, with why."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Role
from catalog.models import Service, Team
from incidents.models import Postmortem
from incidents.services import lifecycle, merging, postmortems
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.test_followup_pages import client_of, entered
from incidents.tests.test_postmortems import WRITTEN, approve, begun, in_review, over, write

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db]

WORDS = "One <more>\nthing."
SHOWN = "One &lt;more&gt;"


def merge(portal: Portal, found: Postmortem) -> None:
    by: dict[str, Any] = {"now": portal.now, "actor": "test"}
    lifecycle.reopen(found.pk, **by)
    merging.merge(found.pk, into=portal.open_incident("Two").pk, **by)


def publish(portal: Portal, found: Postmortem) -> None:
    approve(portal, found, "carol")
    postmortems.publish(found.pk, now=portal.now, actor="test")


def send_back(portal: Portal, found: Postmortem) -> None:
    carol = portal.people["carol"]
    postmortems.send_back(found.pk, comment="Why?", now=portal.now, actor=carol, person=carol)


def ask_again(portal: Portal, found: Postmortem) -> None:
    send_back(portal, found)
    bob = portal.people["bob"]
    postmortems.ask_for_review(found.pk, now=portal.now, actor=bob, person=bob)


def hide(_portal: Portal, _found: Postmortem) -> None:
    Service.objects.update(is_private=True, owner=Team.objects.create(slug="t", name="T"))


def demote(_portal: Portal, _found: Postmortem) -> None:
    User.objects.filter(username="bob").update(role=Role.VIEWER)


@pytest.mark.parametrize("deed", ["approve", "send-back", "publish"])
@pytest.mark.parametrize(
    ("meanwhile", "status", "why"),
    [
        (merge, 422, "It was merged: the postmortem is that of #"),
        (publish, 422, "It is published: reopen it first."),
        (send_back, 422, "It is a draft: ask for a review first."),
        (hide, 404, "There is no such postmortem."),
        (demote, 403, "This needs the role responder or more."),
    ],
)
def test_who_comes_too_late_is_shown_why_and_what_they_wrote(
    portal: Portal,
    meanwhile: Callable[[Portal, Postmortem], None],
    status: int,
    why: str,
    deed: str,
) -> None:
    """Whatever happened while their page was open, and whichever button they press."""
    found, bob = in_review(portal, over(portal)), client_of(portal, "bob")
    at = f"/postmortems/{found.pk}/"
    read = {"seen": bob.get(at).context["form"]["seen"].value()}
    meanwhile(portal, found)
    refused = bob.post(f"{at}{deed}/", {"comment": WORDS, **read})
    page = refused.content.decode()
    assert refused.status_code == status
    assert why in page
    assert SHOWN in page
    assert not found.reviews.filter(person=portal.people["bob"]).exists()


def test_who_may_no_longer_approve_keeps_the_form(portal: Portal) -> None:
    """They asked for the review themselves meanwhile: they may still send it back."""
    found, bob = in_review(portal, over(portal)), client_of(portal, "bob")
    ask_again(portal, found)
    refused = bob.post(f"/postmortems/{found.pk}/approve/", {"comment": WORDS})
    assert refused.status_code == 422
    page = refused.content.decode()
    assert "Somebody else approves it" in page
    assert f"{SHOWN}\nthing.</textarea>" in page


def test_a_comment_that_is_too_long_is_shown_where_it_comes_too_late(portal: Portal) -> None:
    """With what is wrong with it."""
    found, bob = in_review(portal, over(portal)), client_of(portal, "bob")
    merge(portal, found)
    refused = bob.post(f"/postmortems/{found.pk}/approve/", {"comment": "word " * 2_001 + "end"})
    assert refused.status_code == 422
    card = refused.content.decode().split('<section class="card">')[1]
    assert "at most 10000 characters" in card
    assert "word end" in card


@pytest.mark.parametrize(("meanwhile", "status"), [(hide, 404), (demote, 403)])
def test_a_draft_is_shown_to_its_writer_who_may_no_longer_change_it(
    portal: Portal, meanwhile: Callable[[Portal, Postmortem], None], status: int
) -> None:
    """What they wrote is theirs to copy; what others wrote there is not told."""
    found = write(portal, begun(portal, over(portal)), **WRITTEN)
    bob, at = client_of(portal, "bob"), f"/postmortems/{found.pk}/edit/"
    sent = {**entered(bob, at), "lessons": WORDS}
    write(portal, found, trigger="A secret.")
    meanwhile(portal, found)
    refused = bob.post(at, sent)
    page = refused.content.decode()
    assert refused.status_code == status
    assert SHOWN in page
    assert "<h3>Lessons</h3>" in page
    assert "A secret." not in page


def test_who_wrote_nothing_is_only_told_why(portal: Portal) -> None:
    found, bob = in_review(portal, over(portal)), client_of(portal, "bob")
    demote(portal, found)
    plain = bob.post(f"/postmortems/{found.pk}/approve/", {"comment": " "})
    assert plain.status_code == 403
    page = plain.content.decode()
    assert "This needs the role responder or more." in page
    assert "was not kept" not in page
