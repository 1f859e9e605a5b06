"""Components by the API: managers write, nobody learns what they may not know of."""

from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import send, signed_in
from catalog.models import Service
from core.models import AuditEntry
from slo.tests.world import World
from statuspage.models import Component, ComponentGroup
from statuspage.tests.world import NOON, SECRET, component, group, shop
from tests.query_counts import AssertQueries

pytestmark = [pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)


@pytest.fixture
def manager() -> Client:
    """Somebody who may change the page."""
    return signed_in(Role.MANAGER)


def test_a_component_is_made_changed_and_deleted(manager: Client) -> None:
    """With an audit row each, by the service."""
    heading = send(manager, "post", "component-groups/", {"name": "Shop"}, status=201)
    Service.objects.create(slug="pay", name="Pay", tier=1)
    body = {"name": "Payments", "group": heading["id"], "service": "pay"}
    made = send(manager, "post", "components/", body, status=201)
    assert (made["status"], made["is_manual"], made["service"]) == ("operational", False, "pay")
    path = f"components/{made['id']}/"
    changed = send(manager, "patch", path, {"description": "Cards"}, status=200)
    assert changed["description"] == "Cards"
    send(manager, "delete", path, status=204)
    acts = AuditEntry.objects.filter(act__startswith="statuspage.").values_list("act", flat=True)
    assert list(acts.order_by("seq")) == [
        "statuspage.group_created",
        "statuspage.component_created",
        "statuspage.component_changed",
        "statuspage.component_deleted",
    ]


def test_the_status_is_set_by_hand_and_taken_back(manager: Client, client: Client) -> None:
    """The page has it at once; null has it worked out again."""
    path = f"components/{component().pk}/"
    found = send(manager, "patch", path, {"status": "major_outage"}, status=200)
    assert (found["status"], found["is_manual"]) == ("major_outage", True)
    page = client.get("/status/api/v2/status.json").json()
    assert page["status"]["indicator"] == "critical"
    found = send(manager, "patch", path, {"status": None}, status=200)
    assert (found["status"], found["is_manual"]) == ("operational", False)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "down"}, "status"),
        ({"service": "nobody"}, "service"),
        ({"name": ""}, "name"),
        ({"service": "other", "slo": "users-api-latency"}, "slo"),
        ({"colour": "x"}, "colour"),
    ],
)
def test_what_is_wrong_is_named(manager: Client, body: dict[str, Any], field: str) -> None:
    """By its field; bars must measure the component's own service."""
    World()
    Service.objects.create(slug="other", name="Other", tier=1)
    said = send(manager, "post", "components/", {"name": "A", **body}, status=400)
    assert field in said["errors"]
    assert not Component.objects.exists()


@pytest.mark.both_databases
def test_names_are_unique_within_a_group(manager: Client) -> None:
    """Two groups may have a component of one name, one group may not."""
    component("API")
    component("API", group=group())
    said = send(manager, "post", "components/", {"name": "API"}, status=400)
    assert "already" in said["detail"]


def test_only_managers_write() -> None:
    """Everybody else reads."""
    row = component()
    responder = signed_in(Role.RESPONDER)
    send(responder, "get", f"components/{row.pk}/", status=200)
    send(responder, "patch", f"components/{row.pk}/", {"status": None}, status=403)
    send(responder, "post", "component-groups/", {"name": "x"}, status=403)


def test_what_is_private_behind_a_component_stays_so(manager: Client) -> None:
    """A stranger sees the component, not whose it is, and no filter tells."""
    component(service=shop())
    found = send(manager, "get", "components/", status=200)
    assert found["results"][0]["service"] is None
    assert SECRET not in str(found)
    told = manager.get(f"/api/v1/components/?service={SECRET}-checkout")
    assert not told.json().get("results")
    row = Component.objects.get()
    changed = send(manager, "patch", f"components/{row.pk}/", {"name": "Till"}, status=200)
    assert changed["service"] is None
    row.refresh_from_db()
    assert row.service_id


def test_a_list_costs_the_same_for_many(manager: Client, assert_queries: AssertQueries) -> None:
    """However many components there are."""
    for number in range(2):
        component(f"Part {number}", group=group(f"Group {number}"))
    with assert_queries("statuspage:components"):
        send(manager, "get", "components/", status=200)
    for number in range(5):
        component(f"More {number}", group=group(f"More {number}"))
    with assert_queries("statuspage:components"):
        send(manager, "get", "components/", status=200)


def test_components_outlive_their_group(manager: Client) -> None:
    """They stand without a heading then."""
    row = component(group=group())
    heading = ComponentGroup.objects.get()
    send(manager, "delete", f"component-groups/{heading.pk}/", status=204)
    row.refresh_from_db()
    assert row.group_id is None
