"""Twilio tells what became of messages and calls, and which key was pressed; the tests play Twilio."""

import xml.etree.ElementTree as ET
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import HttpResponse
from django.test import Client

from incidents.models import Page, TimelineEntry
from incidents.queries.verification import check_invariants
from incidents.services import lifecycle, merging
from incidents.tests.oncall_portal import Portal, portal
from incidents.webhooks import twilio
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message
from notifications.domain.twilio import signature_of
from notifications.models import ContactMethod
from notifications.transports.twilio import TextMessage, VoiceCall
from oncall.models import FallbackContact

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
HERE, TOKEN = "https://sre.example.org", "twilio-token"


@pytest.fixture(autouse=True)
def _twilio(settings: Any, portal: Portal) -> None:
    """A portal that Twilio can reach, whose people have telephones and nothing else."""
    settings.PORTAL_URL, settings.TWILIO_AUTH_TOKEN = HERE, TOKEN
    for name, person in portal.people.items():
        person.contact_methods.update(kind=Kind.SMS, label=f"{name}'s telephone")


def tell(address: str, *, token: str = TOKEN, signed: str = "", **fields: Any) -> HttpResponse:
    """Post a form as Twilio does; `signed` is the address that it signs, if another."""
    signature = signature_of(token, signed or address, fields.items())
    answer: Any = Client().post(
        address.removeprefix(HERE),
        urlencode(fields),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signature},
    )
    return answer  # type: ignore[no-any-return]


def last(portal: Portal) -> Message:
    """Return the message that was sent last."""
    return portal.post.sent[-1].message


def became(portal: Portal, word: str, **fields: Any) -> HttpResponse:
    """Tell what became of the last message."""
    sid = f"id-{len(portal.post.sent)}"
    return tell(last(portal).status_url, **{"MessageSid": sid, "MessageStatus": word, **fields})


def acts(act: str) -> list[str]:
    """Return what the timeline says of an act."""
    return list(TimelineEntry.objects.filter(act=act).values_list("text", flat=True))


@pytest.mark.parametrize("word", ["failed", "undelivered"])
def test_a_message_that_does_not_arrive_calls_the_next_level_at_once(
    portal: Portal, word: str
) -> None:
    portal.open_incident(severity="P0")
    portal.fast_forward(seconds=20)
    assert became(portal, word, ErrorCode="30003").status_code == 204
    page = portal.pages()[0]
    assert page.state == "failed"
    assert page.problem == f"Twilio says {word} (30003: the telephone is off or out of reach)."
    assert acts("page_failed") == [f"user:alice by sms: {page.problem}"]
    method = ContactMethod.objects.get(person=portal.people["alice"])
    assert (method.problem, method.failed_at is not None) == (page.problem, True)
    portal.settle()
    assert portal.paged() == [(0, "alice"), (0, "bob")]
    assert all(invariant.holds for invariant in check_invariants(now=portal.now))


@pytest.mark.parametrize("word", ["busy", "no-answer", "canceled", "failed"])
def test_so_does_a_call_that_nobody_takes(portal: Portal, word: str) -> None:
    """A line that is busy is a way that works all the same."""
    portal.open_incident(severity="P0")
    sid = {"CallSid": "id-1", "CallStatus": word}
    assert tell(last(portal).status_url, **sid).status_code == 204
    portal.settle()
    assert [page.target for page in portal.pages()] == ["user:alice", "user:bob"]
    method = ContactMethod.objects.get(person=portal.people["alice"])
    assert (method.failed_at is not None) is (word == "failed")


def test_where_no_message_arrives_the_fallback_contact_is_called(portal: Portal) -> None:
    eve = portal.add_person("eve")
    FallbackContact.objects.create(person=eve)
    portal.policy.levels.filter(number__gt=1).delete()
    portal.open_incident(severity="P2")
    became(portal, "undelivered")
    portal.settle()
    assert [page.target for page in portal.pages()] == ["user:alice", "user:eve"]


def test_what_arrived_is_written_down_once_and_stays_so(portal: Portal) -> None:
    portal.open_incident(severity="P0")
    for word in ("queued", "sent", "delivered", "delivered", "undelivered"):
        assert became(portal, word).status_code == 204
    assert acts("page_delivered") == ["user:alice by sms."]
    assert portal.pages()[0].state == "sent"
    assert not acts("page_failed")


def test_what_failed_is_not_delivered_any_more(portal: Portal) -> None:
    portal.open_incident(severity="P0")
    for word in ("undelivered", "undelivered", "delivered"):
        became(portal, word)
    assert len(acts("page_failed")) == 1
    assert not acts("page_delivered")


def test_all_incidents_of_a_message_are_told(portal: Portal, settings: Any) -> None:
    settings.PAGE_EVERY_S = 60
    portal.policy.levels.filter(number__gt=1).delete()
    for number in range(4):
        portal.open_incident(f"incident {number}", severity="P1")
    portal.fast_forward(seconds=60)
    assert last(portal).subject.startswith("3 incidents")
    became(portal, "delivered")
    told = TimelineEntry.objects.filter(act="page_delivered").values_list("incident", flat=True)
    assert len(set(told)) == 3


def test_after_an_acknowledgement_nobody_is_called_for_it(portal: Portal) -> None:
    incident = portal.open_incident(severity="P0")
    lifecycle.acknowledge(incident.pk, now=portal.now, actor="test")
    became(portal, "undelivered")
    portal.fast_forward(minutes=30)
    assert [page.target for page in portal.pages()] == ["user:alice"]


@pytest.mark.parametrize(
    ("there", "elsewhere"), [("", ""), ("/status/", "/status/9"), ("/1", "/2")]
)
def test_what_is_about_another_message_changes_nothing(
    portal: Portal, there: str, elsewhere: str
) -> None:
    """Another incident, another try, or a message with another id."""
    portal.open_incident(severity="P0")
    before, found, tail = last(portal).status_url.rpartition(there or "/")
    said = {"MessageSid": "id-1" if there else "id-9", "MessageStatus": "undelivered"}
    address = f"{before}{elsewhere or found}{tail}"
    assert tell(address, **said).status_code == 204
    assert portal.pages()[0].state == "sent"


def test_a_report_that_is_too_early_is_asked_for_again(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twilio, "_LOOK_EVERY_S", 0)
    portal.open_incident(severity="P0")
    Page.objects.update(state="sending")
    assert became(portal, "undelivered").status_code == 503
    Page.objects.update(state="sent")
    assert became(portal, "undelivered").status_code == 204


def test_only_twilio_is_believed(portal: Portal, settings: Any) -> None:
    portal.open_incident(severity="P0")
    address, said = last(portal).status_url, {"MessageSid": "id-1", "MessageStatus": "failed"}
    for wrong in ({"token": "other"}, {"signed": f"{HERE}/elsewhere"}):
        assert tell(address, **wrong, **said).status_code == 401
    path = address.removeprefix(HERE)
    assert Client().post(path, said).status_code == 401
    for body in (b"\xff", b"&".join([b"a=b"] * 300)):
        answer = Client().post(path, body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 400
    assert Client().get(path).status_code == 405
    settings.TWILIO_AUTH_TOKEN = ""
    assert tell(address, token="", **said).status_code == 401
    assert portal.pages()[0].state == "sent"


def test_messages_and_calls_name_where_they_are_reported(portal: Portal, settings: Any) -> None:
    """Twilio refuses addresses of this machine, so without HTTPS it is given none."""
    portal.open_incident(severity="P0")
    said = TextMessage().requests(last(portal), "+441234567890")[0]
    assert said["StatusCallback"] == last(portal).status_url
    called = VoiceCall().requests(last(portal), "+441234567890")[0]
    assert called["StatusCallback"] == last(portal).status_url
    assert "Press 1 to acknowledge." in called["Twiml"]
    settings.PORTAL_URL = "http://127.0.0.1:8000"
    portal.open_incident("Disk full", severity="P0")
    called = VoiceCall().requests(last(portal), "+441234567890")[0]
    assert "StatusCallback" not in called
    assert "Gather" not in called["Twiml"]


def press(portal: Portal, digits: str = "1") -> str:
    """Press a key in the call of the last message; returns what is said then."""
    twiml = ET.fromstring(VoiceCall().requests(last(portal), "+441234567890")[0]["Twiml"])
    gather = twiml[0]
    assert (gather.tag, gather.get("numDigits")) == ("Gather", "1")
    answer = tell(gather.get("action", ""), CallSid="CA1", Digits=digits)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/xml")
    return "".join(ET.fromstring(answer.content.decode()).itertext())


def test_a_key_acknowledges_for_whom_was_called(portal: Portal) -> None:
    incident = portal.open_incident(severity="P0")
    assert press(portal) == "Acknowledged. Thank you."
    incident.refresh_from_db()
    assert (incident.status, incident.acknowledged_by) == ("acknowledged", "alice")
    portal.fast_forward(minutes=30)
    assert [page.target for page in portal.pages()] == ["user:alice"]


def test_another_key_asks_again(portal: Portal) -> None:
    incident = portal.open_incident(severity="P0")
    assert press(portal, "2") == "Press 1 to acknowledge."
    incident.refresh_from_db()
    assert incident.status == "triggered"


def test_whoever_is_second_hears_who_has_it(portal: Portal) -> None:
    incident = portal.open_incident(severity="P0")
    bob = portal.people["bob"]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=bob, person=bob)
    assert press(portal) == "bob has it already. Thank you."


def test_one_of_several_answers_is_told_so(portal: Portal) -> None:
    portal.policy.levels.filter(number=1).update(acknowledgements=2)
    portal.open_incident(severity="P0")
    assert press(portal).endswith("Calling goes on. Thank you.")


def test_what_is_over_stays_over(portal: Portal) -> None:
    incident = portal.open_incident(severity="P0")
    lifecycle.resolve(incident.pk, now=portal.now, actor="test")
    assert press(portal) == "It is over. Thank you."
    incident.refresh_from_db()
    assert incident.status == "resolved"


def test_a_call_about_what_was_merged_names_what_goes_on(portal: Portal) -> None:
    other, incident = (portal.open_incident(title, severity="P0") for title in ("One", "Other"))
    merging.merge(incident.pk, into=other.pk, now=portal.now, actor="test")
    assert press(portal) == f"It was merged into incident {other.pk}. Open the portal instead."


def test_an_old_call_answers_nothing_new(portal: Portal) -> None:
    incident = portal.open_incident(severity="P0")
    lifecycle.resolve(incident.pk, now=portal.now, actor="test")
    lifecycle.reopen(incident.pk, now=portal.now + timedelta(minutes=1), actor="test")
    assert "called anew" in press(portal)
    incident.refresh_from_db()
    assert incident.status == "triggered"


def test_a_key_is_believed_of_twilio_and_for_our_own_calls_only(portal: Portal) -> None:
    incident = portal.open_incident(severity="P0")
    address = last(portal).answer_url
    assert tell(address, token="other", Digits="1").status_code == 401
    answer = tell(f"{address[:-2]}xx", Digits="1")
    assert b"too old" in answer.content
    portal.people["alice"].is_active = False
    portal.people["alice"].save()
    assert b"no such incident" in tell(address, Digits="1").content
    incident.refresh_from_db()
    assert incident.status == "triggered"
