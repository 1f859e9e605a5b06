"""A digest names every incident, whichever way it goes, and is no longer than that way can carry."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import apprise
import pytest
from django.core import mail
from hypothesis import given
from hypothesis import strategies as st

from core import http_client
from core.http_client import Response
from notifications.domain.digests import Entry, as_many, in_full, joined, told
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message, utf16_length
from notifications.domain.web_push import private_key
from notifications.tests.test_web_push import Browser
from notifications.transports import Recipient, TransportFailed, transport_for

PORTAL = "https://portal.example.com"
BROWSER = Browser()
# Services of Apprise that take much, some and little, and with and without a title.
PUSH = {
    "gotify": "gotify://localhost/token0123456789",
    "ntfy": "ntfy://localhost/topic",
    "pover": "pover://uuuuuuuuuuuuuuuuuuuuuuuuuuuuuu@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "tgram": "tgram://123456789:abcdefghijklmnopqrstuvwxyz012345678/123",
    "discord": "discord://123456789012345678/abcdefghijklmnopqrstuvwxyz0123456789",
    "rocket": "rocket://user:secret@localhost/#room",
}
WAYS = [*(str(kind) for kind in Kind if kind is not Kind.APPRISE), *PUSH]


def digest(numbers: list[int], title: str = "Checkout: 5xx über 5 % <b> & more") -> Message:
    """Return a digest as a storm makes it."""
    entries = tuple(
        Entry(
            number,
            f"P1 #{number} {title}",
            f"Acknowledge: {PORTAL}/i/{number}/ack/{'x' * 90}/",
        )
        for number in numbers
    )
    opened = "2026-03-02T12:00:00+00:00"
    pages = [{"incident": number, "cycle": 1, "opened_at": opened} for number in numbers]
    return Message(
        "k" * 64,
        f"{len(numbers)} incidents: {entries[0].line}",
        in_full(entries),
        f"{PORTAL}/incidents/",
        entries=entries,
        facts={"pages": pages},
    )


def numbers_in(texts: list[str]) -> set[int]:
    """Return the incidents that texts name, also as the first and last of a row."""
    found: set[int] = set()
    for first, last in re.findall(r"#(\d+)(?:\s+to\s+#(\d+))?", "\n".join(texts)):
        found.update(range(int(first), int(last or first) + 1))
    return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[dict[str, Any]]:
    """What providers are asked, who take all of it."""
    found: list[dict[str, Any]] = []

    def take(url: str, **said: Any) -> Response:
        found.append(said)
        return Response(200, {}, b'{"ok": true, "sid": "SM%d"}' % len(found), 1.0)

    monkeypatch.setattr(http_client, "request", take)
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC1", "secret"
    settings.TWILIO_FROM, settings.SLACK_BOT_TOKEN = "+15005550006", "xoxb-1"
    settings.EMBEDDED = True
    return found


def of_email(_asked: list[dict[str, Any]]) -> list[str]:
    return [str(mail.outbox[0].body)]


def of_webhook(asked: list[dict[str, Any]]) -> list[str]:
    return [json.loads(asked[0]["content"])["text"]]


def of_sms(asked: list[dict[str, Any]]) -> list[str]:
    found = [parse_qs(each["content"].decode())["Body"][0] for each in asked]
    assert max(map(utf16_length, found)) <= 1600
    assert found[-1].endswith(f"{PORTAL}/incidents/")
    return found


def of_voice(asked: list[dict[str, Any]]) -> list[str]:
    (each,) = asked
    (twiml,) = parse_qs(each["content"].decode())["Twiml"]
    assert utf16_length(twiml) <= 4000
    return [ET.fromstring(twiml)[0].text or ""]


def of_slack(asked: list[dict[str, Any]]) -> list[str]:
    found = []
    for each in asked:
        blocks = json.loads(each["content"])["blocks"]
        texts = [each["text"]["text"] for each in blocks if each["type"] == "section"]
        assert max(map(utf16_length, texts)) <= 3000
        assert len(blocks) <= 50
        # More than that of all of it is refused for good.
        assert len(json.dumps(blocks, ensure_ascii=False)) <= 12_000
        found += texts
    assert blocks[-1]["type"] == "actions"
    assert len(blocks[-1]["elements"]) <= 25
    return found


def of_web_push(asked: list[dict[str, Any]]) -> list[str]:
    assert len(asked[0]["content"]) <= 4096
    return [BROWSER.read(asked[0]["content"])["body"]]


READERS: dict[str, Callable[[list[dict[str, Any]]], list[str]]] = {
    "email": of_email,
    "webhook": of_webhook,
    "sms": of_sms,
    "voice": of_voice,
    "slack": of_slack,
    "web_push": of_web_push,
}
ADDRESSES = {
    "email": "alice@example.com",
    "webhook": "https://hooks.example.com/x",
    "slack": "U024BE7LH",
    "web_push": BROWSER.subscription,
}


def sent(
    message: Message, way: str, asked: list[dict[str, Any]], patch: pytest.MonkeyPatch
) -> list[str]:
    """Send a message one way; returns its texts."""
    if way in READERS:
        address = ADDRESSES.get(way, "+442079460018")
        secret = private_key("p") if way == "web_push" else ""
        transport_for(Kind(way)).send(message, Recipient(address, secret))
        return READERS[way](asked)
    found = []
    service: Any = apprise.Apprise.instantiate(PUSH[way])

    def take(_self: Any, body: str, title: str = "", **_said: Any) -> bool:
        assert len(body) <= service.body_maxlen
        assert len(title) <= max(service.title_maxlen, 0)
        found.append(body)
        return True

    patch.setattr(type(service), "send", take)
    transport_for(Kind.APPRISE).send(message, Recipient(PUSH[way]))
    return found


@pytest.mark.parametrize("step", [1, 2], ids=["in a row", "every other"])
@pytest.mark.parametrize("count", [30, 300])
@pytest.mark.parametrize("way", WAYS)
def test_a_digest_names_every_incident(
    asked: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    count: int,
    step: int,
) -> None:
    """Also in a storm of which only every other incident is this person's."""
    numbers = [100_000 + step * number for number in range(count)]
    texts = sent(digest(numbers), way, asked, monkeypatch)
    assert numbers_in(texts) >= set(numbers)


@pytest.mark.parametrize("count", [450, 1000, 2000])
@pytest.mark.parametrize("way", ["email", "webhook", "slack", "sms", "gotify"])
def test_a_digest_of_a_great_storm_names_every_incident(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, way: str, count: int
) -> None:
    """As many as one claim has, none in a row with another, also where that takes several messages."""
    numbers = [1_000_000 + 2 * number for number in range(count)]
    texts = sent(digest(numbers), way, asked, monkeypatch)
    assert numbers_in(texts) == set(numbers)
    assert not re.search(r"\d+ more", "\n".join(texts))


@pytest.mark.parametrize("way", ["sms", "gotify", "web_push", "email"])
def test_few_incidents_are_told_with_their_links(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    text = "\n".join(sent(digest([7, 9, 12]), way, asked, monkeypatch))
    assert re.findall(r"/i/(\d+)/ack/", text) == ["7", "9", "12"]
    assert text.count("Checkout: 5xx") >= 3


def test_slack_has_a_button_for_each_of_many_incidents(asked: list[dict[str, Any]]) -> None:
    transport_for(Kind.SLACK).send(digest([*range(1, 21)]), Recipient("U024BE7LH"))
    blocks = json.loads(asked[0]["content"])["blocks"]
    values = [each["value"] for each in blocks[-1]["elements"] if "value" in each]
    assert values == [f"{number}.1.1772452800" for number in range(1, 21)]


def test_several_text_messages_say_which_each_is(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = sent(digest([*range(100_000, 100_600, 2)]), "sms", asked, monkeypatch)
    assert [text[:6] for text in texts] == ["(1/2) ", "(2/2) "]
    assert "300 incidents:" in texts[0]


@pytest.mark.parametrize("way", [Kind.SMS, Kind.SLACK])
def test_a_digest_that_is_half_sent_may_have_arrived(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, way: Kind
) -> None:
    """So it is repeated as what may be the second, or not at all."""
    taken = Response(201, {}, b'{"ok": true, "sid": "SM1"}', 1.0)
    answers = [taken, Response(503, {}, b"{}", 1.0)]
    monkeypatch.setattr(http_client, "request", lambda *_a, **_k: answers.pop(0))
    with pytest.raises(TransportFailed) as caught:
        transport_for(way).send(digest([*range(100_000, 102_000, 2)]), Recipient("+442079460018"))
    assert caught.value.is_uncertain


def test_what_cannot_be_carried_at_all_says_how_many_more_there_are(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for way in ("web_push", "voice"):
        asked.clear()
        texts = sent(digest([*range(100_000, 104_000, 2)]), way, asked, monkeypatch)
        text = " ".join("\n".join(texts).split())
        named = len(numbers_in([text]))
        assert named > 300
        assert f"and {2000 - named} more" in text


ENTRIES = st.lists(st.integers(1, 10**7), min_size=2, max_size=60, unique=True).map(
    lambda numbers: tuple(Entry(n, f"P1 #{n} some title", "Open: https://p/") for n in numbers)
)


@given(ENTRIES, st.integers(0, 4000))
def test_a_telling_fits_or_is_the_numbers_alone(entries: tuple[Entry, ...], most: int) -> None:
    """And it names all of them, whatever there is room for."""
    text = told(entries, lambda each: len(each) <= most)
    assert len(text) <= most or text == joined(entries)
    assert numbers_in([text]) == {entry.number for entry in entries}


@given(ENTRIES, st.integers(40, 4000))
def test_numbers_that_are_cut_fit_and_count_the_others(
    entries: tuple[Entry, ...], most: int
) -> None:
    text = as_many(entries, lambda each: len(each) <= most)
    assert len(text) <= most
    more = re.search(r"and (\d+) more", text)
    left = int(more[1]) if more else 0
    assert len(numbers_in([text])) + left == len(entries)


def test_numbers_in_a_row_are_the_first_and_the_last() -> None:
    entries = [Entry(number, "") for number in (9, 3, 8, 7, 12, 13)]
    assert joined(entries) == "#3 #7 to #9 #12 #13"


def test_a_title_passes_for_no_other_incident() -> None:
    entry = Entry(1, "P1 #1 one\nP0 #9 two\x1b[1m", "Open:\nhttps://p/")
    assert in_full([entry]) == "P1 #1 one P0 #9 two[1m\nOpen: https://p/"
