"""`/health` tells that addresses cannot be opened, as they are after a restore without its key."""

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from core import clock, encryption
from core.health import Status, board
from notifications.health import KEEP_S, AddressCheck
from notifications.models import ContactMethod

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def method(name: str, **more: str) -> ContactMethod:
    """Make a way to reach somebody."""
    return ContactMethod.objects.create(
        person=User.objects.create_user(name, f"{name}@example.org"),
        kind="webhook",
        label="phone",
        verified_at=clock.now(),
        sealed_address=encryption.encrypt("https://example.org/"),
        **more,
    )


def test_addresses_that_no_key_opens_degrade(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = ["the one before"]
    method("alice")
    ContactMethod.objects.filter(pk=method("gone").pk).update(is_enabled=False)
    assert AddressCheck()(clock.now()).status is Status.HEALTHY
    settings.ENCRYPTION_KEYS = ["another"]
    method("bob")
    found = AddressCheck()(clock.now())
    assert found.status is Status.DEGRADED
    assert "no key opens 1 of them" in found.detail


def test_a_secret_that_no_key_opens_counts_as_well(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = ["the one before"]
    secret = encryption.encrypt("secret")
    settings.ENCRYPTION_KEYS = ["another"]
    method("alice", sealed_secret=secret)
    assert AddressCheck()(clock.now()).status is Status.DEGRADED


def test_asking_often_opens_them_seldom(settings: Settings) -> None:
    passed = [0.0]
    check = AddressCheck(clock=lambda: passed[0])
    settings.ENCRYPTION_KEYS = ["one"]
    method("alice")
    assert check(clock.now()).status is Status.HEALTHY
    settings.ENCRYPTION_KEYS = ["another"]
    assert check(clock.now()).status is Status.HEALTHY
    passed[0] = KEEP_S
    assert check(clock.now()).status is Status.DEGRADED


def test_health_shows_them(client: Client) -> None:
    board._fresh_until = float("-inf")
    assert "addresses" in client.get("/health").json()["checks"]
