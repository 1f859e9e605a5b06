"""Circuit breakers are known by what their processes last said."""

from datetime import timedelta
from typing import Any

import pytest

from telemetry import queries
from telemetry.models import CircuitBreakerState
from telemetry.services.breakers import publish
from telemetry.tests.builders import NOW

pytestmark = pytest.mark.django_db


def state(name: str = "closed", **changes: Any) -> dict[str, Any]:
    return {"state": name, "failure_rate": None, "calls": 0, "since": NOW} | changes


def test_last_word_of_a_process_counts() -> None:
    """A breaker is one row per process, renewed by each report."""
    publish({"db": state()}, service="users-api", instance="web:1", now=NOW)
    opened = state("open", failure_rate=1.0, calls=5)
    publish({"db": opened}, service="users-api", instance="web:1", now=NOW)
    publish({"db": state()}, service="users-api", instance="web:2", now=NOW)
    assert [row.state for row in queries.breakers(now=NOW)] == ["open", "closed"]


def test_silent_process_is_not_quoted() -> None:
    """After a minute without a word nothing is known of its breakers; later the row goes."""
    publish({"db": state("open")}, service="users-api", instance="web:1", now=NOW)
    later = NOW + timedelta(minutes=2)
    assert queries.breakers(now=later) == []
    publish({}, service="users-api", instance="web:2", now=NOW + timedelta(hours=2))
    assert CircuitBreakerState.objects.count() == 0
