"""The age of the served data is known, with and without traffic."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from rest_framework.test import APIClient

from sre.circuit_breaker import State, db_circuit_breaker
from sre.reporting import Report
from sre.slo_sli import sli_calculator
from users_api import freshness
from users_api.freshness import FreshnessCollector, LastRead, report_freshness
from users_api.models import Person
from users_api.reporting import build_reporter
from users_api.tests.conftest import Outage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_observed_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither counts nor reads of other tests are left."""
    monkeypatch.setattr(freshness, "last_read", LastRead())
    while sli_calculator.drain():
        pass


def observed() -> list[tuple[int, float]]:
    """Return (observations, sum of their ages in seconds) per minute since the last call."""
    return [(row.count, row.total) for row in sli_calculator.drain().freshness]


def test_fresh_reads_are_zero_seconds_old(client: APIClient, alice: Person) -> None:
    """What the database says now has no age."""
    client.get("/api/users")
    client.get(f"/api/users/{alice.pk}")
    assert observed() == [(2, 0)]


def test_stale_reads_report_their_age(
    client: APIClient, alice: Person, database_down: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy is as old as its last good read."""
    client.get(f"/api/users/{alice.pk}")
    observed()
    later = time.monotonic() + 90
    monkeypatch.setattr("users_api.api.last_good._clock", lambda: later)
    with database_down():
        answer = client.get(f"/api/users/{alice.pk}")
    assert answer["X-Degraded"] == "stale; age=90"
    ((count, age_s),) = observed()
    assert count == 1
    assert age_s == pytest.approx(90, abs=1)


def test_collector_knows_the_age_without_traffic(
    database_down: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own small read tells the age; during an outage it grows from the last good read."""
    report_freshness(NOON)
    assert observed() == [(1, 0)]
    later = time.monotonic() + 600
    monkeypatch.setattr("users_api.freshness.time.monotonic", lambda: later)
    with database_down():
        report_freshness(NOON + timedelta(minutes=10))
    ((count, age_s),) = observed()
    assert count == 1
    assert age_s == pytest.approx(600, abs=1)


def test_unknown_age_is_no_data(database_down: Outage) -> None:
    """A process that never read anything cannot say how old it is."""
    with database_down():
        for _ in range(6):
            report_freshness(NOON)
    assert observed() == []
    assert db_circuit_breaker.state is State.OPEN


def test_collector_keeps_its_own_pace(db: None) -> None:
    """However often the reporter asks, one read in 15 seconds is enough."""
    seconds = [0.0]
    collect = FreshnessCollector(lambda: seconds[0])
    for second in range(31):
        seconds[0] = float(second)
        collect()
    assert sum(count for count, _ in observed()) == 3


def test_reporter_hands_over_requests_and_freshness(client: APIClient, alice: Person) -> None:
    """The sink gets what was counted, for the service `users-api`."""
    reports: list[Report] = []
    client.get(f"/api/users/{alice.pk}")
    assert build_reporter(reports.append).flush()
    (report,) = reports
    assert report.service == "users-api"
    assert [(row.endpoint, row.status) for row in report.requests] == [("/api/users/<id>", 200)]
    assert {row.source for row in report.freshness} == {"users"}
