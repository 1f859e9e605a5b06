"""Buttons of a page that was opened before others acted, and buttons that are pressed twice."""

import re

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import signed_in
from incidents.models import Incident, TimelineEntry
from incidents.services import lifecycle, merging
from incidents.tests.oncall_portal import Portal, portal

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db]


def step_shown(client: Client, incident: Incident) -> str:
    """Return which call the button of the page is about."""
    page = client.get(f"/i/{incident.pk}").content.decode()
    found = re.search(r'name="step" value="([^"]+)"', page)
    assert found
    return found[1]


def pressed(client: Client, incident: Incident, action: str, **fields: str) -> str:
    """Press a button; returns the page that follows."""
    answer = client.post(f"/i/{incident.pk}/{action}/", fields, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_who_escalates_to_a_level_that_was_called_meanwhile_calls_nobody_else(
    portal: Portal,
) -> None:
    """Two people see "Escalate to L2"; both press it."""
    incident, client = portal.open_incident(), signed_in(Role.RESPONDER)
    seen = step_shown(client, incident)
    pressed(client, incident, "escalate", step=seen)
    portal.settle()
    page = pressed(client, incident, "escalate", step=seen)
    portal.settle()
    assert "Somebody was called since you looked" in page
    assert {page.level for page in incident.pages.all()} == {1, 2}
    assert incident.timeline.filter(act="escalate").count() == 1
    pressed(client, incident, "escalate", step=step_shown(client, incident))
    portal.settle()
    assert {page.level for page in incident.pages.all()} == {1, 2, 3}


def test_who_taps_escalate_twice_escalates_once(portal: Portal) -> None:
    """Also while the pager has not called yet."""
    incident, client = portal.open_incident(), signed_in(Role.RESPONDER)
    seen = step_shown(client, incident)
    for _ in range(2):
        assert "message-error" not in pressed(client, incident, "escalate", step=seen)
    portal.settle()
    assert {page.level for page in incident.pages.all()} == {1, 2}
    assert incident.timeline.filter(act="escalate").count() == 1


def test_who_escalates_when_the_time_of_the_level_had_come_calls_nobody_else(
    portal: Portal,
) -> None:
    incident, client = portal.open_incident(), signed_in(Role.RESPONDER)
    seen = step_shown(client, incident)
    portal.fast_forward(minutes=6)
    pressed(client, incident, "escalate", step=seen)
    portal.settle()
    assert {page.level for page in incident.pages.all()} == {1, 2}


def test_a_step_that_never_was_is_none_of_now(portal: Portal) -> None:
    incident, client = portal.open_incident(), signed_in(Role.RESPONDER)
    for wrong in ("1.2", "x" * 64, "<b>"):
        assert "Somebody was called" in pressed(client, incident, "escalate", step=wrong)
    assert not TimelineEntry.objects.filter(incident=incident, act="escalate").exists()


def test_a_second_tap_declares_no_second_incident(portal: Portal) -> None:
    client = signed_in(Role.RESPONDER)
    once = client.get("/incidents/new/").context["form"]["once"].value()
    said = {"title": "Checkout is down", "severity": "P1", "service": portal.service.pk}
    refused = client.post("/incidents/new/", {**said, "title": "", "once": once})
    assert refused.context["form"]["once"].value() == once
    first, second = (client.post("/incidents/new/", {**said, "once": once}) for _ in range(2))
    assert first["Location"] == second["Location"] == f"/i/{Incident.objects.get().pk}"
    other = client.get("/incidents/new/").context["form"]["once"].value()
    assert client.post("/incidents/new/", {**said, "once": other})["Location"] != first["Location"]


def test_what_is_written_after_going_back_is_not_taken_for_a_second_tap(portal: Portal) -> None:
    """The browser shows the page as it was, with its token."""
    incident, client = portal.open_incident(), signed_in(Role.RESPONDER)
    once = client.get(f"/i/{incident.pk}").context["forms"]["note"]["once"].value()
    for text in ("Rolled back", "It was not the deploy"):
        pressed(client, incident, "note", text=text, once=once)
    assert incident.timeline.filter(act="note").count() == 2


def test_a_second_tap_notes_nothing_twice(portal: Portal) -> None:
    incident, client = portal.open_incident(), signed_in(Role.RESPONDER)
    once = client.get(f"/i/{incident.pk}").context["forms"]["note"]["once"].value()
    for _ in range(2):
        page = pressed(client, incident, "note", text="Rolled back", once=once)
        assert "The note is in the timeline." in page
    assert incident.timeline.filter(act="note").count() == 1


def test_who_acknowledges_too_late_hears_who_was_faster(portal: Portal) -> None:
    incident, client = portal.open_incident(), signed_in(Role.RESPONDER)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=portal.people["bob"])
    page = pressed(client, incident, "acknowledge")
    assert "Already acknowledged by bob." in page
    lifecycle.resolve(incident.pk, now=portal.now, actor=portal.people["bob"])
    page = pressed(client, incident, "acknowledge")
    assert "Already resolved by bob: nobody is called for it." in page
    assert "message-error" not in page
    mine = portal.open_incident("Another")
    for _ in range(2):
        assert "Already" not in pressed(client, mine, "acknowledge")


def test_an_old_link_to_what_was_merged_names_what_goes_on(portal: Portal) -> None:
    """People are called for the other one; whoever was called first must not take it for over."""
    incident = portal.open_incident()
    link = re.sub(r"^https?://[^/]+", "", portal.post.sent[0].message.act_url)
    middle, end = portal.open_incident("Middle"), portal.open_incident("The end")
    for source, target in ((incident, middle), (middle, end)):
        merging.merge(source.pk, into=target.pk, now=portal.now, actor="test")
    for answer in (Client().get(link), Client().post(link)):
        page = answer.content.decode()
        assert f"It was merged into #{end.pk}, which is triggered." in page
        assert f'href="/i/{end.pk}"' in page
        assert "Nobody is called for it" not in page
        assert "The end" not in page, "who was called for one need not be told of the other"
    page = pressed(signed_in(Role.RESPONDER), incident, "acknowledge")
    assert f"It was merged: it lives on in #{end.pk}." in page
    end.refresh_from_db()
    assert end.status == "triggered"


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("resolve", "Already resolved by the-responder: nobody is called for it."),
        ("mitigate", "It is mitigated already."),
        ("merge", "It is merged already."),
    ],
)
def test_a_second_tap_is_no_mistake(portal: Portal, action: str, said: str) -> None:
    incident, other = portal.open_incident(), portal.open_incident("Another")
    client = signed_in(Role.RESPONDER)
    pressed(client, incident, "acknowledge")
    page = ""
    for _ in range(2):
        page = pressed(client, incident, action, into=str(other.pk))
    assert said in page
    assert "message-error" not in page
