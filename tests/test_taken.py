"""A slug or name that is taken is a conflict (409) whatever it names, and the answer names the field."""

from functools import partial
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import send, signed_in
from core.taken import TAKEN
from core.tests.crossing import beside, until_somebody_waits
from oncall.tests.test_editors import shown
from sreportal.api_urls import router

# In an order in which each finds what it names.
BODIES: dict[str, dict[str, Any]] = {
    "users": {"username": "eve", "role": "viewer"},
    "teams": {"slug": "ops", "name": "Ops"},
    "services": {"slug": "pay"},
    "sources": {"slug": "prom", "kind": "prometheus", "url": "https://prom.example.com"},
    "slis": {"slug": "pay-errors", "service": "pay", "kind": "availability"},
    "slos": {"slug": "pay-errors", "name": "Pay", "sli": "pay-errors", "objective": "0.99"},
    "threshold-rules": {"slug": "pay-cpu", "name": "CPU", "metric": "cpu", "threshold": "0.9"},
    "budget-policies": {"slug": "strict", "name": "Strict"},
    "holiday-calendars": {"slug": "uk", "name": "UK", "country": "GB"},
    "schedules": {"slug": "main", "name": "Main"},
    "policies": {"slug": "own", "name": "Own"},
}


@pytest.fixture
def api() -> Client:
    return signed_in(Role.ADMIN)


@pytest.mark.django_db
@pytest.mark.both_databases
def test_what_is_taken_is_a_conflict(api: Client) -> None:
    for resource, body in BODIES.items():
        send(api, "post", f"{resource}/", body, status=201)
        refused = send(api, "post", f"{resource}/", body, status=409)
        assert list(refused["errors"]) == ["username" if resource == "users" else "slug"], resource
        assert refused["code"] == "conflict"


def test_every_resource_that_is_known_by_a_slug_says_so() -> None:
    known = {
        prefix for prefix, view, _ in router.registry if getattr(view, "lookup_field", "") == "slug"
    }
    assert known == BODIES.keys() - {"users"}


@pytest.mark.django_db
@pytest.mark.both_databases
def test_what_is_wrong_besides_comes_first(api: Client) -> None:
    """All that is wrong is named at once; sent again as it is, it would be refused for that."""
    send(api, "post", "schedules/", BODIES["schedules"], status=201)
    wrong = {**BODIES["schedules"], "timezone": "Mars/Olympus"}
    refused = send(api, "post", "schedules/", wrong, status=400)
    assert sorted(refused["errors"]) == ["slug", "timezone"]
    assert refused["code"] == "invalid"


@pytest.mark.django_db
@pytest.mark.both_databases
def test_a_slug_is_not_changed_to_one_that_is_taken(api: Client) -> None:
    for slug in ("main", "other"):
        send(api, "post", "schedules/", {**BODIES["schedules"], "slug": slug}, status=201)
    refused = send(api, "patch", "schedules/other/", {"slug": "main"}, status=409)
    assert list(refused["errors"]) == ["slug"]


def refused_beside(api: Client, path: str, body: dict[str, Any], answers: list[Any]) -> None:
    """Note how the second of two is refused."""
    answers.append(send(api, "post", path, body, status=409))


@pytest.mark.django_db(transaction=True)
def test_what_is_taken_in_the_same_moment_is_named_as_well(api: Client) -> None:
    """Whoever comes second was let pass by every check; the database stops them."""
    for resource, body in BODIES.items():
        path = f"{resource}/"
        with transaction.atomic():
            send(api, "post", path, body, status=201)
            answers: list[Any] = []
            doing, failed = beside(partial(refused_beside, api, path, body, answers))
            until_somebody_waits(doing)
            assert doing.is_alive(), resource
        doing.join(30)
        assert not failed, (resource, failed)
        assert list(answers[0].get("errors", [])) == [
            "username" if resource == "users" else "slug"
        ], resource


@pytest.mark.django_db(transaction=True)
def test_a_page_says_at_its_field_what_is_taken_in_the_same_moment(api: Client) -> None:
    """What was typed is kept."""
    client, address = signed_in(Role.MANAGER), "/oncall/new/"
    typed = {**shown(client, address), "slug": "main", "name": "Typed"}
    answers: list[Any] = []
    with transaction.atomic():
        send(api, "post", "schedules/", {"slug": "main", "name": "First"}, status=201)
        doing, failed = beside(lambda: answers.append(client.post(address, typed)))
        until_somebody_waits(doing)
        assert doing.is_alive()
    doing.join(30)
    assert not failed, failed
    assert answers[0].status_code == 422
    assert answers[0].context["form"].errors == {"slug": [TAKEN]}
    assert 'value="Typed"' in answers[0].content.decode()
