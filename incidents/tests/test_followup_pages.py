"""Pages of action items and postmortems: what each role sees and does, lists, downloads."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.services.users import deactivate
from accounts.tests.cast import seen
from catalog.models import Service, Team
from incidents.models import ActionItem, Incident, Postmortem
from incidents.services import lifecycle, merging, postmortems
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.test_action_items import add
from incidents.tests.test_postmortems import WRITTEN, approve, begun, in_review, over, write
from tests.query_counts import AssertQueries, assert_queries

__all__ = ["assert_queries", "portal"]

pytestmark = [pytest.mark.django_db]


def client_of(portal: Portal, name: str) -> Client:
    client = Client()
    client.force_login(portal.people[name])
    return client


def viewer() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("victor"))
    return client


def text(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status
    return "".join(map(bytes.decode, answer)) if answer.streaming else answer.content.decode()


def entered(client: Client, address: str) -> dict[str, str]:
    """Return what the form of a postmortem sends when nothing is changed."""
    form = client.get(address).context["form"]
    return {field.html_name: field.value() or "" for field in form}


def test_from_the_incident_to_the_published_postmortem(portal: Portal) -> None:
    """Two people, by the buttons of the pages alone; publishing closes the incident."""
    incident = over(portal)
    alice, bob = client_of(portal, "alice"), client_of(portal, "bob")
    page = text(alice, f"/i/{incident.pk}")
    assert "Postmortem due <time" in page
    assert "/close/" not in page
    refused = alice.post(f"/i/{incident.pk}/close/", follow=True).content.decode()
    assert "closed by publishing its postmortem" in refused
    at = f"/postmortems/{incident.pk}/"
    assert "Root cause" in alice.post(f"{at}begin/", follow=True).content.decode()
    sent = {**entered(alice, f"{at}edit/"), **WRITTEN, "lessons": "Watch **disks** <b>now</b>"}
    page = alice.post(f"{at}edit/", sent, follow=True).content.decode()
    assert "Watch <strong>disks</strong> &lt;b&gt;now&lt;/b&gt;" in page
    alice.post(f"{at}ask/")
    assert "somebody else approves it" in text(alice, at)
    assert "Approve</button>" not in text(alice, at)
    wanting = bob.post(f"{at}send-back/", {"comment": ""})
    assert (wanting.status_code, "Say what is still" in wanting.content.decode()) == (422, True)
    bob.post(f"{at}approve/", {"comment": "Clear."})
    page = alice.post(f"{at}publish/", follow=True).content.decode()
    assert "It is published, and the incident is closed." in page
    assert Incident.objects.get(pk=incident.pk).status == "closed"


def test_what_two_people_write_at_once_is_kept(portal: Portal) -> None:
    """Of both what only one of them changed; what both changed is shown, and is not overwritten unseen."""
    found = begun(portal, over(portal))
    at = f"/postmortems/{found.pk}/edit/"
    alice, bob = client_of(portal, "alice"), client_of(portal, "bob")
    ann, ben = entered(alice, at), entered(bob, at)
    assert alice.post(at, {**ann, "trigger": "A backup.", "lessons": "Watch."}).status_code == 302
    crossed = bob.post(at, {**ben, "trigger": "A deploy.", "root_cause": "One disk."})
    shown = crossed.content.decode()
    assert crossed.status_code == 422
    assert "What somebody else wrote meanwhile" in shown
    assert "A backup." in shown
    assert "A deploy." in shown
    found.refresh_from_db()
    assert (found.trigger, found.root_cause, found.lessons) == ("A backup.", "", "Watch.")
    again = {field.html_name: field.value() or "" for field in crossed.context["form"]}
    assert bob.post(at, {**again, "trigger": "A backup, by a deploy."}).status_code == 302
    found.refresh_from_db()
    assert found.trigger == "A backup, by a deploy."
    assert (found.root_cause, found.lessons) == ("One disk.", "Watch.")


def test_what_was_typed_is_kept_where_it_cannot_be_saved(portal: Portal) -> None:
    """It went into review meanwhile; who opens the form then is led to the page."""
    found = write(portal, begun(portal, over(portal)), **WRITTEN)
    at, bob = f"/postmortems/{found.pk}/edit/", client_of(portal, "bob")
    sent = {**entered(bob, at), "trigger": "A deploy."}
    alice = portal.people["alice"]
    postmortems.ask_for_review(found.pk, now=portal.now, actor=alice, person=alice)
    refused = bob.post(at, sent)
    assert refused.status_code == 422
    assert "It is in review" in refused.content.decode()
    assert "A deploy." in refused.content.decode()
    assert bob.get(at)["Location"] == f"/postmortems/{found.pk}/"


def test_viewers_read_what_is_published_and_strangers_nothing(portal: Portal) -> None:
    """A draft does not exist for them; neither does what is private."""
    found, client = in_review(portal, over(portal)), viewer()
    at = f"/postmortems/{found.pk}/"
    assert client.get(at).status_code == 404
    assert client.get(f"{at}postmortem.md").status_code == 404
    assert at not in text(client, "/postmortems/")
    assert "Postmortem due" in text(client, f"/i/{found.pk}")
    approve(portal, found)
    postmortems.publish(found.pk, now=portal.now, actor="test")
    page = text(client, at)
    assert "One disk for everything." in page
    assert "Reopen</button>" not in page
    assert client.post(f"{at}reopen/").status_code == 403
    item = add(portal, Incident.objects.get(pk=found.pk))
    assert client.post(item.get_absolute_url(), {"title": "x"}).status_code == 403
    Service.objects.update(is_private=True, owner=Team.objects.create(slug="t", name="T"))
    bob = client_of(portal, "bob")
    for address in (at, f"{at}edit/", f"{at}postmortem.md", item.get_absolute_url()):
        assert bob.get(address).status_code == 404
    for address in (f"{at}publish/", f"/postmortems/{found.pk}/begin/"):
        assert bob.post(address).status_code == 404
    assert bob.get(f"/action-items/new/{found.pk}/").status_code == 404
    assert item.title not in text(bob, "/action-items/?state=all")
    assert at not in text(bob, "/postmortems/")


def test_a_postmortem_is_downloaded_whole(portal: Portal) -> None:
    """Sections, what is to be done and what reviewers said, as a Markdown file."""
    incident = over(portal, title="Checkout * fails")
    add(portal, incident, title="Watch [disks]", url="https://tickets.example/1")
    found = in_review(portal, incident)
    approve(portal, found)
    answer = client_of(portal, "alice").get(f"/postmortems/{found.pk}/postmortem.md")
    assert answer["Content-Type"] == "text/markdown; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="postmortem-{found.pk}.md"'
    document = answer.content.decode()
    assert document.startswith(rf"# Postmortem of #{found.pk}: Checkout \* fails")
    for part in (
        "## Root cause\n\nOne disk for everything.",
        "## What went well\n\nNothing is written down.",
        "· Resolved (alice)",
        "alice by email (L1): sent",
        r"- [ ] Watch \[disks\] (alice, due 2026-03-04) <https://tickets.example/1>",
        "- bob: approved",
    ):
        assert part in document, part


def test_no_part_of_a_download_runs_into_the_next(portal: Portal) -> None:
    """A fence that nobody closed ends with its section, an address of a ticket where it ends."""
    incident = over(portal)
    add(portal, incident, url="https://tickets.example/a>[b](c)")
    write(
        portal, begun(portal, incident), summary="It said:\n\n````\nno space", impact="```\nx\n```"
    )
    document = text(client_of(portal, "alice"), f"/postmortems/{incident.pk}/postmortem.md")
    assert "no space\n````\n\n## Impact\n\n```\nx\n```\n\n## Root cause" in document
    assert "<https://tickets.example/a%3E[b](c)>" in document


def test_the_list_of_postmortems_filters_and_exports(
    portal: Portal, assert_queries: AssertQueries
) -> None:
    """What is owed though nobody began it, by state, severity and service."""
    owed, ticket, drafted = over(portal), over(portal, "P2"), over(portal, "P0", "Login fails")
    begun(portal, drafted)
    begun(portal, ticket)
    alice = client_of(portal, "alice")

    def shown(query: str) -> set[int]:
        return {
            int(pk)
            for pk in re.findall(r'<a href="/i/(\d+)"', text(alice, f"/postmortems/?{query}"))
        }

    assert shown("") == {owed.pk, ticket.pk, drafted.pk}
    assert shown("state=due") == {owed.pk, drafted.pk}
    assert shown("state=draft") == {ticket.pk, drafted.pk}
    assert shown("state=overdue") == shown("state=published") == set()
    assert shown("severity=P0") == shown("q=login") == {drafted.pk}
    assert shown("service=other") == set()
    portal.now += timedelta(days=8)
    assert shown("state=overdue") == {owed.pk, drafted.pk}
    with assert_queries("/postmortems/"):
        alice.get("/postmortems/")
    with assert_queries("/postmortems/<incident>/"):
        alice.get(f"/postmortems/{drafted.pk}/")
    lines = text(alice, "/postmortems/?state=overdue&format=csv").splitlines()
    assert lines[0].startswith("incident,standing,severity,title")
    assert lines[1].startswith(f"{drafted.pk},overdue,P0,Login fails,checkout,alice,")
    assert len(lines) == 3


def test_who_writes_a_draft_is_told_to_viewers_neither_on_the_page_nor_as_csv(
    portal: Portal,
) -> None:
    """They read that one is due, and its author once it is published."""
    found = in_review(portal, over(portal))
    reader = viewer()
    for address in ("/postmortems/", "/postmortems/?format=csv"):
        assert "alice" not in text(reader, address)
    approve(portal, found)
    bob = portal.people["bob"]
    postmortems.publish(found.pk, now=portal.now, actor=bob)
    assert ",alice," in text(reader, "/postmortems/?format=csv")


def test_a_comment_may_be_as_long_as_its_field_says(portal: Portal) -> None:
    """A browser counts a new line once, and sends it as two characters."""
    found = in_review(portal, over(portal))
    comment = "A line.\r\n" * 1_200
    sent = client_of(portal, "bob").post(
        f"/postmortems/{found.pk}/send-back/", {"comment": comment}
    )
    assert sent.status_code == 302
    assert found.reviews.get().comment == comment.replace("\r\n", "\n").strip()


def test_action_items_are_made_worked_and_dropped_on_pages(portal: Portal) -> None:
    """A second tap makes no second one; what somebody else changed is not written over unseen."""
    incident, alice = portal.open_incident(), client_of(portal, "alice")
    at = f"/action-items/new/{incident.pk}/"
    sent = {
        "title": "Watch disks", "kind": "follow_up", "owner": str(portal.people["alice"].pk),
        "once": alice.get(at).context["form"]["once"].value(),
    }  # fmt: skip
    refused = alice.post(at, sent)
    assert refused.status_code == 422
    assert "Say until which day." in refused.content.decode()
    for _ in range(2):
        page = alice.post(at, {**sent, "due_on": "2026-03-01"}, follow=True).content.decode()
    assert "Watch disks" in page
    item = ActionItem.objects.get()
    address = item.get_absolute_url()
    assert "Overdue" in text(alice, address)
    old = {**sent, "due_on": "2026-03-05", **seen(alice, address)}
    bob = client_of(portal, "bob")
    moved = {**sent, "due_on": "2026-03-06", **seen(bob, address)}
    assert bob.post(address, moved).status_code == 302
    assert "Somebody changed it" in alice.post(address, old).content.decode()
    assert alice.post(f"{address}drop/", {"reason": ""}).status_code == 422
    alice.post(f"{address}finish/", {"on": "incident"})
    item.refresh_from_db()
    assert (item.state, str(item.due_on)) == ("done", "2026-03-06")
    bob.post(f"{address}reopen/")
    bob.post(f"{address}drop/", {"reason": "We leave that vendor."})
    assert "We leave that vendor." in text(viewer(), address)
    assert alice.post(f"{address}explode/").status_code == 404


def test_the_list_of_action_items_filters_and_exports(
    portal: Portal, assert_queries: AssertQueries
) -> None:
    """The soonest first; overdue by the owner's day, mine, of a service, done, as CSV."""
    incident, bob = portal.open_incident(), portal.people["bob"]
    late = add(portal, incident, title="Late", due_on=portal.now.date() - timedelta(days=1))
    add(portal, incident, title="=1+1", owner=bob)
    add(portal, incident, title="Whenever", kind="task", owner=None, due_on=None)
    alice = client_of(portal, "alice")

    def shown(query: str) -> list[str]:
        page = text(alice, f"/action-items/?{query}")
        return re.findall(r'scope="row"><a href="[^"]+">([^<]+)</a>', page)

    assert shown("") == ["Late", "=1+1", "Whenever"]
    assert shown("state=overdue") == ["Late"]
    assert shown("mine=1") == ["Late"]
    assert shown("service=checkout&q=when") == ["Whenever"]
    assert shown("service=other") == shown("state=done") == []
    with assert_queries("/action-items/?state=overdue"):
        alice.get("/action-items/?state=overdue")
    lines = text(alice, "/action-items/?format=csv").splitlines()
    assert lines[1].startswith(
        f"{late.pk},open,True,follow_up,Late,alice,2026-03-01,{incident.pk},"
    )
    assert "'=1+1" in lines[2]


def test_a_reopened_incident_says_that_its_postmortem_is_kept(portal: Portal) -> None:
    """Closed anew it needs no other one."""
    found = in_review(portal, over(portal))
    approve(portal, found)
    postmortems.publish(found.pk, now=portal.now, actor="test")
    lifecycle.reopen(found.pk, now=portal.now, actor="test")
    alice = client_of(portal, "alice")
    assert "its postmortem is kept" in text(alice, f"/i/{found.pk}")
    alice.post(f"/i/{found.pk}/resolve/")
    alice.post(f"/i/{found.pk}/close/")
    assert Incident.objects.get(pk=found.pk).status == "closed"


def test_a_p2_is_closed_with_a_button(portal: Portal) -> None:
    """Nothing is asked for, and one may be begun all the same."""
    incident, alice = over(portal, "P2"), client_of(portal, "alice")
    page = text(alice, f"/i/{incident.pk}")
    assert "None is asked for" in page
    assert "Begin the postmortem" in page
    alice.post(f"/i/{incident.pk}/close/")
    assert Incident.objects.get(pk=incident.pk).status == "closed"
    assert not Postmortem.objects.exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.RESPONDER])
def test_what_was_not_begun_is_begun_by_responders(portal: Portal, role: Role) -> None:
    """Of an incident that is not over nobody begins one; the page says why."""
    incident = portal.open_incident()
    person = User.objects.create_user("pat", role=role)
    client = Client()
    client.force_login(person)
    answer = client.post(f"/postmortems/{incident.pk}/begin/", follow=True)
    if role == Role.VIEWER:
        assert answer.status_code == 403
    else:
        assert "resolve it first" in answer.content.decode()


def test_an_owner_who_left_stays_until_somebody_takes_the_item_from_them(portal: Portal) -> None:
    """Who moves the day of a task sends what the page chose, so its owner is there to be chosen."""
    alice = portal.people["alice"]
    item = add(portal, portal.open_incident(), kind="task")
    address, bob = item.get_absolute_url(), client_of(portal, "bob")
    deactivate(user=alice, now=portal.now, actor=None)
    page = text(bob, address)
    assert f'<option value="{alice.pk}" selected>alice (no longer active)</option>' in page
    assert "<dd>alice (no longer active)</dd>" in page
    sent = {"title": "Watch disks", "kind": "task", "owner": str(alice.pk), "due_on": "2026-03-09"}
    assert bob.post(address, {**sent, **seen(bob, address)}).status_code == 302
    item.refresh_from_db()
    assert (item.owner, str(item.due_on)) == (alice, "2026-03-09")
    assert bob.post(address, {**sent, "owner": "", **seen(bob, address)}).status_code == 302
    item.refresh_from_db()
    assert item.owner is None
    assert "no longer active" not in text(bob, address)
    again = bob.post(address, {**sent, **seen(bob, address)})
    assert (again.status_code, ActionItem.objects.get().owner) == (422, None)


def test_no_comment_is_lost_by_any_button_of_the_review(portal: Portal) -> None:
    """Two approve, one of them by publishing; who comes too late is shown what they wrote."""
    found = in_review(portal, over(portal))
    at = f"/postmortems/{found.pk}/"
    alice, bob, carol = (client_of(portal, name) for name in ("alice", "bob", "carol"))
    bob.post(f"{at}approve/", {"comment": "Clear."})
    refused = alice.post(f"{at}publish/", {"comment": "Thanks to all."})
    assert refused.status_code == 422
    assert "Thanks to all.</textarea>" in refused.content.decode()
    page = carol.post(f"{at}publish/", {"comment": "Worth reading."}, follow=True).content.decode()
    assert "carol: Worth reading." in page
    assert "bob: Clear." in page
    late = bob.post(f"{at}send-back/", {"comment": "One more\nthing."})
    assert late.status_code == 422
    shown = late.content.decode()
    assert "It is published: reopen it first." in shown
    assert "One more<br>thing." in shown


def test_a_merged_postmortem_says_whose_counts_and_that_one_names_it(portal: Portal) -> None:
    """Without buttons that could only be refused; strangers to either incident learn nothing of it."""
    found = in_review(portal, over(portal, title="Vault is sealed"))
    other = over(portal)
    by: dict[str, Any] = {"now": portal.now, "actor": portal.people["alice"]}
    for pk in (found.pk, other.pk):
        lifecycle.reopen(pk, **by)
    merging.merge(found.pk, into=other.pk, **by)
    lifecycle.resolve(other.pk, **by)
    alice, at = client_of(portal, "alice"), f"/postmortems/{found.pk}/"
    page = text(alice, at)
    says = f'It was merged: the postmortem is that of <a href="/i/{other.pk}">#{other.pk}</a>.'
    assert says in page
    assert says in text(alice, f"/i/{found.pk}")
    assert "/approve/" not in page
    assert "/send-back/" not in page
    assert alice.get(f"{at}edit/").status_code == 302
    begun(portal, other)
    names = f'<a href="{at}">Postmortem of #{found.pk}</a>'
    assert names in text(alice, f"/postmortems/{other.pk}/")
    hidden = Service.objects.create(
        slug="vault", name="Vault", is_private=True, owner=Team.objects.create(slug="t", name="T")
    )
    Incident.objects.filter(pk=found.pk).update(service=hidden)
    assert names not in text(alice, f"/postmortems/{other.pk}/")


def test_nobody_approves_or_publishes_a_text_that_they_have_not_read(portal: Portal) -> None:
    """It was sent back, rewritten and put into review again while the page was open."""
    found = in_review(portal, over(portal))
    at = f"/postmortems/{found.pk}/"
    alice, bob, carol = (client_of(portal, name) for name in ("alice", "bob", "carol"))
    read = {"seen": bob.get(at).context["form"]["seen"].value()}
    assert f'name="seen" value="{found.version}"' in text(bob, at)
    carol.post(f"{at}send-back/", {"comment": "Why?", **read})
    write(portal, found, lessons="Nothing.")
    alice.post(f"{at}ask/")
    refused = bob.post(f"{at}approve/", {"comment": "Fine.", **read})
    assert refused.status_code == 422
    page = refused.content.decode()
    assert "Its text was changed since you read it" in page
    assert "Fine.</textarea>" in page
    assert "Nothing." in page
    again = {"seen": refused.context["form"]["seen"].value(), "comment": "Fine."}
    assert bob.post(f"{at}approve/", again).status_code == 302
    assert "Its text was changed" in alice.post(f"{at}publish/", read, follow=True).content.decode()
    alice.post(f"{at}publish/", {"seen": again["seen"]})
    found.refresh_from_db()
    assert found.status == "published"
