"""What is told of an incident: inside at once, to everybody after a look at it, and never mixed."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import signed_in
from core.errors import Conflict, InvalidInput
from core.models import AuditEntry
from core.pagination import newest
from incidents.domain.communication import BLANK, Audience, PublicState
from incidents.models import CommunicationTemplate, Incident, StatusUpdate
from incidents.queries.incidents import clocks
from incidents.queries.status_updates import (
    Draft,
    PublicUpdate,
    doubts,
    draft_from,
    public_updates,
    suggested,
    templates_for,
)
from incidents.services import lifecycle, merging
from incidents.services.status_updates import publish
from incidents.tests.oncall_portal import Portal, portal

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
INTERNAL = Draft(Audience.INTERNAL, "The primary is out of memory.")
PUBLIC = Draft(Audience.PUBLIC, "Payments fail.", PublicState.INVESTIGATING)
RESOLVED = Draft(Audience.PUBLIC, "All is well.", PublicState.RESOLVED)


@pytest.fixture
def incident(portal: Portal) -> Incident:
    return portal.open_incident("Checkout answers 500")


@pytest.fixture
def alice(portal: Portal) -> User:
    return portal.people["alice"]


def test_the_public_reads_what_was_published_and_nothing_else(
    portal: Portal, incident: Incident, alice: User
) -> None:
    """Neither internal updates nor who wrote it; the timeline names both sorts apart."""
    publish(incident.pk, INTERNAL, now=portal.now, actor=alice)
    publish(incident.pk, PUBLIC, now=portal.now, actor=alice)
    assert public_updates(incident) == [PublicUpdate("investigating", "Payments fail.", portal.now)]
    entries = incident.timeline.filter(kind="note").order_by("pk")
    assert [
        (entry.get_act_display(), entry.text, entry.facts["audience"]) for entry in entries
    ] == [
        ("Internal update", "The primary is out of memory.", "internal"),
        ("Public update", "Investigating: Payments fail.", "public"),
    ]
    acts = AuditEntry.objects.filter(act="incident.update_published").order_by("seq")
    assert [entry.changes["audience"] for entry in acts] == ["internal", "public"]


def test_what_was_told_stays_as_it_was(portal: Portal, incident: Incident, alice: User) -> None:
    update = publish(incident.pk, PUBLIC, now=portal.now, actor=alice)
    for change in (lambda: StatusUpdate.objects.update(text="Other"), update.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    assert StatusUpdate.objects.get().text == "Payments fail."


@pytest.mark.parametrize("draft", [INTERNAL, PUBLIC])
def test_an_update_of_either_sort_puts_off_the_next_one(
    portal: Portal, incident: Incident, alice: User, draft: Draft
) -> None:
    """Those who wait hear something by either: colleagues inside, users outside."""
    portal.now += timedelta(minutes=29)
    publish(incident.pk, draft, now=portal.now, actor=alice)
    found = clocks(incident, newest(incident.timeline.order_by("-at", "-pk"), 3), now=portal.now)
    assert found[-1].name == "Next update"
    assert (found[-1].standing, found[-1].due_at) == (
        "on_track", portal.now + timedelta(minutes=30),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("draft", "why"),
    [
        (Draft(Audience.INTERNAL, " \n"), "1 to 5,000"),
        (Draft(Audience.INTERNAL, "x" * 5001), "1 to 5,000"),
        (Draft(Audience.INTERNAL, "So.", PublicState.RESOLVED), "Only public updates"),
        (Draft(Audience.PUBLIC, "So."), "where it stands"),
        (Draft(Audience.PUBLIC, f"We look. {BLANK}", PublicState.MONITORING), "Fill in"),
    ],
)
def test_what_says_nothing_is_not_told(
    portal: Portal, incident: Incident, alice: User, draft: Draft, why: str
) -> None:
    with pytest.raises(InvalidInput, match=why):
        publish(incident.pk, draft, now=portal.now, actor=alice)
    assert not StatusUpdate.objects.exists()


def test_of_what_is_over_it_is_still_told_and_of_what_was_merged_elsewhere(
    portal: Portal, incident: Incident, alice: User
) -> None:
    lifecycle.resolve(incident.pk, now=portal.now, actor=alice)
    publish(incident.pk, RESOLVED, now=portal.now, actor=alice)
    first, second = portal.open_incident("One"), portal.open_incident("Two")
    merging.merge(first.pk, into=second.pk, now=portal.now, actor=alice)
    with pytest.raises(Conflict, match=f"tell it of #{second.pk}"):
        publish(first.pk, INTERNAL, now=portal.now, actor=alice)


def test_who_publishes_is_told_what_speaks_against_it(portal: Portal, incident: Incident) -> None:
    portal.service.is_private = True
    incident.service = portal.service
    assert [text.split(";")[0] for text in doubts(incident, RESOLVED)] == [
        "Checkout is private here: this tells everybody that it is in trouble.",
        "The incident is still open here",
    ]
    over = Incident(status="resolved")
    assert doubts(over, PUBLIC) == ["The incident is over here; this says that it is not."]
    assert doubts(over, RESOLVED) == []


def test_drafts_are_filled_in_and_the_summary_stays_inside(
    portal: Portal, incident: Incident
) -> None:
    incident.summary = "pg-7 {title}"
    text = "{severity} {service}, {title}, {since}: {impact} {next_update}"
    assert draft_from(text, incident, Audience.INTERNAL, now=portal.now) == (
        "P0 Checkout, Checkout answers 500, 2026-03-02 03:00 UTC: pg-7 {title} 2026-03-02 03:30 UTC"
    )
    assert f": {BLANK} " in draft_from(text, incident, Audience.PUBLIC, now=portal.now)
    incident.service, incident.summary = None, " "
    assert draft_from("{service} {impact}", incident, Audience.INTERNAL, now=portal.now) == (
        f"our services {BLANK}"
    )


def test_without_a_row_of_its_sort_the_built_in_template_holds(
    portal: Portal, incident: Incident, alice: User
) -> None:
    built_in = [(each.key, each.name) for each in templates_for(Audience.PUBLIC)]
    assert built_in == [
        ("initial", "Initial notification"),
        ("update", "Status update"),
        ("resolution", "Resolution"),
    ]
    row = CommunicationTemplate.objects.create(
        kind="update", audience="public", name="Ours", text="{service}"
    )
    assert [each.key for each in templates_for(Audience.PUBLIC)] == [
        "initial", str(row.pk), "resolution",
    ]  # fmt: skip
    assert suggested(incident, Audience.PUBLIC) == "initial"
    publish(incident.pk, PUBLIC, now=portal.now, actor=alice)
    assert suggested(incident, Audience.PUBLIC) == "update"
    assert suggested(incident, Audience.INTERNAL) == "initial"
    incident.status = "closed"
    assert suggested(incident, Audience.INTERNAL) == "resolution"


def shown(page: str, name: str) -> str:
    """Return the value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return html.unescape(found[1])


class Writer:
    """Somebody who writes public updates of one incident on its page."""

    def __init__(self, client: Client, incident: Incident) -> None:
        self.client, self.page = client, f"/i/{incident.pk}/updates/public/"

    def send(self, status: int, **fields: Any) -> str:
        answer = self.client.post(self.page, fields, follow=status == 302)
        assert answer.status_code == (200 if status == 302 else status), answer.content
        return answer.content.decode()

    def sent_again(self, preview: str, status: int = 302, **changed: Any) -> str:
        """Press a button of the preview."""
        fields = {name: shown(preview, name) for name in ("state", "text", "once", "seen")}
        return self.send(status, **{"step": "publish", **fields, **changed})


@pytest.fixture
def writer(incident: Incident) -> Writer:
    return Writer(signed_in(Role.RESPONDER), incident)


FIRST = {"state": "identified", "text": "A database\r\nis “full”.", "once": "a" * 32}


def test_the_first_post_shows_what_will_be_public_and_the_second_publishes_it(
    incident: Incident, writer: Writer
) -> None:
    preview = writer.send(200, **FIRST)
    assert not StatusUpdate.objects.exists()
    assert "This will be public" in preview
    assert "A database<br>is “full”." in preview
    for _ in range(2):
        page = writer.sent_again(preview)
    update = StatusUpdate.objects.get()
    assert (update.text, update.state) == ("A database\nis “full”.", "identified")
    assert update.author == "the-responder"
    assert 'pill-info">Public</span>' in page


def test_what_was_changed_after_the_look_is_looked_at_again(
    incident: Incident, writer: Writer
) -> None:
    """Neither another text nor a made-up or borrowed seal publishes; to change it publishes nothing."""
    preview = writer.send(200, **FIRST)
    for changed in ({"text": "Alice did it."}, {"seen": "x"}, {"seen": ""}):
        assert "This will be public" in writer.sent_again(preview, 200, **changed)
    form = writer.sent_again(preview, 200, step="edit")
    assert "A database\nis “full”.</textarea>" in form
    del form
    other = Writer(signed_in(Role.MANAGER), incident)
    assert "This will be public" in other.sent_again(preview, 200)
    assert not StatusUpdate.objects.exists()


def test_what_another_published_since_the_look_is_read_first(
    portal: Portal, incident: Incident, writer: Writer, alice: User
) -> None:
    preview = writer.send(200, **FIRST)
    publish(incident.pk, RESOLVED, now=portal.now, actor=alice)
    again = writer.sent_again(preview, 422)
    assert "alice published another update meanwhile" in again
    assert "All is well." in again
    writer.sent_again(again)
    assert StatusUpdate.objects.count() == 2


def test_a_template_fills_the_draft_without_javascript(incident: Incident, writer: Writer) -> None:
    """The one that is next at first; what has a blank is not published."""
    page = writer.client.get(writer.page).content.decode()
    assert "We are investigating a problem with Checkout since 2026-03-02 03:00 UTC." in page
    chosen = writer.client.get(f"{writer.page}?template=resolution").content.decode()
    assert "We are sorry for the trouble.</textarea>" in chosen
    for nothing in ("", "4711", "x"):
        empty = writer.client.get(writer.page, {"template": nothing}).content.decode()
        assert re.search(r"<textarea[^>]*>\s*</textarea>", empty)
    refused = writer.send(422, state="investigating", text=f"So: {BLANK}")
    assert "Fill in “[say what users notice]”, or take it out." in refused
    assert "where it stands" in writer.send(422, text="So.").lower()


def test_an_internal_update_is_told_at_once_and_once(incident: Incident) -> None:
    client, page = signed_in(Role.RESPONDER), f"/i/{incident.pk}/updates/internal/"
    assert (
        "people who may see this incident read it, nobody else" in client.get(page).content.decode()
    )
    for _ in range(2):
        answer = client.post(page, {"text": "We roll back.", "once": "b" * 32}, follow=True)
    update = StatusUpdate.objects.get()
    assert (update.audience, update.state, update.text) == ("internal", "", "We roll back.")
    shown_page = answer.content.decode()
    assert 'pill-none">Internal</span>' in shown_page
    assert 'pill-info">Public</span>' not in shown_page
    assert client.post(page, {"text": " "}).status_code == 422


def test_an_update_may_be_as_long_as_its_field_says(incident: Incident) -> None:
    """A browser counts a new line once, and sends it as two characters."""
    text = "A line.\r\n" * 600
    page = f"/i/{incident.pk}/updates/internal/"
    sent = signed_in(Role.RESPONDER).post(page, {"text": text, "once": "a" * 32})
    assert sent.status_code == 302
    assert StatusUpdate.objects.get().text == text.replace("\r\n", "\n").strip()
