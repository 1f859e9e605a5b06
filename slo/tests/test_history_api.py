"""What was known at an instant, by the API and on the page; and the page that imports."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import person
from slo.models import Slo, Source
from slo.tests.world import LAG, MINUTE, NOON, World

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
PAGE = "/slo/users-api-availability/"
HISTORY = "/api/v1/slos/users-api-availability/history/"
SLOTH = """
version: prometheus/v1
service: shop
slos:
  - name: up
    objective: 99.9
    sli: {events: {error_query: "sum(rate(e[{{.window}}]))", total_query: "sum(rate(t[{{.window}}]))"}}
    alerting: {page_alert: {disable: true}, ticket_alert: {disable: true}}
"""


def signed_in(role: Role) -> Client:
    client = Client()
    client.force_login(person(f"the-{role.label.lower()}", role))
    return client


def test_late_data_changes_what_is_counted_and_not_what_was_known() -> None:
    """A minute reported two minutes late: the portal knew 100 requests then, and counts 300 now."""
    world = World()
    world.run(3, good=100)
    at = (NOON + LAG + MINUTE * 2 + timedelta(seconds=1)).isoformat()
    world.serve(200, at=NOON + MINUTE)
    world.tick()
    api = signed_in(Role.VIEWER)
    found = api.get(HISTORY, {"at": at}).json()
    assert (found["known"]["total"], found["counted"]["total"]) == (300, 500)
    assert found["known"]["watermark"] == (NOON + MINUTE * 3).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    "at", ["", "soon", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-13-01T00:00"]
)
def test_an_instant_that_is_none_is_refused(at: str) -> None:
    """By field in the API, in words on the page; never an error of ours."""
    World().run(1, good=1)
    api = signed_in(Role.VIEWER)
    answer = api.get(HISTORY, {"at": at})
    assert answer.status_code == 400
    assert "at" in answer.json()["errors"]
    assert api.get(PAGE, {"at": at}).status_code == 200


def test_before_the_first_round_nothing_was_known() -> None:
    """Null, which is not zero."""
    World().run(1, good=1)
    found = signed_in(Role.VIEWER).get(HISTORY, {"at": "2020-01-01T00:00:00Z"}).json()
    assert found["known"] is None
    assert found["counted"]["total"] == 0


def post(client: Client, **fields: Any) -> str:
    answer = client.post("/slo/import/", fields)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def test_an_import_is_looked_at_before_it_is_done() -> None:
    """The preview writes nothing; importing does, and what has no place is said."""
    Source.objects.create(slug="prom", kind="prometheus", url="http://prom.example.org")
    manager = signed_in(Role.MANAGER)
    page = post(manager, yaml=SLOTH, preview="1")
    assert "shop-up" in page
    assert "Carried" in page
    assert not Slo.objects.exists()
    post(manager, yaml=SLOTH, apply="1")
    assert Slo.objects.get().slug == "shop-up"


def test_a_refused_document_names_line_and_field() -> None:
    """What is typed stays in the form."""
    page = post(signed_in(Role.MANAGER), yaml=SLOTH.replace("99.9", "100"), preview="1")
    assert "Refused" in page
    assert "slos[0].objective" in page
    assert "objective: 100" in page


def test_importing_is_for_managers_and_needs_a_text() -> None:
    """Others are refused, and an empty form says what is missing."""
    assert signed_in(Role.VIEWER).get("/slo/import/").status_code == 403
    manager = signed_in(Role.MANAGER)
    assert manager.get("/slo/import/").status_code == 200
    assert manager.post("/slo/import/", {}).status_code == 422
