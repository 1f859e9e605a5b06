"""Open circuit breakers alert through the one intake, and end when they close."""

from datetime import UTC, datetime, timedelta

import pytest

from catalog.models import Service
from incidents.models import Alert, Incident
from slo.services.breakers import check_breakers
from telemetry.models import CircuitBreakerState

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def say(state: str, at: datetime, instance: str = "a") -> None:
    """Report a state, as a process does."""
    CircuitBreakerState.objects.update_or_create(
        service="checkout",
        name="database",
        instance=instance,
        defaults={"state": state, "calls": 9, "reported_at": at},
    )


def test_open_alerts_once_and_closed_ends_it() -> None:
    service = Service.objects.create(slug="checkout", name="Checkout")
    say("open", NOON)
    assert check_breakers(now=NOON) == 1
    assert check_breakers(now=NOON + timedelta(seconds=15)) == 1
    alert = Alert.objects.get()
    assert (alert.source, alert.service, alert.count) == ("breaker", service, 2)
    assert alert.title == "Circuit breaker database of checkout is open"
    assert Incident.objects.get().severity == "P2"
    say("half_open", NOON + timedelta(seconds=30))
    assert check_breakers(now=NOON + timedelta(seconds=30)) == 0
    assert Incident.objects.get().status == "resolved"


def test_open_in_one_process_is_open() -> None:
    say("closed", NOON, "a")
    say("open", NOON, "b")
    assert check_breakers(now=NOON) == 1


def test_silence_neither_opens_nor_ends() -> None:
    """A process that is gone does not mend what it called."""
    say("open", NOON - timedelta(hours=1))
    assert check_breakers(now=NOON) == 0
    assert not Alert.objects.exists()
    say("open", NOON)
    check_breakers(now=NOON)
    check_breakers(now=NOON + timedelta(hours=1))
    assert Alert.objects.firing().count() == 1
