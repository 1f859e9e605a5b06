"""What a change of a policy must not lose: who is called, for whom, and that there is a default."""

import base64
import json
from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import person, send, signed_in
from catalog.models import Service, Team
from oncall.models import EscalationPolicy, Override, Schedule, ServicePolicy

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def api() -> Client:
    return signed_in(Role.MANAGER)


def policy(**values: Any) -> dict[str, Any]:
    levels = [{"number": 1, "name": "On call", "targets": [{"person": "alice"}]}]
    return {"slug": "shop", "name": "Shop", "levels": levels, **values}


def timing(level: int = 1, **values: Any) -> dict[str, Any]:
    cell = {"phase": "unacknowledged", "severity": "P1", "level": level, "after": "00:05:00"}
    return {**cell, **values}


@pytest.fixture(autouse=True)
def alice() -> None:
    person("alice")


def test_times_are_given_once_and_of_levels_that_are_there(api: Client) -> None:
    twice = send(api, "post", "policies/", policy(timings=[timing(), timing()]), status=400)
    assert twice["errors"] == {"timings": ["A level has one time for each phase and severity."]}
    nobody = send(api, "post", "policies/", policy(timings=[timing(5)]), status=400)
    assert nobody["errors"] == {"timings": ["There is no L5, which they call."]}
    assert not EscalationPolicy.objects.filter(slug="shop").exists()


def test_a_level_that_times_call_is_not_taken_away(api: Client) -> None:
    send(api, "post", "policies/", policy(timings=[timing()]), status=201)
    levels = [{"number": 2, "name": "Lead", "targets": [{"person": "alice"}]}]
    send(api, "patch", "policies/shop/", {"levels": levels}, status=400)
    send(api, "patch", "policies/shop/", {"levels": levels, "timings": [timing(2)]}, status=200)


def test_services_that_the_caller_may_not_know_of_stay(api: Client) -> None:
    send(api, "post", "policies/", policy(), status=201)
    stored = EscalationPolicy.objects.get(slug="shop")
    others = Team.objects.create(slug="others", name="Others")
    hidden = Service.objects.create(slug="hidden", name="Hidden", owner=others, is_private=True)
    ServicePolicy.objects.create(service=hidden, policy=stored)
    Service.objects.create(slug="checkout", name="Checkout")
    changed = send(api, "patch", "policies/shop/", {"called_for": ["checkout"]}, status=200)
    assert changed["services"] == ["checkout"]
    held = stored.services.order_by("service__slug").values_list("service__slug", flat=True)
    assert list(held) == ["checkout", "hidden"]


def test_there_is_always_a_default_one(api: Client) -> None:
    send(api, "post", "policies/", policy(is_default=True), status=201)
    refused = send(api, "patch", "policies/shop/", {"is_default": False}, status=400)
    assert "is_default" in refused["errors"]
    send(api, "post", "policies/", policy(slug="two", name="Two", is_default=True), status=201)
    send(api, "patch", "policies/shop/", {"is_default": False}, status=200)
    admin = signed_in(Role.ADMIN)
    default = EscalationPolicy.objects.get(is_default=True)
    address = f"/admin/oncall/escalationpolicy/{default.pk}/delete/"
    assert admin.post(address, {"post": "yes"}).status_code == 403
    assert EscalationPolicy.objects.filter(pk=default.pk).exists()


def test_an_override_that_has_begun_is_not_deleted_in_the_admin() -> None:
    schedule = Schedule.objects.create(slug="shop", name="Shop")
    begun = Override.objects.create(
        schedule=schedule,
        person=person("bob"),
        starts_at="2026-01-01T00:00:00Z",
        ends_at="2026-01-02T00:00:00Z",
    )
    address = f"/admin/oncall/override/{begun.pk}/delete/"
    assert signed_in(Role.ADMIN).post(address, {"post": "yes"}).status_code == 403
    assert Override.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"repeat_after": "999999999 00:00:00"}, "repeat_after"),
        ({"ack_timeout": "91 00:00:00"}, "ack_timeout"),
        ({"timings": [timing(after="999999999 00:00:00")]}, "timings[0].after"),
        ({"work_begins": "09:00+02:00"}, "work_begins"),
    ],
)
def test_times_that_nobody_keeps_are_refused_by_their_field(
    api: Client, change: dict[str, Any], field: str
) -> None:
    refused = send(api, "post", "policies/", policy(**change), status=400)
    assert list(refused["errors"]) == [field]


@pytest.mark.parametrize("said", ["1", "true", "TRUE"])
def test_filters_by_truth(api: Client, said: str) -> None:
    send(api, "post", "policies/", policy(is_default=True), status=201)
    send(api, "post", "policies/", policy(slug="two", name="Two"), status=201)
    found = send(api, "get", f"policies/?is_default={said}", status=200)["results"]
    assert [each["slug"] for each in found] == ["shop"]
    found = send(api, "get", "policies/?is_default=0", status=200)["results"]
    assert "two" in [each["slug"] for each in found]
    assert "shop" not in [each["slug"] for each in found]
    refused = send(api, "get", "policies/?is_default=banana", status=400)
    assert refused["errors"] == {"is_default": ["Use true or false."]}


@pytest.mark.parametrize(
    ("address", "ordering", "value"),
    [
        ("incidents/", ["-opened_at", "-id"], "0001-01-01T00:00:00+14:00"),
        ("incidents/", ["-opened_at", "-id"], "9999-12-31T23:59:59-14:00"),
        ("incidents/?ordering=severity", ["severity", "pk"], "\ud800"),
        ("policies/?ordering=name", ["name", "pk"], "\ud800"),
    ],
)
def test_a_cursor_that_somebody_made_up(
    api: Client, address: str, ordering: list[str], value: str
) -> None:
    raw = json.dumps([ordering, [value, 1], False]).encode()
    cursor = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    mark = "&" if "?" in address else "?"
    refused = send(api, "get", f"{address}{mark}cursor={cursor}", status=400)
    assert "cursor" in refused["errors"]
