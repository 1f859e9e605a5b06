"""What an answer other than yes means for a message: to be sent again, for good, or in doubt."""

import json
from datetime import timedelta
from typing import Any

import pytest

from core import http_client
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message
from notifications.transports import Recipient, TransportFailed, transport_for

MESSAGE = Message("k" * 64, "P0 #1 5xx", "All of it", "https://p/i/1", "https://p/i/1/ack/x/")
NUMBER = "+4915122222222"
ADDRESSES = {
    Kind.WEBHOOK: "https://hooks.example.com/x",
    Kind.SMS: NUMBER,
    Kind.VOICE: NUMBER,
    Kind.SLACK: "U024BE7LH",
}


class Provider:
    """Answers instead of the network, and keeps what it was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 200, b"{}", {}  # type: ignore[var-annotated]
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, url: str, **asked: Any) -> http_client.Response:
        self.asked.append((url, asked))
        return http_client.Response(self.status, self.headers, self.body, 1.0)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Provider:
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC1", "secret"
    settings.TWILIO_FROM, settings.TWILIO_URL = "+15005550006", "https://api.twilio.com"
    settings.SLACK_BOT_TOKEN, settings.SLACK_API_URL = "xoxb-1", "https://slack.com/api"
    found = Provider()
    monkeypatch.setattr(http_client, "request", found)
    return found


def send(kind: Kind) -> str:
    """Send the message."""
    return transport_for(kind).send(MESSAGE, Recipient(ADDRESSES[kind]))


def failure(kind: Kind) -> TransportFailed:
    """Return how it fails, which it must."""
    with pytest.raises(TransportFailed) as caught:
        send(kind)
    return caught.value


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize(
    ("status", "is_uncertain"), [(500, True), (502, True), (504, True), (503, False), (429, False)]
)
def test_a_server_that_broke_may_have_taken_it(
    provider: Provider, kind: Kind, status: int, is_uncertain: bool
) -> None:
    """So may one behind a gateway that gave up; one that is unavailable, or is asked too often, has not."""
    provider.status, provider.body = status, b"<html>"
    error = failure(kind)
    assert error.is_uncertain is is_uncertain
    assert not error.is_final


@pytest.mark.parametrize(
    ("status", "is_final"), [(410, True), (404, True), (429, False), (500, False)]
)
def test_what_a_webhook_refuses_for_good_is_not_tried_again(
    provider: Provider, status: int, is_final: bool
) -> None:
    provider.status = status
    assert failure(Kind.WEBHOOK).is_final is is_final


def test_lost_answers_are_uncertain_and_refused_connections_are_not() -> None:
    lost = TransportFailed.of(http_client.TimedOut("The time limit passed.", sent=True))
    closed = TransportFailed.of(http_client.Unreachable("No connection: connection refused."))
    refused = TransportFailed.of(http_client.Refused("Not asked.", ours=True))
    assert (lost.is_uncertain, closed.is_uncertain, refused.is_uncertain) == (True, False, False)


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("said", "seconds"),
    [("45", 45), ("1.5", 1), ("", 0), ("soon", 0), ("²", 0), ("9" * 20, 0), ("-1", 0)],
)
def test_whoever_asks_to_be_left_alone_says_how_long(
    provider: Provider, kind: Kind, status: int, said: str, seconds: int
) -> None:
    provider.status, provider.headers = status, {"retry-after": said}
    assert failure(kind).retry_after == timedelta(seconds=seconds)


def test_twilio_is_asked_as_documented(provider: Provider) -> None:
    provider.status, provider.body = 201, b'{"sid": "SM1", "status": "queued"}'
    assert send(Kind.SMS) == "SM1"
    assert send(Kind.VOICE) == "SM1"
    (text, said), (call, told) = provider.asked
    assert text == "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json"
    assert call == "https://api.twilio.com/2010-04-01/Accounts/AC1/Calls.json"
    assert b"To=%2B4915122222222&From=%2B15005550006&Body=P0" in said["content"]
    assert b"Twiml=%3CResponse" in told["content"]


@pytest.mark.parametrize("kind", [Kind.SMS, Kind.VOICE])
@pytest.mark.parametrize(
    "body",
    [
        b"<html>proxy login</html>",
        b"{}",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        b'{"sid": 7}',
        b'{"sid": ""}',
        b'{"sid": "x y"}',
    ],
)
def test_a_yes_without_an_id_is_in_doubt(provider: Provider, kind: Kind, body: bytes) -> None:
    """A proxy that wants somebody to log in answers 200 as well."""
    provider.body = body
    error = failure(kind)
    assert error.is_uncertain
    assert not error.is_final


@pytest.mark.parametrize("status", ["failed", "undelivered", "canceled", "busy", "no-answer"])
def test_what_failed_as_it_was_taken_was_not_sent(provider: Provider, status: str) -> None:
    said = {"sid": "SM1", "status": status, "error_code": 30003}
    provider.status, provider.body = 201, json.dumps(said).encode()
    error = failure(Kind.SMS)
    assert status in str(error)
    assert "30003: the telephone is off or out of reach" in str(error)
    assert not error.is_uncertain


@pytest.mark.parametrize(
    ("code", "words"),
    [(21211, "no telephone number"), (21408, "that country"), (99999, "(99999)"), (NUMBER, "400.")],
)
def test_twilios_reasons_are_told_in_our_words(provider: Provider, code: Any, words: str) -> None:
    """Its own have the receiver's number in them, which is nobody else's business."""
    said = {"code": code, "message": f"The 'To' number {NUMBER} is not a valid phone number."}
    provider.status, provider.body = 400, json.dumps(said).encode()
    error = failure(Kind.SMS)
    assert error.is_final
    assert words in str(error)
    assert NUMBER not in str(error)


@pytest.mark.parametrize(
    ("word", "is_final", "is_uncertain"),
    [
        ("channel_not_found", True, False),
        ("ratelimited", False, False),
        ("service_unavailable", False, False),
        ("fatal_error", False, True),
        ("internal_error", False, True),
        ("request_timeout", False, True),
    ],
)
def test_what_slacks_words_mean(
    provider: Provider, word: str, is_final: bool, is_uncertain: bool
) -> None:
    """Of an error of its own Slack says that some of it may have been done."""
    provider.body = json.dumps({"ok": False, "error": word}).encode()
    error = failure(Kind.SLACK)
    assert word in str(error)
    assert (error.is_final, error.is_uncertain) == (is_final, is_uncertain)


def test_what_slack_would_not_say_is_not_repeated(provider: Provider) -> None:
    provider.body = json.dumps({"ok": False, "error": f"Nobody has {NUMBER}"}).encode()
    assert NUMBER not in str(failure(Kind.SLACK))


@pytest.mark.parametrize("body", [b"<html>proxy login</html>", b"[]", b"7"])
def test_a_yes_that_is_not_slacks_is_in_doubt(provider: Provider, body: bytes) -> None:
    provider.body = body
    assert failure(Kind.SLACK).is_uncertain
