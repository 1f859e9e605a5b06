"""Values longer or odder than any column takes: cut, refused or kept for people, never an error of ours."""

import copy
import json
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import pytest

from incidents.domain.formats import amazon_sns
from incidents.domain.formats.context import Context
from incidents.models import InboundEvent
from incidents.tests import bodies
from incidents.tests.senders import integration_of, post

pytestmark = pytest.mark.django_db
ODD: list[Any] = [
    "x" * 6000,
    "a\0b",
    "\ud800",
    "",
    None,
    10**30,
    -1,
    [],
    {},
    "0001-01-01T00:00:00Z",
    "http://[::1",
]
OTHERS = {
    "pagerduty": ("/v2/enqueue", bodies.PAGERDUTY),
    "opsgenie": ("/v2/alerts", bodies.OPSGENIE),
}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return where the values of a body stand."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value[:1]):
            yield from leaves(inner, (*path, number))
    if path:
        yield path


def changed(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a body with one value replaced."""
    made = copy.deepcopy(body)
    inner = made
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return made


@pytest.mark.parametrize("kind", [*bodies.WEBHOOKS, *OTHERS])
def test_each_value_of_a_body_may_be_anything(kind: str) -> None:
    _integration, key = integration_of(kind)
    path, body = OTHERS.get(kind) or (f"/integrations/v1/{kind}/{key}/", bodies.WEBHOOKS[kind])
    if kind == "pagerduty":
        body = {**body, "routing_key": key}
    headers = {"Authorization": f"GenieKey {key}"} if kind == "opsgenie" else {}
    sent, odds = 0, cycle(ODD)
    for place in leaves(body):
        for odd in islice(odds, 4):
            if place == ("routing_key",):
                continue
            answer = post(path, changed(body, place, odd), **headers)
            assert answer.status_code < 500, (place, str(odd)[:40], answer.content)
            sent += 1
    assert InboundEvent.objects.count() == sent


def test_the_key_of_an_alarm_fits_its_column() -> None:
    """Whoever publishes to a topic may call an alarm as it likes."""
    alarm = json.dumps({**bodies.ALARM, "AlarmArn": "arn:" + "x" * 600})
    message = {"TopicArn": "arn:aws:sns:eu-west-1:1:t", "MessageId": "1", "Message": alarm}
    message["Timestamp"] = "2026-03-02T03:00:00Z"
    (event,) = amazon_sns.read(message, Context("amazon_sns")).events
    assert len(event.dedup_key) == 64
