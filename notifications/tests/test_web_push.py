"""Web push as RFC 8291 and 8292 have it: only the browser reads it, and it knows who sent it."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from py_vapid import Vapid02

from accounts.tests.cast import PASSWORD, person
from core import encryption, http_client
from core.errors import Unavailable
from core.http_client import Response
from notifications.domain.kinds import Kind, address_problem, masked
from notifications.domain.messages import Message
from notifications.domain.web_push import private_key, public_text, read_subscription
from notifications.models import ContactMethod
from notifications.services.trials import try_method
from notifications.transports import Recipient, TransportFailed, transport_for

ENDPOINT = "https://push.example.com/send/abc"
MESSAGE = Message("k" * 64, "P0 #1 5xx", "All of it", "https://p/i/1", "https://p/i/1/ack/x/")


def text_of(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Browser:
    """One that subscribed."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = b"a" * 16

    @property
    def subscription(self) -> str:
        point = self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        keys = {"p256dh": text_of(point), "auth": text_of(self.auth)}
        return json.dumps({"endpoint": ENDPOINT, "expirationTime": None, "keys": keys})

    def read(self, body: bytes) -> dict[str, Any]:
        plain = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth)
        return dict(json.loads(plain))


class Service:
    """The browser's push service."""

    def __init__(self) -> None:
        self.status, self.headers = 201, {"location": "https://push.example.com/m/id-1"}
        self.asked: list[dict[str, Any]] = []

    def request(self, url: str, **asked: Any) -> Response:
        self.asked.append({"url": url, **asked})
        return Response(self.status, self.headers, b"", 1.0)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    found = Service()
    monkeypatch.setattr(http_client, "request", found.request)
    monkeypatch.setattr(http_client, "check_address", lambda *_a, **_k: "")
    return found


def test_only_the_browser_reads_it_and_it_is_signed_for_its_service(service: Service) -> None:
    browser, key = Browser(), private_key("pepper")
    sent = transport_for(Kind.WEB_PUSH).send(MESSAGE, Recipient(browser.subscription, key))
    assert sent == "id-1"
    (asked,) = service.asked
    assert asked["url"] == ENDPOINT
    assert browser.read(asked["content"]) == {
        "title": "P0 #1 5xx",
        "body": "All of it",
        "url": "https://p/i/1",
        "acknowledge_url": "https://p/i/1/ack/x/",
        "key": "k" * 64,
    }
    assert b"5xx" not in asked["content"]
    headers = asked["headers"]
    assert headers["Content-Encoding"] == "aes128gcm"
    assert headers["Urgency"] == "high"
    assert headers["Topic"] == "k" * 32
    assert int(headers["TTL"]) > 0
    assert Vapid02.verify(headers["Authorization"])
    token, known = headers["Authorization"].removeprefix("vapid t=").split(",k=")
    claims = token.split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert said["aud"] == "https://push.example.com"
    assert said["sub"].startswith("mailto:")
    assert known == public_text(key)


@pytest.mark.parametrize(
    ("status", "is_final", "word"),
    [(410, True, "add it again"), (404, True, "add it again"), (403, True, "403"), (429, False, "429"),
     (500, False, "500")],
)  # fmt: skip
def test_what_a_service_refuses(service: Service, status: int, is_final: bool, word: str) -> None:
    """A browser that has gone is gone for good; a service that broke may have taken it."""
    service.status = status
    to = Recipient(Browser().subscription, private_key("pepper"))
    with pytest.raises(TransportFailed, match=word) as caught:
        transport_for(Kind.WEB_PUSH).send(MESSAGE, to)
    assert caught.value.is_final is is_final
    assert caught.value.is_gone is (status in {404, 410})
    assert caught.value.is_uncertain is (status == 500)


@pytest.mark.parametrize(
    ("urgencies", "said"),
    [([], "high"), (["high"], "high"), (["low"], "normal"), (["low", "high"], "high")],
)
def test_what_can_wait_wakes_no_device(service: Service, urgencies: list[str], said: str) -> None:
    """RFC 8030, 5.3: a device that saves its battery is woken for what is high alone."""
    facts = {"pages": [{"urgency": urgency} for urgency in urgencies]}
    to = Recipient(Browser().subscription, private_key("pepper"))
    transport_for(Kind.WEB_PUSH).send(Message("k" * 64, "P3 #1 Disk", facts=facts), to)
    assert service.asked[0]["headers"]["Urgency"] == said


def test_long_texts_fit_into_what_services_take(service: Service) -> None:
    long = Message("k" * 64, "🔥" * 500, "🔥" * 20_000, "https://p/" + "x" * 200)
    transport_for(Kind.WEB_PUSH).send(long, Recipient(Browser().subscription, private_key("p")))
    assert len(service.asked[0]["content"]) <= 4096


@pytest.mark.parametrize(
    "given",
    ["", "x", "[]", "{}", '{"endpoint": "https://x"}', '{"endpoint": 7, "keys": {"a": 1}}',
     '{"endpoint": "http://x", "keys": {"p256dh": "AA", "auth": "AA"}}',
     '{"endpoint": "https://x", "keys": {"p256dh": "AA", "auth": "é"}}', "[" * 100_000],
)  # fmt: skip
def test_what_is_no_subscription_is_refused_in_words(given: str) -> None:
    assert address_problem(Kind.WEB_PUSH, given)
    with pytest.raises(ValueError, match=r"."):
        read_subscription(given)


def test_keys_are_the_same_for_the_same_secret_and_others_for_another() -> None:
    assert private_key("a") == private_key("a") != private_key("b")
    assert len(base64.urlsafe_b64decode(public_text(private_key("a")) + "=")) == 65


@pytest.mark.django_db
def test_a_browser_that_has_gone_is_switched_off_by_a_test_too(service: Service) -> None:
    alice = person("alice")
    method = ContactMethod.objects.create(
        person=alice,
        kind=Kind.WEB_PUSH,
        label="Firefox",
        sealed_address=encryption.encrypt(Browser().subscription),
        sealed_secret=encryption.encrypt(private_key("pepper")),
        verified_at=datetime(2026, 3, 2, tzinfo=UTC),
    )
    service.status = 410
    with pytest.raises(Unavailable, match="add it again"):
        try_method(method, now=datetime(2026, 3, 2, 3, tzinfo=UTC))
    method.refresh_from_db()
    assert not method.is_usable
    assert "add it again" in method.problem


@pytest.mark.django_db
def test_a_browser_adds_itself_and_counts_once_its_code_was_entered(service: Service) -> None:
    alice, client, browser = person("alice"), Client(), Browser()
    client.login(username="alice", password=PASSWORD)
    page = client.get("/contact/").content.decode()
    assert "Add this browser" in page
    said = {"subscription": browser.subscription, "label": "Firefox on Linux"}
    client.post("/contact/browser/", said)
    method = ContactMethod.objects.get(person=alice)
    assert (method.kind, method.label, method.is_usable) == ("web_push", "Firefox on Linux", False)
    assert ENDPOINT not in method.sealed_address
    assert masked(Kind.WEB_PUSH, method.address) == "by push.example.com"
    code = browser.read(service.asked[0]["content"])["title"].split()[1]
    client.post(f"/contact/{method.pk}/verify/", {"code": code})
    method.refresh_from_db()
    assert method.is_usable
    assert "by push.example.com" in client.get("/contact/").content.decode()
    client.post("/contact/browser/", {"subscription": "rubbish"})
    assert ContactMethod.objects.count() == 1


def test_the_worker_is_a_script_for_everybody(client: Client) -> None:
    answer = client.get("/contact/worker.js")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/javascript"
    assert b"showNotification" in answer.content
