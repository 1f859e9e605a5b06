"""Circuit breakers are known by what their processes last said."""

from datetime import timedelta
from typing import Any

import pytest

from telemetry import queries
from telemetry.models import BreakerMinute, CircuitBreakerState
from telemetry.services.breakers import publish
from telemetry.tests.builders import NOW

pytestmark = pytest.mark.django_db


def state(name: str = "closed", **changes: Any) -> dict[str, Any]:
    counts = {"calls": 0, "failed_total": 0, "slow_total": 0}
    return {"state": name, "failure_rate": None, "since": NOW} | counts | changes


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


def test_failures_and_slow_calls_are_added_to_the_minute_they_were_told_in() -> None:
    """Totals of a process only grow, so what is new since its last word happened since then."""
    say = {"service": "users-api", "instance": "web:1"}
    publish({"db": state(failed_total=2, slow_total=1)}, now=NOW, **say)
    publish({"db": state(failed_total=2, slow_total=1)}, now=NOW, **say)
    publish({"db": state(failed_total=5, slow_total=1)}, now=NOW + timedelta(minutes=1), **say)
    publish({"db": state(failed_total=3)}, service="users-api", instance="web:2", now=NOW)
    counts = BreakerMinute.objects.order_by("minute").values_list("failed", "slow")
    assert list(counts) == [(5, 1), (3, 0)]
    seen = queries.breaker_counts(NOW - timedelta(minutes=1), NOW + timedelta(minutes=2))
    assert seen == {("users-api", "db"): (8, 1)}
