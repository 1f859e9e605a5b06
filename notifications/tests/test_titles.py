"""Whatever stands in a title, the message gets through: what each way cannot carry is left out."""

import json
import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.core import mail
from hypothesis import given
from hypothesis import strategies as st

from core import http_client
from core.http_client import Response
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message
from notifications.domain.web_push import private_key
from notifications.tests.test_web_push import Browser
from notifications.transports import Recipient, VoiceCall, transport_for
from notifications.transports.slack import posts_of
from notifications.transports.web_push import payload_of

TITLES = [
    "Disk \x1b[31mfull\x0b now",
    "nul \x00 in it",
    "a & b <x> \"quoted\" 'too'",
    "two\r\nBcc: eve@example.com\nlines",
    "\u202eright to left\u200f עברית",
    "family 👨‍👩‍👧‍👦 🔥",
    "noncharacter \ufffe\uffff",
    "lone \ud800 surrogate",
    "x" * 10_000,
    "🔥" * 10_000,
    '"\\\n' * 3_000,
    "&" * 10_000,
    "",
]


def message(title: str, text: str = "All of it") -> Message:
    return Message("k" * 64, title, text, "https://p/i/1", f"https://p/i/1/ack/{'x' * 60}/")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[dict[str, Any]]:
    """What providers are asked, who take all of it."""
    found: list[dict[str, Any]] = []

    def take(url: str, **said: Any) -> Response:
        found.append(said)
        return Response(200, {}, b'{"ok": true, "sid": "SM1"}', 1.0)

    monkeypatch.setattr(http_client, "request", take)
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC1", "secret"
    settings.TWILIO_FROM, settings.SLACK_BOT_TOKEN = "+15005550006", "xoxb-1"
    return found


def test_a_message_is_one_line_and_words_without_controls() -> None:
    made = Message("k", "two\nlines \x1b[1m\x00", "one\r\n\ttwo\x00\x9b\n\nthree")
    assert (made.subject, made.text) == ("two lines [1m", "one\n\ttwo\n\nthree")


@pytest.mark.parametrize("title", TITLES)
def test_a_call_says_what_xml_can_hold(title: str) -> None:
    said = ET.fromstring(VoiceCall().contents(message(title))[0]["Twiml"])
    assert said[0].tag == "Say"
    assert (said[0].text or "").endswith("Open the portal to acknowledge.")


def test_a_call_keeps_the_words() -> None:
    said = ET.fromstring(VoiceCall().contents(message(TITLES[2]))[0]["Twiml"])
    assert (said[0].text or "").startswith(TITLES[2])


@pytest.mark.parametrize("title", TITLES)
def test_a_text_message_is_short_and_has_its_link(asked: list[dict[str, Any]], title: str) -> None:
    """Twilio takes 1,600 characters, and no NUL."""
    transport_for(Kind.SMS).send(message(title), Recipient("+442079460018"))
    (body,) = parse_qs(asked[0]["content"].decode())["Body"]
    assert len(body.encode("utf-16-le")) // 2 <= 1600
    assert body.endswith(message(title).act_url)
    assert "\x00" not in body


@pytest.mark.parametrize("title", TITLES)
def test_an_email_has_one_subject_and_no_other_headers(title: str) -> None:
    transport_for(Kind.EMAIL).send(message(title, title), Recipient("alice@example.com"))
    raw = mail.outbox[0].message().as_bytes()
    head = raw.partition(b"\n\n")[0]
    assert b"\nBcc:" not in head
    assert head.count(b"\nSubject: ") + head.startswith(b"Subject: ") == 1
    assert b"\x00" not in raw
    assert all(len(line) <= 998 for line in raw.splitlines())


@pytest.mark.parametrize("title", TITLES)
def test_slack_takes_blocks_of_3000_characters(asked: list[dict[str, Any]], title: str) -> None:
    transport_for(Kind.SLACK).send(message(title, title), Recipient("U024BE7LH"))
    said = json.loads(asked[0]["content"])
    text = said["blocks"][0]["text"]["text"]
    assert len(text.encode("utf-16-le")) // 2 <= 3000
    assert "<" not in text + said["text"]
    entities = ("&amp;", "&lt;", "&gt;")
    for entity in entities:
        text = text.replace(entity, "")
    assert "&" not in text


def test_slack_has_one_button_for_an_incident_that_calls_twice() -> None:
    """By their level and as the fallback contact: two equal action ids would be refused for good."""
    opened = "2026-03-02T12:00:00+00:00"
    pages = [
        {"incident": number, "cycle": cycle, "opened_at": opened}
        for number, cycle in ((7, 1), (7, 1), (8, 2))
    ]
    made = Message("k", "P0 #7", url="https://p/incidents/", facts={"pages": pages})
    elements = posts_of(made)[-1][-1]["elements"]
    assert [each["action_id"] for each in elements] == ["acknowledge-7", "acknowledge-8", "open"]


@pytest.mark.parametrize("title", TITLES)
def test_a_webhook_is_json(asked: list[dict[str, Any]], title: str) -> None:
    transport_for(Kind.WEBHOOK).send(message(title), Recipient("https://hooks.example.com/x"))
    assert json.loads(asked[0]["content"])["subject"] == message(title).subject


@pytest.mark.parametrize("title", TITLES)
def test_a_browser_gets_at_most_what_its_service_takes(
    asked: list[dict[str, Any]], title: str
) -> None:
    """4,096 bytes of all of it, encrypted: a bigger one is refused for good."""
    browser = Browser()
    to = Recipient(browser.subscription, private_key("p"))
    transport_for(Kind.WEB_PUSH).send(message(title, title * 2), to)
    body = asked[0]["content"]
    assert len(body) <= 4096
    said = browser.read(body)
    assert (said["url"], said["acknowledge_url"]) == (message("").url, message("").act_url)
    assert message(title).subject.startswith(said["title"])


@given(st.text(max_size=3000), st.text(max_size=3000))
def test_the_longest_beginning_that_fits_is_pushed(title: str, text: str) -> None:
    made = message(title, text)
    said = json.loads(payload_of(made))
    assert len(payload_of(made)) <= 3993
    assert made.heading.startswith(said["title"])
    assert made.text.startswith(said["body"])
