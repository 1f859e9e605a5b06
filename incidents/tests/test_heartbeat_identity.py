"""What a heartbeat is to its senders stays the same, whatever people call it."""

import uuid
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import signed_in
from core import clock
from incidents.models import Alert, Heartbeat, Integration
from incidents.services import heartbeats
from incidents.services.integrations import save_integration
from incidents.tests.senders import integration_of, post

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def get(path: str, **headers: str) -> int:
    return Client().get(path, headers=headers).status_code


def rename(heartbeat: Heartbeat, name: str) -> None:
    heartbeats.save_heartbeat(heartbeat, fields={"name": name}, actor="test", now=clock.now())


def rename_all(integration: Integration) -> None:
    """Rename an integration and its only heartbeat."""
    fields = {"name": "Another word"}
    save_integration(integration, fields=fields, actor="test", now=clock.now())
    rename(Heartbeat.objects.get(), "Nightly backup")


def test_the_own_heartbeat_of_an_integration_may_be_renamed() -> None:
    integration, key = integration_of("healthchecks")
    other, other_key = integration_of("grafana", name="Other")
    for path in (f"/ping/{uuid.UUID(key)}", f"/integrations/v1/grafana/{other_key}/heartbeat/"):
        assert get(path) == 200
        rename_all(integration if "ping" in path else other)
        assert get(path) == 200
        heartbeat = Heartbeat.objects.get()
        assert heartbeat.name == "Nightly backup"
        assert get(f"/ping/{heartbeat.uid}") == 200
        heartbeat = Heartbeat.objects.get()
        heartbeat.delete()


def test_a_slug_stays_what_the_sender_says() -> None:
    integration, key = integration_of("healthchecks")
    assert get(f"/ping/{key}/nightly?create=1") == 201
    rename_all(integration)
    assert get(f"/ping/{key}/nightly") == 200
    heartbeat = Heartbeat.objects.get()
    assert (heartbeat.name, heartbeat.sender_key) == ("Nightly backup", "nightly")
    assert get(f"/ping/{key}/Nightly") == 404


def test_a_name_that_was_given_up_is_free_for_a_sender() -> None:
    _integration, key = integration_of("healthchecks")
    get(f"/ping/{key}/nightly?create=1")
    rename(Heartbeat.objects.get(), "weekly")
    assert get(f"/ping/{key}/weekly?create=1") == 201
    assert list(Heartbeat.objects.order_by("pk").values_list("sender_key", flat=True)) == [
        "nightly",
        "weekly",
    ]


def test_a_slug_that_is_called_like_the_integration_is_another_heartbeat() -> None:
    _integration, key = integration_of("healthchecks", name="nightly")
    get(f"/ping/{uuid.UUID(key)}")
    get(f"/ping/{key}/nightly?create=1")
    assert Heartbeat.objects.count() == 2


def test_one_made_before_its_first_sign_is_found() -> None:
    """By its name, and by its integration where it is called like that."""
    integration, key = integration_of("healthchecks", name="nightly")
    api = signed_in(Role.MANAGER)

    def make(**fields: Any) -> Any:
        body = {"integration": integration.pk, **fields}
        return api.post("/api/v1/heartbeats/", body, content_type="application/json")

    assert make(name="nightly").json()["sender_key"] == "nightly"
    assert make(name="Weekly backup", sender_key="weekly").json()["sender_key"] == "weekly"
    assert make(name="Another", sender_key=" weekly ").status_code == 400
    assert make(name="weekly").status_code == 400
    for path in (f"/ping/{uuid.UUID(key)}", f"/ping/{key}/nightly", f"/ping/{key}/weekly"):
        assert get(path) == 200
    assert Heartbeat.objects.filter(state="up").count() == Heartbeat.objects.count() == 2


def test_the_key_follows_a_sender_whose_word_has_changed() -> None:
    _integration, key = integration_of("healthchecks")
    get(f"/ping/{key}/nightly?create=1")
    heartbeat = Heartbeat.objects.get()
    path = f"/api/v1/heartbeats/{heartbeat.pk}/"
    said = {"sender_key": "daily"}
    answer = signed_in(Role.MANAGER).patch(path, said, content_type="application/json")
    assert (answer.status_code, answer.json()["sender_key"]) == (200, "daily")
    assert (get(f"/ping/{key}/daily"), get(f"/ping/{key}/nightly")) == (200, 404)


def test_long_names_are_told_apart() -> None:
    _integration, key = integration_of("healthchecks")
    slugs = ["a" * 100, "a" * 101, "a" * 99 + "bc"]
    for slug in slugs:
        assert get(f"/ping/{key}/{slug}") == 404
        assert get(f"/ping/{key}/{slug}?create=1") == 201
        assert get(f"/ping/{key}/{slug}") == 200
    assert Heartbeat.objects.count() == 3


@pytest.mark.parametrize("kind", ["opsgenie", "healthchecks", "alertmanager"])
def test_names_that_begin_alike_are_told_apart_by_people_too(kind: str) -> None:
    """On pages and in alerts: which of the two is overdue?"""
    _integration, key = integration_of(kind)
    for name in (f"{'a' * 100}-one", f"{'a' * 100}-two"):
        for _ in range(2):
            if kind == "opsgenie":
                sent = get(f"/v2/heartbeats/{name}/ping", Authorization=f"GenieKey {key}")
            elif kind == "healthchecks":
                sent = get(f"/ping/{key}/{name}?create=1")
            else:
                alert = {"labels": {"heartbeat": name}, "status": "firing"}
                sent = post(f"/integrations/v1/{kind}/{key}/", {"alerts": [alert]}).status_code
            assert sent in {200, 201, 202}
    assert Heartbeat.objects.filter(state="up").count() == 2
    assert len(set(Heartbeat.objects.values_list("name", flat=True))) == 2
    heartbeats.check(now=clock.now() + timedelta(days=3))
    assert len(set(Alert.objects.values_list("title", flat=True))) == 2


def test_opsgenie_makes_no_heartbeat_of_a_name_that_is_too_long() -> None:
    """Cut, it would be another's."""
    _integration, key = integration_of("opsgenie")
    client = Client(headers={"Authorization": f"GenieKey {key}"})
    for name, status in (("a" * 100, 201), ("a" * 101, 422), (f"{'a' * 100}b", 422)):
        said = {"name": name, "interval": 5, "intervalUnit": "minutes", "enabled": True}
        answer = client.post("/v2/heartbeats", said, content_type="application/json")
        assert answer.status_code == status, answer.content
        assert status == 201 or "name" in answer.json()["errors"]
    assert Heartbeat.objects.count() == 1


def test_opsgenies_names_have_no_white_space_around_them() -> None:
    _integration, key = integration_of("opsgenie")
    headers = {"Authorization": f"GenieKey {key}"}
    said = {"name": " sp ", "interval": 5, "intervalUnit": "minutes", "enabled": True}
    client = Client(headers=headers)
    made = client.post("/v2/heartbeats", said, content_type="application/json")
    assert (made.status_code, made.json()["data"]["name"]) == (201, "sp")
    for name in ("%20sp%20", "sp"):
        assert get(f"/v2/heartbeats/{name}/ping", **headers) == 202
        assert get(f"/v2/heartbeats/{name}", **headers) == 200
    heartbeat = Heartbeat.objects.get()
    assert heartbeat.state == "up"
    assert get("/v2/heartbeats/%20/ping", **headers) == 404
    rename(heartbeat, "Space")
    told = client.get("/v2/heartbeats/sp").json()["data"]
    assert told["name"] == "sp"


def test_two_of_one_key_are_refused() -> None:
    integration, _key = integration_of("opsgenie")
    heartbeats.named(integration, "nightly")
    with pytest.raises(ValidationError, match="of this name already"):
        heartbeats.save_heartbeat(
            Heartbeat(integration=integration),
            fields={"name": "nightly"},
            actor="test",
            now=clock.now(),
        )


def test_heartbeats_of_before_are_found_as_before() -> None:
    """By their name, and as their integration's own where they are called like that."""
    integration, key = integration_of("healthchecks", name="nightly")
    ops, ops_key = integration_of("opsgenie")
    for each, name in ((integration, "nightly"), (ops, " sp "), (ops, "sp"), (ops, " job ")):
        Heartbeat.objects.create(integration=each, name=name, last_sign="start")
    import_module("incidents.migrations.0009_heartbeat_identity").fill(apps, None)
    assert (get(f"/ping/{uuid.UUID(key)}"), get(f"/ping/{key}/nightly")) == (200, 200)
    headers = {"Authorization": f"GenieKey {ops_key}"}
    for name in ("%20sp%20", "sp", "job", "%20job%20"):
        assert get(f"/v2/heartbeats/{name}/ping", **headers) == 202
    found = Heartbeat.objects.values_list("name", "state", "is_paused")
    assert set(found) == {
        ("nightly", "up", False),
        ("sp", "up", False),
        (" job ", "up", False),
        (" sp ", "new", True),
    }


@pytest.mark.parametrize(
    "change",
    [{"period": "3000000 00:00:00"}, {"grace": "367 00:00:00"}, {"schedule": "* * * * * *"}],
)
def test_a_rhythm_that_nobody_waits_for_is_refused(change: dict[str, str]) -> None:
    integration, _key = integration_of("healthchecks")
    heartbeat = Heartbeat.objects.create(
        integration=integration, name="backup", sender_key="backup"
    )
    api = signed_in(Role.MANAGER)
    path = f"/api/v1/heartbeats/{heartbeat.pk}/"
    refused = api.patch(path, change, content_type="application/json")
    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == list(change)


@pytest.mark.parametrize("kind", ["id", "alias"])
def test_a_client_of_opsgenies_ends_the_alert_of_a_heartbeat(kind: str) -> None:
    _integration, key = integration_of("opsgenie")
    client = Client(headers={"Authorization": f"GenieKey {key}"})
    client.get("/v2/heartbeats/backup/ping")
    heartbeats.check(now=clock.now() + timedelta(days=3))
    alert = Alert.objects.get()
    name = alert.pk if kind == "id" else alert.dedup_key.replace("/", "%2F")
    address = f"/v2/alerts/{name}/close?identifierType={kind}"
    assert client.post(address, {}, content_type="application/json").status_code == 202
    alert.refresh_from_db()
    assert (alert.state, alert.source) == ("resolved", "heartbeat")
