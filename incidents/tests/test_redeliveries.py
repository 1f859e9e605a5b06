"""A message that comes again, as its sender promises it may, changes nothing and is answered as the first."""

import base64
import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from core import clock, http_client
from incidents.adapters import sns_signatures
from incidents.domain.events import Reading
from incidents.models import Alert, InboundEvent, Incident
from incidents.services import inbound, lifecycle, receiving
from incidents.services.inbound import RawRequest, Request, Taken
from incidents.tests import bodies
from incidents.tests.senders import Amazon, integration_of, post
from incidents.tests.test_intake_together import fires

SECRET = "s3cret"

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Amazon]:
    maker = Amazon()
    sns_signatures._public_key.cache_clear()
    answer = http_client.Response(200, {}, maker.pem, 1.0)
    monkeypatch.setattr(http_client, "request", lambda _url, **_options: answer)
    yield maker
    sns_signatures._public_key.cache_clear()


def signed(name: str, body: bytes, secret: str = SECRET) -> dict[str, str]:
    """Return the headers of Standard Webhooks."""
    stamp = str(int(clock.now().timestamp()))
    digest = hmac.digest(secret.encode(), f"{name}.{stamp}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": name, "webhook-timestamp": stamp, "webhook-signature": signature}


@pytest.mark.parametrize("is_alarm", [True, False])
def test_a_message_of_sns_counts_once_also_when_somebody_resolved_meanwhile(
    amazon: Amazon, is_alarm: bool
) -> None:
    _integration, key = integration_of("amazon_sns")
    words = {} if is_alarm else {"Message": "Disk full", "Subject": "Disk"}
    message = amazon.signed({**bodies.SNS, **words})
    path = f"/integrations/v1/amazon_sns/{key}/"
    first = post(path, message, "text/plain")
    assert (first.status_code, first.json()["accepted"]) == (200, 1)
    assert post(path, message, "text/plain").json() == first.json()
    assert Alert.objects.get().count == 1
    lifecycle.resolve(Incident.objects.get().pk, now=clock.now(), actor="alice")
    assert post(path, message, "text/plain").json() == first.json()
    assert (Incident.objects.count(), InboundEvent.objects.count()) == (1, 1)
    other = amazon.signed({**bodies.SNS, **words, "MessageId": "another"})
    assert post(path, other, "text/plain").status_code == 200
    assert InboundEvent.objects.count() == 2


def test_a_webhook_that_is_signed_counts_once() -> None:
    """Of each integration for itself: names are the sender's own."""
    body = json.dumps({"title": "Disk full", "id": "disk"}).encode()
    paths = []
    for name in ("a", "b"):
        _integration, key = integration_of("generic", name=name, secret=SECRET)
        paths.append(f"/integrations/v1/generic/{key}/")
    for path in paths:
        first = post(path, body, **signed("msg_1", body))
        assert post(path, body, **signed("msg_1", body)).json() == first.json()
    assert list(Alert.objects.values_list("count", flat=True)) == [1, 1]
    for number in range(2):
        long = "m" * 300 + str(number)
        assert post(paths[0], body, **signed(long, body)).status_code == 200
    assert post(paths[0], body, **signed(long, body)).status_code == 200
    assert sorted(Alert.objects.values_list("count", flat=True)) == [1, 3]


def test_what_nobody_signed_or_nobody_could_read_is_taken_anew() -> None:
    """A forged one takes no name away, and one without a title is read once a mapping finds it."""
    body = json.dumps({"what": "Disk full"}).encode()
    integration, key = integration_of("generic", secret=SECRET)
    path = f"/integrations/v1/generic/{key}/"
    assert post(path, body, **signed("msg_1", body, "wrong")).status_code == 401
    assert post(path, body, **signed("msg_1", body)).status_code == 400
    integration.mapping = {"title": "what"}
    integration.save()
    assert post(path, body, **signed("msg_1", body)).status_code == 200
    assert InboundEvent.objects.count() == 3
    _open, key = integration_of("generic", name="unsigned")
    for _ in range(2):
        assert post(
            f"/integrations/v1/generic/{key}/", {"title": "x"}, **{"webhook-id": "always-this"}
        ).json()["accepted"]
    assert Alert.objects.get(title="x").count == 2


def named(integration: Any, name: str, key: str = "disk") -> Request:
    raw, reading = RawRequest("/x", b"{}"), Reading((fires(key),), delivery_id=name)
    return Request(integration, raw, reading, None, clock.now())


def test_of_two_in_one_batch_one_is_stored() -> None:
    integration, _key = integration_of("generic")
    requests = [named(integration, "a"), named(integration, "b", "net"), named(integration, "a")]
    one, two, again = receiving._take_all(requests)
    assert isinstance(one, Taken)
    assert isinstance(two, Taken)
    assert again == one
    assert (one.event.uid == two.event.uid, InboundEvent.objects.count()) == (False, 2)
    assert set(Alert.objects.values_list("count", flat=True)) == {1}


def test_only_messages_with_names_are_asked_for() -> None:
    """All others cost no statement more than before."""
    integration, _key = integration_of("generic")
    receiving._take_all([named(integration, "", "first")])
    asked: list[int] = []
    for name in ("", "a"):
        statements: list[str] = []

        def note(execute: Any, sql: str, *args: Any, into: list[str] = statements) -> Any:
            into.append(sql)
            return execute(sql, *args)

        with connection.execute_wrapper(note):
            receiving._take_all([named(integration, name, f"k{name}")])
        asked.append(len(statements))
    assert asked[1] == asked[0] + 1


def test_one_that_another_process_stores_in_the_same_moment_is_answered_as_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody sees the row yet, and the unique index refuses the second."""
    integration, _key = integration_of("generic")
    (first,) = receiving._take_all([named(integration, "a")])
    look, looks = inbound.earlier, list[int]()

    def too_early(requests: Any) -> Any:
        looks.append(1)
        return {} if len(looks) < 3 else look(requests)

    monkeypatch.setattr(receiving, "earlier", too_early)
    (second,) = receiving._take_all([named(integration, "a")])
    assert isinstance(first, Taken)
    assert isinstance(second, Taken)
    assert second.event.uid == first.event.uid
    assert (InboundEvent.objects.count(), Alert.objects.get().count) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_are_one() -> None:
    _integration, key = integration_of("generic", secret=SECRET)
    body = json.dumps({"title": "Disk full", "id": "disk"}).encode()

    def send(_number: int) -> Any:
        try:
            return post(f"/integrations/v1/generic/{key}/", body, **signed("msg_1", body)).json()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(24)))
    assert all(answer == answers[0] for answer in answers)
    assert (InboundEvent.objects.count(), Alert.objects.get().count) == (1, 1)
