"""Integrations, heartbeats and the log of alerts as programs see them."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.scopes import Scope
from accounts.tests.cast import send, signed_in, token_of
from catalog.models import Service, Team
from core.models import AuditEntry
from incidents.models import Alert, Heartbeat, Integration
from incidents.tests import bodies
from incidents.tests.senders import integration_of, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Client:
    """Return a manager's client."""
    return signed_in(Role.MANAGER)


def test_a_key_goes_out_once(api: Client) -> None:
    Service.objects.create(slug="shop", name="Shop")
    body = {"kind": "generic", "name": "Main", "service": "shop", "signing_secret": "hidden"}
    made = send(api, "post", "integrations/", body, status=201)
    key = made["key"]
    assert made["url"].endswith(f"/integrations/v1/generic/{key}/")
    assert "signing_secret" not in made
    shown = api.get("/api/v1/integrations/").content.decode()
    shown += api.get(f"/api/v1/integrations/{made['id']}/").content.decode()
    shown += str(list(AuditEntry.objects.values()))
    assert key not in shown
    assert "hidden" not in shown
    assert made["masked_key"] in shown
    rotated = send(api, "post", f"integrations/{made['id']}/rotate/", status=200)
    assert rotated["key"] != key
    send(api, "patch", f"integrations/{made['id']}/", {"signing_secret": ""}, status=200)
    path = f"/integrations/v1/generic/{rotated['key']}/"
    assert post(path, bodies.GENERIC).status_code == 200


def test_how_its_incidents_end_is_set(api: Client) -> None:
    """Whether by themselves, and how long after their last alert."""
    Service.objects.create(slug="shop", name="Shop")
    body = {"kind": "generic", "name": "Main", "service": "shop", "auto_resolve": False}
    made = send(api, "post", "integrations/", body, status=201)
    assert (made["auto_resolve"], made["hold_off"]) == (False, "00:00:00")
    path = f"integrations/{made['id']}/"
    send(api, "patch", path, {"auto_resolve": True, "hold_off": "00:10:00"}, status=200)
    stored = Integration.objects.get()
    assert (stored.auto_resolve, stored.hold_off) == (True, timedelta(minutes=10))
    changes = AuditEntry.objects.order_by("seq").last()
    assert changes is not None
    assert changes.changes == {
        "auto_resolve": ["False", "True"],
        "hold_off": ["0:00:00", "0:10:00"],
    }
    assert [
        row["name"] for row in api.get("/api/v1/integrations/?auto_resolve=true").json()["results"]
    ] == ["Main"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hold_off": "2 00:00:00"}, "hold_off"),
        ({"hold_off": "-00:01:00"}, "hold_off"),
        ({"kind": "telex"}, "kind"),
        ({"service": "none"}, "service"),
        ({"severity_map": {"bad": "P9"}}, "severity_map"),
        ({"severity_map": ["P1"]}, "severity_map"),
        ({"mapping": {"title": "a["}}, "mapping"),
        ({"mapping": {"colour": "a"}}, "mapping"),
        ({"mapping": {"title": "'a\0b'"}}, "mapping"),
        ({"mapping": "a"}, "mapping"),
        ({"severity_map": {"a\0b": "P1"}}, "severity_map"),
        ({"runbook_url": "javascript:alert(1)"}, "runbook_url"),
        ({"colour": "red"}, "colour"),
        ({"name": ""}, "name"),
    ],
)
def test_what_is_wrong_is_named(api: Client, change: dict[str, Any], field: str) -> None:
    Service.objects.create(slug="shop", name="Shop")
    body = {"kind": "generic", "name": "Main", "service": "shop"}
    problem = send(api, "post", "integrations/", body | change, status=400)
    assert field in str(problem["errors"])
    assert Integration.objects.count() == 0


def test_the_kind_stays_and_nothing_is_deleted(api: Client) -> None:
    integration, _key = integration_of("generic")
    path = f"integrations/{integration.pk}/"
    problem = send(api, "patch", path, {"kind": "grafana"}, status=400)
    assert "kind" in problem["errors"]
    assert api.delete(f"/api/v1/{path}").status_code == 405


def test_viewers_read_and_do_not_write() -> None:
    integration, _key = integration_of("generic")
    viewer = signed_in(Role.VIEWER)
    assert len(viewer.get("/api/v1/integrations/").json()["results"]) == 1
    send(viewer, "post", f"integrations/{integration.pk}/rotate/", status=403)
    send(viewer, "post", "heartbeats/", {"name": "x"}, status=403)


def test_private_services_keep_theirs(api: Client) -> None:
    integration, _key = integration_of("generic")
    integration.service.owner = Team.objects.create(slug="own", name="Own")
    integration.service.is_private = True
    integration.service.save()
    assert api.get("/api/v1/integrations/").json()["results"] == []
    send(api, "post", f"integrations/{integration.pk}/rotate/", status=404)
    body: dict[str, Any] = {"kind": "generic", "name": "Main", "service": "shop"}
    assert "service" in send(api, "post", "integrations/", body, status=400)["errors"]
    body = {"integration": integration.pk, "name": "nightly"}
    assert "integration" in send(api, "post", "heartbeats/", body, status=400)["errors"]


def test_heartbeats_are_made_changed_and_paused(api: Client) -> None:
    integration, _key = integration_of("healthchecks")
    body = {"integration": integration.pk, "name": "nightly", "period": "1 00:00:00"}
    made = send(api, "post", "heartbeats/", body, status=201)
    assert (made["state"], made["due_at"]) == ("new", None)
    assert Client().get(f"/ping/{made['uid']}/fail").status_code == 200
    alert = Alert.objects.get()
    path = f"heartbeats/{made['id']}/"
    send(api, "patch", path, {"is_paused": True}, status=200)
    alert.refresh_from_db()
    assert alert.state == "resolved"
    for wrong, field in (({"period": "00:00:01"}, "period"), ({"state": "up"}, "")):
        problem = api.patch(f"/api/v1/{path}", wrong, content_type="application/json")
        assert problem.status_code == (400 if field else 200)
    taken = ["There is a heartbeat of this name already."]
    assert send(api, "post", "heartbeats/", body, status=400)["errors"] == {"name": taken}
    body |= {"name": "Other", "sender_key": "nightly"}
    assert send(api, "post", "heartbeats/", body, status=400)["errors"] == {"sender_key": taken}
    other = send(api, "post", "heartbeats/", body | {"sender_key": "other"}, status=201)
    said = send(api, "patch", f"heartbeats/{other['id']}/", {"sender_key": "nightly"}, status=400)
    assert said["errors"] == {"sender_key": taken}
    assert Heartbeat.objects.get(name="nightly").state == "down"


def test_a_heartbeat_that_is_deleted_alerts_no_more(api: Client) -> None:
    integration, _key = integration_of("healthchecks")
    made = send(
        api, "post", "heartbeats/", {"integration": integration.pk, "name": "n"}, status=201
    )
    Client().get(f"/ping/{made['uid']}/fail")
    path = f"/api/v1/heartbeats/{made['id']}/"
    assert signed_in(Role.RESPONDER).delete(path).status_code == 403
    assert api.delete(path).status_code == 204
    assert Alert.objects.get().state == "resolved"
    assert api.delete(path).status_code == 404
    assert AuditEntry.objects.filter(act="heartbeat.deleted").count() == 1


@pytest.mark.parametrize("wrong", [1.9, 1.0, True, "1.9", [1], {"pk": 1}])
def test_a_key_of_another_row_is_a_whole_number(api: Client, wrong: Any) -> None:
    integration_of("healthchecks")
    body = {"integration": wrong, "name": "nightly"}
    said = send(api, "post", "heartbeats/", body, status=400)
    assert list(said["errors"]) == ["integration"]


def uid_shown(api: Client, heartbeat: Heartbeat, **headers: str) -> list[str | None]:
    """Return the key of a heartbeat's address as the list and the heartbeat itself show it."""
    listed = api.get("/api/v1/heartbeats/", headers=headers).json()["results"][0]
    shown = api.get(f"/api/v1/heartbeats/{heartbeat.pk}/", headers=headers).json()
    return [listed["uid"], shown["uid"]]


def test_the_address_that_gives_signs_is_shown_to_who_may_change_it(api: Client) -> None:
    """Whoever knows it calls people and calls them off: more than reading."""
    integration, _key = integration_of("healthchecks")
    heartbeat = Heartbeat.objects.create(integration=integration, name="nightly")
    uid = str(heartbeat.uid)
    assert uid_shown(api, heartbeat) == [uid, uid]
    for role in (Role.VIEWER, Role.RESPONDER):
        assert uid_shown(signed_in(role), heartbeat) == [None, None]
    manager = User.objects.get(role=Role.MANAGER)
    for scopes, shown in (([Scope.READ], None), ([Scope.READ, Scope.WRITE], uid)):
        _, secret = token_of(manager, *scopes)
        headers = {"Authorization": f"Bearer {secret}"}
        assert uid_shown(Client(), heartbeat, **headers) == [shown, shown]


def test_the_log_of_an_alert_is_read(api: Client) -> None:
    _integration, key = integration_of("generic")
    for _ in range(2):
        post(f"/integrations/v1/generic/{key}", bodies.GENERIC)
    alert = api.get("/api/v1/alerts/").json()["results"][0]
    assert (alert["labels"], alert["pages"], alert["count"]) == ({}, True, 2)
    log = api.get(f"/api/v1/alerts/{alert['id']}/log/").json()
    assert [entry["kind"] for entry in log] == ["opened", "repeated"]
