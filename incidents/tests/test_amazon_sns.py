"""CloudWatch by Amazon SNS: signatures verified, confirmations at its own address, any order."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest

from core import clock, http_client
from incidents.adapters import sns_signatures
from incidents.domain.formats import amazon_sns
from incidents.domain.formats.amazon_sns import signed_text
from incidents.domain.formats.context import Context
from incidents.models import Alert, InboundEvent, Incident
from incidents.services import intake
from incidents.tests import bodies
from incidents.tests.senders import Amazon, integration_of, post

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Amazon]:
    """The address of SNS answers with our own certificate and to confirmations."""
    maker = Amazon()
    sns_signatures._public_key.cache_clear()

    def request(url: str, **_options: object) -> http_client.Response:
        assert url.startswith("https://sns.eu-central-1.amazonaws.com/")
        return http_client.Response(200, {}, maker.pem, 1.0)

    monkeypatch.setattr(http_client, "request", request)
    yield maker
    sns_signatures._public_key.cache_clear()


@pytest.mark.parametrize("version", ["1", "2"])
def test_cloudwatch_by_sns_opens_and_resolves(amazon: Amazon, version: str) -> None:
    _integration, key = integration_of("amazon_sns")
    path = f"/integrations/v1/amazon_sns/{key}/"
    message = {**bodies.SNS, "SignatureVersion": version}
    assert post(path, amazon.signed(message), "text/plain; charset=UTF-8").status_code == 200
    assert Alert.objects.get().severity == "P1"
    said = {
        **bodies.ALARM,
        "NewStateValue": "OK",
        "StateChangeTime": "2026-03-02T12:05:00.000+0000",
    }
    ok = amazon.signed({**message, "MessageId": "ok", "Message": json.dumps(said)})
    assert post(path, ok, "text/plain").status_code == 200
    assert Alert.objects.get().state == "resolved"
    late = amazon.signed({**message, "MessageId": "late"})
    assert post(path, late, "text/plain").json()["accepted"] == 0
    assert Alert.objects.count() == 1


def test_an_ok_that_overtakes_its_alarm_leaves_nothing_firing(amazon: Amazon) -> None:
    """SNS keeps no order: the OK is kept, and the older ALARM then comes too late."""
    _integration, key = integration_of("amazon_sns")
    path = f"/integrations/v1/amazon_sns/{key}/"

    def send(state: str, before: str, minute: int) -> int:
        said = {
            **bodies.ALARM,
            "NewStateValue": state,
            "OldStateValue": before,
            "StateChangeTime": f"2026-03-02T12:{minute:02}:00.000+0000",
        }
        told = {"MessageId": str(uuid.uuid4()), "Message": json.dumps(said)}
        message = amazon.signed({**bodies.SNS, **told})
        return int(post(path, message, "text/plain").json()["accepted"])

    assert send("OK", "INSUFFICIENT_DATA", 1) == 0, "it never fired: there is nothing to keep"
    assert send("OK", "ALARM", 5) == 1
    assert send("OK", "ALARM", 5) == 0, "told twice"
    assert send("ALARM", "OK", 2) == 0
    alert = Alert.objects.get()
    assert (alert.state, alert.incident_id) == ("resolved", None)
    assert alert.log.get().text == "It ended before its beginning was heard."
    assert send("ALARM", "OK", 9) == 1, "a newer one is news"
    assert Incident.objects.get().status == "triggered"
    assert send("OK", "ALARM", 12) == 1
    assert not Alert.objects.firing().exists()


def test_forged_messages_are_refused_and_kept(amazon: Amazon) -> None:
    _integration, key = integration_of("amazon_sns", topic_arn=bodies.SNS["TopicArn"])
    path = f"/integrations/v1/amazon_sns/{key}/"
    signed = amazon.signed(bodies.SNS)
    for change in (
        {"Message": "{}"},
        {"Signature": "AAAA"},
        {"Signature": "not base64"},
        {"SigningCertURL": "https://evil.example/a.pem"},
        {"TopicArn": "arn:aws:sns:eu-central-1:1:other"},
    ):
        assert post(path, {**signed, **change}, "text/plain").status_code == 403
    assert post(path, {**signed, "Type": "Odd"}).status_code == 400
    assert Alert.objects.count() == 0
    assert InboundEvent.objects.filter(state="unparsed").count() == 6


@pytest.mark.parametrize(
    "address",
    [
        # What SNS answers to a request for its API is what whoever asks put there.
        "https://sns.eu-central-1.amazonaws.com/?Action=GetEndpointAttributes&x=.pem",
        "https://sns.eu-central-1.amazonaws.com/a.pem?Action=GetEndpointAttributes",
        "https://sns.eu-central-1.amazonaws.com/a.pem#x",
        "https://sns.eu-central-1.amazonaws.com/a.pem;x",
        "https://sns.eu-central-1.amazonaws.com:444/a.pem",
        "https://sns.eu-central-1.amazonaws.com@evil.example/a.pem",
        "https://evil.example\\@sns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com.evil.example/a.pem",
        "https://sns.e.amazonaws.com/a.pem",
        "https://s3.eu-central-1.amazonaws.com/sns/a.pem",
        "https://sns.eu-central-1.amazonaws.com/a.pem\nx",
        "http://sns.eu-central-1.amazonaws.com/a.pem",
        "https://169.254.169.254/a.pem",
        "//sns.eu-central-1.amazonaws.com/a.pem",
    ],
)
def test_certificates_are_fetched_from_amazons_own_files_only(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Nothing is asked of another address, nor of an interface that answers what it was given."""
    monkeypatch.setattr(http_client, "request", _never)
    _integration, key = integration_of("amazon_sns")
    message = amazon.signed({**bodies.SNS, "SigningCertURL": address})
    answer = post(f"/integrations/v1/amazon_sns/{key}/", message, "text/plain")
    assert answer.status_code == 403
    assert answer.json()["message"] == "SigningCertURL: not an address of Amazon SNS"
    assert InboundEvent.objects.get().state == "unparsed"


def _never(url: str, **_options: object) -> http_client.Response:
    raise AssertionError(url)


def test_a_certificate_that_cannot_be_had_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _integration, key = integration_of("amazon_sns")
    sns_signatures._public_key.cache_clear()

    def request(url: str, **_options: object) -> http_client.Response:
        raise http_client.TimedOut("took too long")

    monkeypatch.setattr(http_client, "request", request)
    answer = post(f"/integrations/v1/amazon_sns/{key}/", bodies.SNS)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")


def test_a_subscription_is_confirmed_at_amazons_address_only(amazon: Amazon) -> None:
    _integration, key = integration_of("amazon_sns")
    path = f"/integrations/v1/amazon_sns/{key}/"
    asked = {
        **bodies.SNS,
        "Type": "SubscriptionConfirmation",
        "Token": "t",
        "SubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription",
    }
    assert post(path, amazon.signed(asked), "text/plain").status_code == 200
    elsewhere = amazon.signed({**asked, "SubscribeURL": "https://evil.example/"})
    assert post(path, elsewhere, "text/plain").status_code == 403
    assert Alert.objects.count() == 0
    kept = InboundEvent.objects.get(state="unparsed")
    assert kept.problem == "SubscribeURL: not an address of Amazon SNS"


def test_an_ordered_sender_that_comes_late_reopens_nothing() -> None:
    """Amazon's messages come in any order; its clock tells which state is the newer one."""
    integration, _key = integration_of("amazon_sns")
    at = clock.now()
    signal = intake.AlertSignal(
        "amazon_sns", "k", firing=True, title="t", integration=integration, at=at
    )
    assert intake.receive(signal, now=at) is not None
    ended = intake.AlertSignal(
        "amazon_sns", "k", firing=False, integration=integration, at=at - timedelta(minutes=1)
    )
    assert intake.receive(ended, now=at) is None
    assert Alert.objects.get().state == "firing"


@pytest.mark.parametrize("subject", [" Disk of db-1 ", "\tDisk", "  "])
def test_a_signature_covers_a_subject_to_the_letter(amazon: Amazon, subject: str) -> None:
    _integration, key = integration_of("amazon_sns")
    message = amazon.signed({**bodies.SNS, "Subject": subject, "Message": "It is full."})
    text = f"Message\nIt is full.\nMessageId\n{message['MessageId']}\nSubject\n{subject}\n"
    assert signed_text(message).decode().startswith(text)
    answer = post(f"/integrations/v1/amazon_sns/{key}/", message, "text/plain")
    assert answer.status_code == 200
    assert Alert.objects.get().title == (subject.strip() or "It is full.")


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ('{\n  "message": "Disk full",\n  "host": "a"\n}', "Disk full"),
        ('{\n  "host": "a"\n}', "Message of topic alarms"),
        ('[\n  1\n]', "Message of topic alarms"),
        ('{\n  "host": ', "Message of topic alarms"),
        ("Disk full\nsoon", "Disk full"),
    ],
)  # fmt: skip
def test_a_message_without_a_subject_has_a_title(message: str, title: str) -> None:
    said = {name: value for name, value in bodies.SNS.items() if name != "Subject"}
    envelope = amazon_sns.envelope({**said, "Message": message})
    (event,) = amazon_sns.read(envelope, Context("amazon_sns")).events
    assert (event.title, event.detail) == (title, message.strip())
