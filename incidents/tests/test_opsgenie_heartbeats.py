"""Whoever keeps Opsgenie's heartbeats as code reads there what they wrote."""

from typing import Any

import pytest
from django.test import Client

from core import clock
from incidents.models import Heartbeat
from incidents.services.heartbeats import save_heartbeat
from incidents.tests.senders import integration_of

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SAID = {
    "name": "nightly",
    "description": "The backup of the shop.",
    "interval": 120,
    "intervalUnit": "minutes",
    "enabled": True,
    "ownerTeam": {"name": "shop"},
    "alertMessage": "No backup",
    "alertTags": ["backup", "shop"],
    "alertPriority": "P5",
}


def send(client: Client, method: str, path: str, body: object = None) -> Any:
    """Return what a call is answered with."""
    answer = getattr(client, method)(path, body, content_type="application/json")
    assert answer.status_code in {200, 201}, answer.content
    return answer.json()["data"]


@pytest.fixture
def client() -> Client:
    _integration, key = integration_of("opsgenie")
    return Client(headers={"Authorization": f"GenieKey {key}"})


def test_what_was_said_is_told_again(client: Client) -> None:
    send(client, "post", "/v2/heartbeats", SAID)
    told = send(client, "get", "/v2/heartbeats/nightly")
    assert {name: told[name] for name in SAID} == SAID
    changed = {"alertPriority": "P2", "alertTags": [], "interval": 24, "intervalUnit": "hours"}
    send(client, "patch", "/v2/heartbeats/nightly", changed)
    told = send(client, "get", "/v2/heartbeats/nightly")
    assert {name: told[name] for name in SAID} == {**SAID, **changed}


def test_what_people_change_is_told_as_it_is(client: Client) -> None:
    send(client, "post", "/v2/heartbeats", SAID)
    fields = {"severity": "P0", "name": "Backup"}
    save_heartbeat(Heartbeat.objects.get(), fields=fields, actor="test", now=clock.now())
    told = send(client, "get", "/v2/heartbeats/nightly")
    assert (told["name"], told["alertPriority"]) == ("nightly", "P1")


@pytest.mark.parametrize("odd", [None, 7, "x", [1, [2]], {"id": {"a": 1}}, {"b": 2}])
def test_odd_words_do_no_harm(client: Client, odd: object) -> None:
    names = ("description", "ownerTeam", "alertMessage", "alertTags")
    send(client, "post", "/v2/heartbeats", {**SAID, **dict.fromkeys(names, odd)})
    assert send(client, "get", "/v2/heartbeats/nightly")["alertPriority"] == "P5"
