"""A channel in Slack for each serious incident, with a pinned summary and whoever was called."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import send, signed_in
from catalog.models import Service
from core import encryption
from incidents.models import Incident, IncidentChannel
from incidents.services import channels, lifecycle
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.test_slack import FakeSlack, alice, slack
from notifications.domain.kinds import Kind

__all__ = ["alice", "portal", "slack"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def invited(slack: FakeSlack) -> list[str]:
    """Return who was invited, in order, and forget it."""
    found = [said["users"] for method, said in slack.asked if method == "conversations.invite"]
    slack.asked.clear()
    return found


@pytest.fixture
def bob(portal: Portal) -> User:
    """Bob, the second level, who can be reached in Slack too."""
    person = portal.people["bob"]
    portal.add_method(person, Kind.SLACK, sealed_address=encryption.encrypt("U0BOBBB11"))
    return person


def tick(portal: Portal) -> int:
    """Look as beat does; returns how many channels invited somebody."""
    invited = channels.invite_due(now=portal.now)
    channels.open_due(now=portal.now)
    return invited


def settle(portal: Portal, slack: FakeSlack) -> None:
    """Let two ticks pass: who was called within seconds of the first is asked twice, and no more."""
    for _ in range(2):
        invited(slack)
        portal.now += timedelta(seconds=15)
        tick(portal)
    assert invited(slack) == []


def test_one_who_cannot_be_invited_keeps_out_nobody(
    portal: Portal, slack: FakeSlack, alice: User, bob: User
) -> None:
    """Neither the others nor the summary, which comes first."""
    portal.open_incident()
    portal.fast_forward(minutes=5)
    slack.refusals["conversations.invite"] = ["user_disabled"]
    channels.open_due(now=portal.now)
    assert slack.methods()[1:3] == ["chat.postMessage", "pins.add"]
    assert invited(slack) == ["U0ALICE11", "U0BOBBB11"]
    settle(portal, slack)


def test_later_levels_are_invited_when_they_are_called(
    portal: Portal, slack: FakeSlack, alice: User, bob: User
) -> None:
    incident = portal.open_incident()
    tick(portal)
    assert invited(slack) == ["U0ALICE11"]
    settle(portal, slack)
    portal.fast_forward(minutes=5)
    assert tick(portal) == 1
    assert invited(slack) == ["U0BOBBB11"]
    settle(portal, slack)
    portal.fast_forward(minutes=10)
    lifecycle.resolve(incident.pk, now=portal.now, actor="test")
    assert tick(portal) == 0


def test_who_could_not_be_invited_because_slack_was_away_is_invited_later(
    portal: Portal, slack: FakeSlack, alice: User, bob: User
) -> None:
    portal.open_incident()
    slack.refusals["conversations.invite"] = ["ratelimited", "ratelimited"]
    tick(portal)
    invited(slack)
    portal.fast_forward(minutes=5)
    slack.refusals["conversations.invite"] = ["already_in_channel"]
    assert tick(portal) == 1
    assert invited(slack) == ["U0ALICE11", "U0BOBBB11"]


def test_a_channel_whose_summary_was_refused_invites_all_the_same(
    portal: Portal, slack: FakeSlack, alice: User
) -> None:
    portal.open_incident()
    slack.refusals["chat.postMessage"] = ["msg_too_long"]
    channels.open_due(now=portal.now)
    assert invited(slack) == ["U0ALICE11"]


def test_a_serious_incident_gets_a_channel_of_its_own(
    portal: Portal, slack: FakeSlack, alice: User
) -> None:
    """Named by the moment; the next name where it is taken; whoever was called is invited.

    What an alert says mentions nobody there, either.
    """
    incident = portal.open_incident("<!channel> 5xx")
    portal.open_incident("nothing much", severity="P2")
    slack.refusals["conversations.create"] = ["name_taken"]
    assert channels.open_due(now=portal.now) == 1
    channel = IncidentChannel.objects.get()
    assert (channel.incident, channel.name) == (incident, "incident-20260302-030000-2")
    assert slack.methods() == [
        "conversations.create", "conversations.create", "chat.postMessage", "pins.add",
        "conversations.invite",
    ]  # fmt: skip
    assert slack.asked[4][1] == {"channel": "C024BE91L", "users": "U0ALICE11"}
    assert "*P0 #" in slack.asked[2][1]["text"]
    assert "&lt;!channel&gt; 5xx" in slack.asked[2][1]["text"]
    assert channels.open_due(now=portal.now) == 0
    assert incident.timeline.filter(act="channel").count() == 1


def test_a_channel_that_could_not_be_opened_is_tried_again(
    portal: Portal, slack: FakeSlack
) -> None:
    """Five times at most, a minute apart; paging has long gone on."""
    portal.open_incident()
    slack.refusals["conversations.create"] = ["internal_error"] * 9
    for _ in range(8):
        assert channels.open_due(now=portal.now) == 0
        portal.fast_forward(minutes=1)
    channel = IncidentChannel.objects.get()
    assert (channel.tries, channel.channel_id) == (5, "")
    assert "internal_error" in channel.problem


def test_a_channel_by_hand(portal: Portal, slack: FakeSlack) -> None:
    incident = portal.open_incident(severity="P2")
    api = signed_in(Role.RESPONDER)
    where = f"incidents/{incident.pk}/"
    assert send(api, "get", where, status=200)["channel"] is None
    send(api, "post", where + "channel/", status=200)
    assert send(api, "get", where, status=200)["channel"] == "incident-20260302-030000"
    assert "already" in send(api, "post", where + "channel/", status=409)["detail"]
    assert "#incident-20260302-030000" in api.get(f"/i/{incident.pk}").content.decode()


def test_without_a_bot_nothing_is_asked(portal: Portal, slack: FakeSlack, settings: Any) -> None:
    settings.SLACK_BOT_TOKEN = ""
    incident = portal.open_incident()
    assert channels.open_due(now=portal.now) == 0
    assert slack.asked == []
    answer = signed_in(Role.RESPONDER).post(f"/api/v1/incidents/{incident.pk}/channel/")
    assert answer.status_code == 409
    assert "SLACK_BOT_TOKEN" in answer.json()["detail"]
    assert not IncidentChannel.objects.exists()
    assert Incident.objects.get(pk=incident.pk).status == "triggered"


@pytest.mark.parametrize("is_private", [False, True])
def test_the_channel_of_a_private_service_is_private(
    portal: Portal, slack: FakeSlack, is_private: bool
) -> None:
    """Its title, and whose it is, are for those who are invited, not for everybody of Slack."""
    Service.objects.filter(pk=portal.service.pk).update(is_private=is_private)
    channels.open_channel(portal.open_incident(), now=portal.now, actor=None)
    method, said = slack.asked[0]
    assert (method, said["is_private"]) == ("conversations.create", is_private)


def test_a_channel_takes_no_key_under_which_slack_would_be_waited_for(
    portal: Portal, slack: FakeSlack, alice: User
) -> None:
    """What a key answers is one transaction: no row is held while Slack is asked, and tries count."""
    incident = portal.open_incident("5xx spike")
    answer = signed_in(Role.RESPONDER).post(
        f"/api/v1/incidents/{incident.pk}/channel/", headers={"Idempotency-Key": "k1"}
    )
    assert answer.status_code == 400
    assert answer.json()["errors"] == {
        "Idempotency-Key": ["This takes no key: send it without one."]
    }
    assert not IncidentChannel.objects.exists()
    assert slack.asked == []
