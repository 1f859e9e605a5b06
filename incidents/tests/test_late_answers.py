"""An answer to a message that was sent before somebody snoozed the incident takes no snooze back."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from incidents.models import Incident
from incidents.services import answering, lifecycle
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.test_slack import FakeSlack, alice, press, slack
from incidents.tests.test_twilio import HERE, TOKEN, tell

__all__ = ["alice", "portal", "slack"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def snoozed(portal: Portal, settings: Any) -> Incident:
    """An incident that alice was called for, and that bob snoozed for an hour since."""
    settings.PORTAL_URL, settings.TWILIO_AUTH_TOKEN = HERE, TOKEN
    incident, bob = portal.open_incident(), portal.people["bob"]
    until = portal.now + timedelta(hours=1)
    lifecycle.snooze(incident.pk, until=until, now=portal.now, actor=bob, person=bob)
    return incident


def keeps_its_snooze(portal: Portal, incident: Incident) -> bool:
    """Whether nothing but the timeline changed, and people are called when the snooze ends."""
    incident.refresh_from_db()
    assert incident.timeline.filter(act="acknowledge", actor="alice").exists()
    kept = (incident.snoozed_until, incident.acknowledged_by)
    portal.fast_forward(minutes=61)
    incident.refresh_from_db()
    return kept == (portal.now - timedelta(minutes=1), "bob") and incident.status == "triggered"


def test_a_link_that_is_tapped_late(portal: Portal, snoozed: Incident) -> None:
    answer = Client().post(portal.post.sent[0].message.act_url.removeprefix(HERE))
    assert "Snoozed by bob until " in answer.content.decode()
    assert keeps_its_snooze(portal, snoozed)


def test_a_key_that_is_pressed_late(portal: Portal, snoozed: Incident) -> None:
    answer = tell(portal.post.sent[0].message.answer_url, Digits="1")
    assert "bob snoozed it until 2026-03-02 04:00 UTC. Thank you." in answer.content.decode()
    assert keeps_its_snooze(portal, snoozed)


def test_a_button_of_an_old_message(
    portal: Portal, slack: FakeSlack, alice: User, snoozed: Incident
) -> None:
    assert press(f"{snoozed.pk}.1").status_code == 200
    said = slack.asked[-1][1]
    assert (said["text"], said["response_type"]) == (
        f"#{snoozed.pk}: bob snoozed it until 2026-03-02 04:00 UTC.",
        "ephemeral",
    )
    assert keeps_its_snooze(portal, snoozed)


def test_a_link_that_is_tapped_while_it_ends(
    portal: Portal, snoozed: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever taps reads that it is over, and no refusal."""

    def ended(incident_id: int, **given: Any) -> Incident:
        lifecycle.resolve(incident_id, now=portal.now, actor="carol")
        return answering.answer(incident_id, **given)

    monkeypatch.setattr("incidents.incident_views.answer", ended)
    answer = Client().post(portal.post.sent[0].message.act_url.removeprefix(HERE))
    assert answer.status_code == 200
    assert "It is resolved. Nobody is called for it." in answer.content.decode()
