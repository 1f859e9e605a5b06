"""What callers get while the database is away, and after."""

import pytest
from django.db import IntegrityError, InterfaceError
from rest_framework.test import APIClient

from core.errors import Unavailable
from sre.circuit_breaker import State, db_circuit_breaker
from users_api import degradation
from users_api.degradation import LastGood
from users_api.models import Person
from users_api.tests.conftest import Outage

BOB = {"name": "Bob", "email": "bob@example.org"}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_reads_go_stale_then_recover(
    client: APIClient, alice: Person, database_down: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five failures open the breaker; copies are served, marked; a working database closes it."""
    address = f"/api/users/{alice.pk}"
    person, page = client.get(address).json(), client.get("/api/users").json()
    with database_down():
        for _ in range(5):
            assert client.get(address)["X-Degraded"].startswith("stale; age=")
        assert db_circuit_breaker.snapshot()["state"] == "open"
        stale_person, stale_page = client.get(address), client.get("/api/users")
    assert (stale_person.status_code, stale_person.json()) == (200, person)
    assert (stale_page.status_code, stale_page.json()) == (200, page)
    assert "X-Degraded" in client.get(address)

    monkeypatch.setattr(db_circuit_breaker, "recovery_timeout", 0.0)
    assert "X-Degraded" not in client.get(address)
    assert db_circuit_breaker.state is State.CLOSED


def test_read_without_a_copy_says_when_to_come_back(
    client: APIClient, alice: Person, database_down: Outage
) -> None:
    """What was never read cannot be served: 503 with Retry-After, before and after it opens."""
    with database_down():
        for _ in range(7):
            answer = client.get(f"/api/users/{alice.pk}")
            assert answer.status_code == 503
            assert int(answer["Retry-After"]) >= 1
    assert 55 <= int(answer["Retry-After"]) <= 60


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_write_is_never_lost_silently(
    client: APIClient, alice: Person, database_down: Outage, method: str
) -> None:
    """A write that cannot be stored is answered 503, and changes nothing."""
    address = "/api/users" if method == "post" else f"/api/users/{alice.pk}"
    client.get(address)
    with database_down():
        answer = getattr(client, method)(address, BOB)
    assert answer.status_code == 503
    assert "Retry-After" in answer
    assert list(Person.objects.values_list("name", flat=True)) == ["Alice"]


def test_refusals_do_not_open_the_breaker(client: APIClient, alice: Person) -> None:
    """Conflicts, unknown ids, wrong fields and bad cursors say nothing about the database."""
    for _ in range(6):
        assert client.post("/api/users", {"name": "A", "email": alice.email}).status_code == 409
        assert client.patch("/api/users/999", {"name": "A"}).status_code == 404
        assert client.delete("/api/users/999").status_code == 404
        assert client.get("/api/users/999").status_code == 404
        assert client.post("/api/users", {}).status_code == 400
        assert client.get("/api/users?cursor=abc").status_code in {400, 404}
    assert db_circuit_breaker.state is State.CLOSED
    assert db_circuit_breaker.snapshot()["failures"] == 0


def test_copies_know_of_this_process_own_writes(
    client: APIClient, alice: Person, database_down: Outage
) -> None:
    """A stale page shows no person that was removed here, and the latest name."""
    bob = client.post("/api/users", BOB).json()
    client.get("/api/users")
    client.get(f"/api/users/{bob['id']}")
    client.patch(f"/api/users/{alice.pk}", {"name": "Alison"})
    client.delete(f"/api/users/{bob['id']}")
    with database_down():
        page = client.get("/api/users")
        assert [row["name"] for row in page.json()["results"]] == ["Alison"]
        assert client.get(f"/api/users/{bob['id']}").status_code == 503


def test_session_that_cannot_be_read_does_not_stop_the_anonymous(
    client: APIClient, alice: Person, database_down: Outage
) -> None:
    """Where anybody is served, a browser's cookie makes no difference during an outage."""
    assert client.get(f"/api/users/{alice.pk}").status_code == 200
    client.cookies["sessionid"] = "s" * 32
    with database_down():
        assert client.get(f"/api/users/{alice.pk}")["X-Degraded"].startswith("stale")


class Clock:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def away() -> str:
    """Fail as an unreachable database does."""
    raise InterfaceError("connection already closed")


def test_copy_has_an_age_and_an_end() -> None:
    """A copy says how old it is, and is not served beyond its age."""
    clock = Clock()
    kept = LastGood(max_age_s=60, clock=clock)
    kept.read("a", lambda: "fresh")
    clock.seconds += 60
    served = kept.read("a", away)
    assert (served.value, served.age_s, served.is_stale) == ("fresh", 60, True)
    clock.seconds += 1
    with pytest.raises(Unavailable):
        kept.read("a", away)


def test_least_recently_read_copy_goes_first() -> None:
    """Memory is bounded; what is read most stays."""
    kept = LastGood(max_entries=2)
    for key in ("a", "b", "a", "c"):
        kept.read(key, lambda: "value")
    assert kept.read("a", away).is_stale
    with pytest.raises(Unavailable):
        kept.read("b", away)


def test_read_that_missed_a_write_is_not_kept() -> None:
    """A copy read before a write, but finished after it, would bring the removed back."""
    kept = LastGood()

    def slow() -> str:
        kept.clear()
        return "old"

    assert kept.read("a", slow).value == "old"
    with pytest.raises(Unavailable):
        kept.read("a", away)


def test_constraint_is_an_answer_not_an_outage() -> None:
    """A refused row reaches the caller as what it is."""

    def refuse() -> None:
        raise IntegrityError("duplicate")

    with pytest.raises(IntegrityError):
        degradation.write(refuse)
    assert db_circuit_breaker.snapshot()["failures"] == 0
