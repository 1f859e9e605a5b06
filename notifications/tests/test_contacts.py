"""How people are reached: what counts, and what each transport hands over."""

import base64
import hmac
import json
import re
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from accounts.models import User
from accounts.tests.cast import PASSWORD, person
from core import encryption, http_client
from core.errors import Conflict, Unavailable
from notifications.domain.kinds import Kind, address_problem, masked, normalized
from notifications.domain.messages import Message
from notifications.models import ContactMethod, NotificationRule, QuietHours
from notifications.queries.rules import plan_for
from notifications.services import trials
from notifications.transports import Recipient, TransportFailed, transport_for

NIGHT = datetime(2026, 3, 2, 3, tzinfo=UTC)
MESSAGE = Message("k" * 64, "P0 #1 5xx", "All of it", "https://p/i/1", "https://p/i/1/ack/x/")


@pytest.fixture
def alice(db: None) -> User:
    return person("alice")


def method_of(who: User, kind: Kind = Kind.EMAIL, **values: Any) -> ContactMethod:
    address = {Kind.EMAIL: "alice@example.com", Kind.WEBHOOK: "https://hooks.example.com/x"}
    return ContactMethod.objects.create(
        **{
            "person": who,
            "kind": kind,
            "label": "mine",
            "sealed_address": encryption.encrypt(address.get(kind, "+442079460018")),
            "verified_at": NIGHT,
            **values,
        }
    )


@pytest.mark.parametrize(
    ("kind", "given", "problem", "shown"),
    [
        (Kind.EMAIL, " ada@example.com ", False, "a…@example.com"),
        (Kind.EMAIL, "ada@", True, ""),
        (Kind.SMS, "+44 20 7946-0018", False, "+44…18"),
        (Kind.SMS, "02079460018", True, ""),
        (Kind.WEBHOOK, "https://hooks.example.com/secret", False, "https://hooks.example.com/…"),
        (Kind.WEBHOOK, "javascript:alert(1)", True, ""),
    ],
)
def test_addresses(kind: Kind, given: str, problem: bool, shown: str) -> None:
    """Each kind has its own, and lists show too little of it to use."""
    address = normalized(kind, given)
    assert bool(address_problem(kind, address)) is problem
    if not problem:
        assert masked(kind, address) == shown


def test_a_method_counts_once_its_code_was_entered(alice: User, client: Client) -> None:
    """From the page: added, a wrong code, the right one, a test, switched off, removed."""
    client.login(username="alice", password=PASSWORD)
    page = client.get("/contact/").content.decode()
    assert "Nobody can call you" in page
    said = {"kind": "email", "address": "alice@example.com", "label": ""}
    client.post("/contact/", said)
    method = ContactMethod.objects.get()
    assert not method.is_usable
    assert "alice@example.com" not in method.sealed_address
    code = re.findall(r"\b\d{6}\b", str(mail.outbox[-1].subject))[0]
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    answer = client.post(f"/contact/{method.pk}/verify/", {"code": wrong}, follow=True)
    assert "not the code" in answer.content.decode()
    client.post(f"/contact/{method.pk}/verify/", {"code": code})
    method.refresh_from_db()
    assert method.is_usable
    client.post(f"/contact/{method.pk}/test/")
    assert mail.outbox[-1].subject == "Test from the SRE portal"
    client.post("/contact/rules/", {"urgency": "high", "method": method.pk, "minutes": "5"})
    assert NotificationRule.objects.get().delay == timedelta(minutes=5)
    client.post(f"/contact/{method.pk}/switch/")
    method.refresh_from_db()
    assert not method.is_usable
    client.post(f"/contact/{method.pk}/remove/")
    assert not ContactMethod.objects.exists()


def test_others_methods_do_not_exist(alice: User, client: Client) -> None:
    method = method_of(person("bob"))
    client.login(username="alice", password=PASSWORD)
    for action in ("test", "remove", "switch", "verify", "code"):
        assert client.post(f"/contact/{method.pk}/{action}/").status_code == 404


def test_codes_run_out(alice: User) -> None:
    """Five wrong ones, or a quarter of an hour."""
    method = method_of(alice, verified_at=None)
    trials.send_code(method, now=NIGHT)
    with pytest.raises(Conflict, match="just now"):
        trials.send_code(method, now=NIGHT)
    for _ in range(5):
        assert trials.verify(method, "x", actor=alice, now=NIGHT) is False
    with pytest.raises(Conflict, match="Too many"):
        trials.verify(method, "x", actor=alice, now=NIGHT)
    with pytest.raises(Conflict, match="too old"):
        trials.verify(method, "x", actor=alice, now=NIGHT + timedelta(minutes=15))


def test_a_plan_follows_rules_and_falls_back_to_all_that_works(alice: User) -> None:
    """A rule to a method that is off leaves the others: silence would be the worst answer."""
    phone, email = method_of(alice, Kind.SMS), method_of(alice)
    NotificationRule.objects.create(person=alice, urgency="high", method=email)
    late = NotificationRule.objects.create(
        person=alice, urgency="high", method=phone, delay=timedelta(minutes=5)
    )
    plan = plan_for(alice, "high", NIGHT)
    assert [(p.method, p.at) for p in plan] == [(email, NIGHT), (phone, NIGHT + late.delay)]
    ContactMethod.objects.filter(pk=email.pk).update(is_enabled=False)
    NotificationRule.objects.filter(pk=late.pk).delete()
    assert [(p.method, p.at) for p in plan_for(alice, "high", NIGHT)] == [(phone, NIGHT)]
    ContactMethod.objects.all().update(verified_at=None)
    assert plan_for(alice, "high", NIGHT) == []


def test_quiet_hours_put_off_what_can_wait(alice: User) -> None:
    """22 to 7 by the person's own clock; what wakes people is not put off."""
    alice.timezone = "Europe/London"
    alice.save()
    method_of(alice)
    QuietHours.objects.create(person=alice)
    (planned,) = plan_for(alice, "low", NIGHT)
    assert planned.at == datetime(2026, 3, 2, 7, tzinfo=UTC)
    summer = datetime(2026, 6, 1, 22, 30, tzinfo=UTC)
    (planned,) = plan_for(alice, "low", summer)
    assert planned.at == datetime(2026, 6, 2, 6, tzinfo=UTC)
    (planned,) = plan_for(alice, "high", NIGHT)
    assert planned.at == NIGHT


@pytest.mark.parametrize(
    ("called", "expected"),
    [
        ((21, 0), [(1, 21, 0), (1, 21, 30), (2, 7, 0)]),
        # Two of them would come at the same moment by the same way: one is enough.
        ((21, 45), [(1, 21, 45), (2, 7, 0)]),
        # Who is called in the night is called at seven: the rest follows from then on.
        ((23, 0), [(2, 7, 0), (2, 7, 30), (2, 9, 0)]),
        ((6, 59), [(1, 7, 0), (1, 7, 30), (1, 9, 0)]),
        ((7, 0), [(1, 7, 0), (1, 7, 30), (1, 9, 0)]),
    ],
)
def test_quiet_hours_are_looked_at_for_the_time_of_each_message(
    alice: User, called: tuple[int, int], expected: list[tuple[int, int, int]]
) -> None:
    """A message that comes later by its rule leaves them alone as one does that comes at once."""
    method = method_of(alice)
    QuietHours.objects.create(person=alice)
    for minutes in (0, 30, 120):
        delay = timedelta(minutes=minutes)
        NotificationRule.objects.create(person=alice, urgency="low", method=method, delay=delay)
    plan = plan_for(alice, "low", datetime(2026, 3, 1, *called, tzinfo=UTC))
    assert [planned.at for planned in plan] == [
        datetime(2026, 3, *day_and_time, tzinfo=UTC) for day_and_time in expected
    ]


@pytest.mark.parametrize(
    ("ends", "called_at", "goes_out_at"),
    [
        # Half past two comes twice in the night of 25 October, and is skipped in that of 29 March.
        ("02:30", "2026-10-25T00:15:00Z", "2026-10-25T00:30:00Z"),
        ("02:30", "2026-10-25T01:15:00Z", "2026-10-25T01:30:00Z"),
        ("02:30", "2026-03-29T00:15:00Z", "2026-03-29T01:00:00Z"),
        ("07:00", "2026-10-25T01:15:00Z", "2026-10-25T06:00:00Z"),
    ],
)
def test_quiet_hours_follow_the_clock_where_it_changes(
    alice: User, ends: str, called_at: str, goes_out_at: str
) -> None:
    """Nothing goes out before it was asked for, nor while the clock shows them once more."""
    alice.timezone = "Europe/Berlin"
    QuietHours.objects.create(person=alice, begins=time(22), ends=time.fromisoformat(ends))
    method_of(alice)
    (planned,) = plan_for(alice, "low", datetime.fromisoformat(called_at))
    assert planned.at == datetime.fromisoformat(goes_out_at)


class Provider:
    """Answers instead of the network, and keeps what it was asked."""

    def __init__(self, status: int = 200, body: bytes = b"{}") -> None:
        self.status, self.body = status, body
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, url: str, **asked: Any) -> http_client.Response:
        self.asked.append((url, asked))
        return http_client.Response(self.status, {}, self.body, 1.0)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    found = Provider()
    monkeypatch.setattr(http_client, "request", found)
    return found


def test_a_webhook_is_signed_and_carries_the_key(provider: Provider) -> None:
    secret = "whsec_" + base64.b64encode(b"s" * 24).decode()
    transport_for(Kind.WEBHOOK).send(MESSAGE, Recipient("https://hooks.example.com/x", secret))
    ((url, asked),) = provider.asked
    headers, body = asked["headers"], asked["content"]
    assert url == "https://hooks.example.com/x"
    assert headers["webhook-id"] == headers["Idempotency-Key"] == MESSAGE.key
    signed = f"{MESSAGE.key}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.digest(b"s" * 24, signed, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    assert json.loads(body)["acknowledge_url"] == MESSAGE.act_url


def test_a_provider_that_is_not_configured_says_so(alice: User) -> None:
    method = method_of(alice, Kind.SMS)
    with pytest.raises(Unavailable, match="No Twilio account is configured"):
        trials.try_method(method, now=NIGHT)
    method.refresh_from_db()
    assert method.problem == "No Twilio account is configured."


def test_email_has_one_id_for_one_page() -> None:
    first = transport_for(Kind.EMAIL).send(MESSAGE, Recipient("alice@example.com"))
    again = transport_for(Kind.EMAIL).send(MESSAGE, Recipient("alice@example.com"))
    assert first == again
    assert mail.outbox[0].extra_headers["Message-ID"] == first
    assert "Acknowledge: https://p/i/1/ack/x/" in str(mail.outbox[0].body)


@pytest.mark.parametrize(
    "address",
    ["json://10.0.0.1/", "syslog://", "ntfy://10.0.0.1/topic", "gotify://169.254.169.254/x"],
)
def test_push_services_reach_people_and_nothing_else(address: str) -> None:
    with pytest.raises(TransportFailed) as caught:
        transport_for(Kind.APPRISE).send(MESSAGE, Recipient(address))
    assert not caught.value.is_uncertain


@pytest.mark.parametrize(
    ("kind", "address", "problem"),
    [
        (Kind.SLACK, "U024BE7LH", False),
        (Kind.SLACK, "#general", True),
        (Kind.APPRISE, "ntfy://topic", False),
        (Kind.APPRISE, "json://example.org", True),
        (Kind.APPRISE, "tgram://", True),
    ],
)
def test_addresses_of_chats(kind: Kind, address: str, problem: bool) -> None:
    assert bool(address_problem(kind, address)) is problem
    if not problem:
        assert address not in masked(kind, address)
