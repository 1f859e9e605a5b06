"""Pings are answered as Healthchecks answers them."""

import uuid

import pytest
from django.test import Client

from incidents.models import Heartbeat
from incidents.tests.senders import integration_of

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SIGNS = ["", "/start", "/fail", "/log", "/0", "/3"]


@pytest.fixture
def key() -> str:
    return integration_of("healthchecks")[1]


@pytest.mark.parametrize("sign", SIGNS)
def test_a_slash_at_the_end_changes_nothing(key: str, sign: str) -> None:
    for path in (f"/ping/{uuid.UUID(key)}", f"/ping/{key}/nightly"):
        assert Client().get(f"{path}{sign}?create=1").status_code in {200, 201}
        before = Heartbeat.objects.latest("pk").last_sign
        assert Client().get(f"{path}{sign}/").status_code == 200
        assert Heartbeat.objects.latest("pk").last_sign == before
    assert Heartbeat.objects.count() == 2


@pytest.mark.parametrize("method", ["head", "get", "post", "put"])
def test_methods_and_headers(key: str, method: str) -> None:
    for path in (f"/ping/{uuid.UUID(key)}", f"/ping/{key}/nightly"):
        answer = getattr(Client(enforce_csrf_checks=True), method)(f"{path}?create=1")
        assert answer.status_code in {200, 201}
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert answer["Access-Control-Expose-Headers"] == "Ping-Body-Limit"


@pytest.mark.parametrize("sign", SIGNS)
def test_a_new_one_is_created(key: str, sign: str) -> None:
    for status, said in ((201, b"Created"), (200, b"OK")):
        answer = Client().get(f"/ping/{key}/nightly{sign}?create=1")
        assert (answer.status_code, answer.content) == (status, said)


def test_what_names_no_run_is_refused(key: str) -> None:
    for path in (f"/ping/{uuid.UUID(key)}", f"/ping/{key}/nightly"):
        for rid in ("", "1", "x" * 36):
            answer = Client().get(f"{path}?create=1&rid={rid}")
            assert (answer.status_code, answer.content) == (400, b"invalid uuid format")
        assert Client().get(f"{path}?create=1&rid={uuid.uuid4()}").status_code in {200, 201}
    assert Client().get(f"/ping/{uuid.uuid4()}?rid=1").status_code == 404
