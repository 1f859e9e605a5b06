"""Slack: messages with buttons, what is pressed, and a channel for each serious incident."""

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from core import encryption, http_client
from incidents.models import Page
from incidents.services.messages import message_for
from incidents.tests.oncall_portal import Portal, portal
from notifications.domain.kinds import Kind
from notifications.transports import Recipient, TransportFailed, transport_for

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
ADDRESS = "/integrations/v1/slack/actions"


class FakeSlack:
    """Answers as Slack's Web API does, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refusals: dict[str, list[str]] = {}
        self.status = 200

    def __call__(self, url: str, **asked: Any) -> http_client.Response:
        method, said = url.rsplit("/", 1)[1], json.loads(asked["content"])
        self.asked.append((method, said))
        errors = self.refusals.get(method, [])
        answer: dict[str, Any] = {"ok": True, "channel": "C1", "ts": "1700000000.000100"}
        if errors:
            answer = {"ok": False, "error": errors.pop(0)}
        elif method == "conversations.create":
            answer = {"ok": True, "channel": {"id": "C024BE91L", "name": said["name"]}}
        return http_client.Response(self.status, {}, json.dumps(answer).encode(), 1.0)

    def methods(self) -> list[str]:
        """Return what was called, in order."""
        return [method for method, _ in self.asked]


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch, settings: Any) -> FakeSlack:
    settings.SLACK_BOT_TOKEN, settings.SLACK_SIGNING_SECRET = "xoxb-1", SECRET
    settings.SLACK_API_URL = "https://slack.com/api"
    found = FakeSlack()
    monkeypatch.setattr(http_client, "request", found)
    return found


@pytest.fixture
def alice(portal: Portal) -> User:
    """Alice, who can be reached in Slack too."""
    person = portal.people["alice"]
    portal.add_method(person, Kind.SLACK, sealed_address=encryption.encrypt("U0ALICE11"))
    return person


def press(value: str, member: str = "U0ALICE11", **values: Any) -> Any:
    """Press a button as Slack would tell of it."""
    payload = {
        "type": "block_actions",
        "user": {"id": member, "username": "alice"},
        "response_url": "https://hooks.slack.com/actions/T1/2/abc",
        "actions": [
            {
                "action_id": values.get("action_id", "acknowledge-1"),
                "value": value,
                "type": "button",
                "action_ts": values.get("action_ts", f"{time.time():.6f}"),
            }
        ],
    }
    body = urlencode({"payload": json.dumps(payload)})
    stamp = values.get("stamp", str(int(time.time())))
    digest = hmac.new(SECRET.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return Client().post(
        ADDRESS,
        body,
        content_type="application/x-www-form-urlencoded",
        headers={
            "x-slack-request-timestamp": stamp,
            "x-slack-signature": values.get("signature", f"v0={digest}"),
        },
    )


def answered(slack: FakeSlack) -> tuple[str, str]:
    """Return to whom and what was said last to what was pressed."""
    said = slack.asked[-1][1]
    return said["response_type"], said["text"]


def test_a_message_has_a_button_for_its_incident(portal: Portal, slack: FakeSlack) -> None:
    """What an alert says can neither mention everybody nor hide a link."""
    incident = portal.open_incident("<!channel> disk & more")
    page = incident.pages.get()
    message = message_for([page], page.key, now=portal.now)
    found = transport_for(Kind.SLACK).send(message, Recipient("U0ALICE11"))
    assert found == "C1:1700000000.000100"
    ((method, said),) = slack.asked
    assert (method, said["channel"]) == ("chat.postMessage", "U0ALICE11")
    text, actions = said["blocks"]
    assert "&lt;!channel&gt; disk &amp; more" in text["text"]["text"]
    acknowledge, *_, opens = actions["elements"]
    assert acknowledge["value"] == f"{incident.pk}.1.{int(portal.now.timestamp())}"
    assert opens["url"].endswith(f"/i/{incident.pk}")
    assert said["metadata"]["event_payload"] == {"key": page.key}


@pytest.mark.parametrize(
    ("error", "is_final"),
    [("channel_not_found", True), ("invalid_auth", True), ("ratelimited", False)],
)
def test_what_slack_refuses_for_good_is_not_tried_again(
    portal: Portal, slack: FakeSlack, error: str, is_final: bool
) -> None:
    page = portal.open_incident().pages.get()
    slack.refusals["chat.postMessage"] = [error]
    with pytest.raises(TransportFailed, match=error) as caught:
        transport_for(Kind.SLACK).send(
            message_for([page], page.key, now=portal.now), Recipient("C0TEAM111")
        )
    assert caught.value.is_final is is_final


def test_pressing_acknowledges_for_whoever_pressed(
    portal: Portal, slack: FakeSlack, alice: User
) -> None:
    incident = portal.open_incident()
    assert press(f"{incident.pk}.1").status_code == 200
    incident.refresh_from_db()
    assert (incident.status, incident.acknowledged_by) == ("acknowledged", "alice")
    (said,) = [said for _, said in slack.asked if "text" in said]
    assert said["text"] == f"#{incident.pk} acknowledged by alice."


@pytest.mark.parametrize(
    ("value", "member", "answer"),
    [
        ("1.1", "U0NOBODY1", "Who are you?"),
        ("{pk}.7", "U0ALICE11", "this message is old"),
        ("99999999.1", "U0ALICE11", "no such incident"),
        ("{pk}.1.7", "U0ALICE11", "not known any more"),
        ("{pk}.1.7.7", "U0ALICE11", "none of ours"),
        ("rubbish", "U0ALICE11", "none of ours"),
        ("1." + "9" * 5000, "U0ALICE11", "none of ours"),
    ],
)
def test_what_cannot_be_done_is_said_in_slack(
    portal: Portal, slack: FakeSlack, alice: User, value: str, member: str, answer: str
) -> None:
    incident = portal.open_incident()
    assert press(value.format(pk=incident.pk), member).status_code == 200
    incident.refresh_from_db()
    assert incident.status == "triggered"
    assert answered(slack)[0] == "ephemeral"
    assert answer in answered(slack)[1]


def test_whoever_was_called_may_answer_and_other_viewers_look_only(
    portal: Portal, slack: FakeSlack, alice: User
) -> None:
    """As the link in the same message does."""
    User.objects.update(role=Role.VIEWER)
    bob = portal.people["bob"]
    portal.add_method(bob, Kind.SLACK, sealed_address=encryption.encrypt("U0BOBBB11"))
    incident = portal.open_incident()
    press(f"{incident.pk}.1", "U0BOBBB11")
    incident.refresh_from_db()
    assert incident.status == "triggered"
    assert answered(slack) == ("ephemeral", "bob may look at incidents, not answer them.")
    press(f"{incident.pk}.1")
    incident.refresh_from_db()
    assert (incident.status, incident.acknowledged_by) == ("acknowledged", "alice")


def test_who_hears_that_somebody_else_answered_was_not_called_by_that(
    portal: Portal, slack: FakeSlack, alice: User
) -> None:
    incident = portal.open_incident()
    Page.objects.update(reason="taken")
    User.objects.update(role=Role.VIEWER)
    press(f"{incident.pk}.1")
    incident.refresh_from_db()
    assert incident.status == "triggered"


def test_who_presses_second_is_told_whose_it_is(
    portal: Portal, slack: FakeSlack, alice: User
) -> None:
    bob = portal.people["bob"]
    portal.add_method(bob, Kind.SLACK, sealed_address=encryption.encrypt("U0BOBBB11"))
    incident = portal.open_incident()
    press(f"{incident.pk}.1")
    assert answered(slack) == ("in_channel", f"#{incident.pk} acknowledged by alice.")
    press(f"{incident.pk}.1", "U0BOBBB11")
    assert answered(slack) == ("ephemeral", f"#{incident.pk} is alice's already.")
    incident.refresh_from_db()
    assert incident.acknowledged_by == "alice"


@pytest.mark.parametrize(
    ("stamp", "signature", "body"),
    [
        ("abc", "v0=1", b"payload={}"),
        ("", "v0=1", b"payload={}"),
        ("9" * 4000, "v0=1", b"payload={}"),
        ("\u0661\u0662".encode().decode("latin-1"), "v0=1", b"payload={}"),
        (None, "v0=\u00e9", b"payload={}"),
        (None, "v0=1", b"payload=\xff\xfe"),
        (None, "", b""),
    ],
    ids=["word", "empty", "far", "letters", "signature", "bytes", "nothing"],
)
def test_what_is_signed_wrongly_is_never_an_error_of_ours(
    slack: FakeSlack, stamp: str | None, signature: str, body: bytes
) -> None:
    headers = {
        "x-slack-request-timestamp": str(int(time.time())) if stamp is None else stamp,
        "x-slack-signature": signature,
    }
    answer = Client().post(
        ADDRESS, body, content_type="application/x-www-form-urlencoded", headers=headers
    )
    assert answer.status_code == 401


def test_only_slack_is_listened_to(
    portal: Portal, slack: FakeSlack, alice: User, settings: Any
) -> None:
    """A wrong signature, an old one, none, and no secret at all."""
    incident = portal.open_incident()
    value = f"{incident.pk}.1"
    assert press(value, signature="v0=" + "0" * 64).status_code == 401
    assert press(value, stamp=str(int(time.time()) - 600)).status_code == 401
    assert Client().post(ADDRESS, {"payload": "{}"}).status_code == 401
    settings.SLACK_SIGNING_SECRET = ""
    assert press(value).status_code == 401
    incident.refresh_from_db()
    assert incident.status == "triggered"


@pytest.mark.parametrize("body", ["", "payload=", "payload=[]", "payload=7", "x=1", "payload={}"])
def test_rubbish_with_a_good_signature_is_no_error_of_ours(
    portal: Portal, slack: FakeSlack, body: str
) -> None:
    stamp = str(int(time.time()))
    digest = hmac.new(SECRET.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    answer = Client().post(
        ADDRESS,
        body,
        content_type="application/x-www-form-urlencoded",
        headers={"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"},
    )
    assert answer.status_code in {200, 400}
