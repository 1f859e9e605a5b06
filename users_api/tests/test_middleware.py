"""What is counted of the Users API, and under which names."""

from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from sre.slo_sli import sli_calculator
from users_api import demo_faults
from users_api.tests.conftest import Outage

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def nothing_counted_yet() -> None:
    """What other tests counted is taken away."""
    while sli_calculator.drain():
        pass


def counted() -> dict[tuple[str, str, int], int]:
    """Return the requests counted since the test began: {(endpoint, method, status): number}."""
    return {row.key: row.count for row in sli_calculator.drain().requests}


def test_endpoints_have_names_not_paths(client: APIClient) -> None:
    """Requests are told apart by route, method and status; ids and slashes do not matter."""
    made = client.post("/api/users", {"name": "Bob", "email": "bob@example.org"})
    client.get(made["Location"])
    client.get(f"{made['Location']}/")
    client.get("/api/users/")
    client.get("/api/users?q=bob")
    client.get("/api/users/77")
    client.get("/api/users/nobody")
    client.put("/api/users", {})
    assert counted() == {
        ("/api/users", "POST", 201): 1,
        ("/api/users", "GET", 200): 2,
        ("/api/users", "PUT", 405): 1,
        ("/api/users/<id>", "GET", 200): 2,
        ("/api/users/<id>", "GET", 404): 2,
    }


def test_refused_strangers_are_counted(client: APIClient, settings: Settings) -> None:
    """A request that is not let in is a request all the same."""
    settings.USERS_API_ANONYMOUS = False
    status = client.get("/api/users").status_code
    assert status in {401, 403}
    assert counted() == {("/api/users", "GET", status): 1}


@pytest.mark.django_db(transaction=True)
def test_failures_are_counted(client: APIClient, database_down: Outage) -> None:
    """An answer 503 is what the availability objective is about."""
    with database_down():
        client.get("/api/users/1")
    assert counted() == {("/api/users/<id>", "GET", 503): 1}


@pytest.mark.parametrize("path", ["/health/live", "/api/userstore", "/api/v1/", "/nowhere"])
def test_the_rest_of_the_portal_is_not_counted(client: APIClient, path: str) -> None:
    """The objectives are those of the Users API."""
    client.get(path)
    assert counted() == {}


def test_faults_are_off_unless_the_demonstration_is_on(client: APIClient) -> None:
    """Nobody can ask a real portal for failures."""
    assert client.get("/api/users", headers={"X-Demo-Fault": "error"}).status_code == 200


def test_asked_for_error_counts_as_one(
    client: APIClient, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    """A demonstration's failure is answered 503, touches no data and is counted."""
    monkeypatch.setattr(demo_faults, "is_enabled", lambda: True)
    with django_assert_num_queries(0):
        answer = client.get("/api/users", headers={"X-Demo-Fault": "error"})
    assert (answer.status_code, answer.json()["code"]) == (503, "demo_fault")
    assert counted() == {("/api/users", "GET", 503): 1}


def test_asked_for_delay_is_counted(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A demonstration's slow request is late by 300 to 600 ms, and says so in the counts."""
    monkeypatch.setattr(demo_faults, "is_enabled", lambda: True)
    assert client.get("/api/users", headers={"X-Demo-Fault": "slow"}).status_code == 200
    (row,) = sli_calculator.drain().requests
    assert row.total >= 300


@pytest.mark.parametrize("fault", ["nonsense", "", "ERROR"])
def test_unknown_faults_are_ignored(
    client: APIClient, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Only the two documented words mean something."""
    monkeypatch.setattr(demo_faults, "is_enabled", lambda: True)
    assert client.get("/api/users", headers={"X-Demo-Fault": fault}).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_health_is_answered_whatever_the_host(path: str) -> None:
    """Load balancers ask by address."""
    answer = Client().get(path, headers={"Host": "10.1.2.3:8000"})
    assert answer.status_code in {200, 503}
    assert answer["Content-Type"] == "application/json"
