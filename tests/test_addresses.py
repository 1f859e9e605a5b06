"""Programs' addresses work with and without a slash at the end: a redirect would lose what was sent."""

from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.scopes import Scope
from accounts.tests.cast import bearer, person, token_of
from catalog.models import Service
from core.clock import now
from slo.models import Annotation, Slo
from slo.services.defaults import ensure_defaults
from tests.test_access import ADDRESSES

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OF_PROGRAMS = ("api/v1/", "api/users", "sre/", "v1/", "health")
FOUND = [address for address, _ in ADDRESSES if address.startswith(OF_PROGRAMS)]


@pytest.fixture
def api() -> Client:
    """Return a client with an admin's token."""
    _, secret = token_of(person("root", Role.ADMIN), Scope.READ, Scope.WRITE, Scope.INGEST)
    return Client(headers=bearer(secret))


def sent(api: Client, method: str, address: str) -> tuple[int, Any]:
    """Return the status, and the view that was asked."""
    answer = getattr(api, method)(f"/{address}", data={}, content_type="application/json")
    return answer.status_code, getattr(answer.wsgi_request.resolver_match, "func", None)


@pytest.mark.parametrize("method", ["get", "post"])
def test_both_forms_ask_the_same_view(api: Client, method: str) -> None:
    """Whatever the address is, nobody has to know how it ends."""
    wrong = []
    for address in FOUND:
        other = address.removesuffix("/") if address.endswith("/") else f"{address}/"
        (status, view), (other_status, other_view) = (
            sent(api, method, address),
            sent(api, method, other),
        )
        # What takes a shortcut asks no view.
        is_same = status == other_status and (view == other_view or None in {view, other_view})
        if not is_same or status in {301, 302, 308}:
            wrong.append((address, status, other_status))
    assert wrong == []
    assert len(FOUND) > 100


def test_what_is_sent_arrives(api: Client) -> None:
    """Created, changed, asked and deleted by the shorter address."""
    ensure_defaults(now=now())
    body = {"slug": "shop", "name": "Shop"}
    made = api.post("/api/v1/services", body, content_type="application/json")
    assert (made.status_code, made.json()["slug"]) == (201, "shop")
    changed = api.patch(
        "/api/v1/services/shop", {"name": "The shop"}, content_type="application/json"
    )
    assert (changed.status_code, changed.json()["name"]) == (200, "The shop")
    slug = Slo.objects.values_list("slug", flat=True)[0]
    asked = api.post(
        f"/api/v1/slos/{slug}/preview", {"objective": "0.99"}, content_type="application/json"
    )
    assert (asked.status_code, asked.json()["code"]) == (409, "conflict")  # nothing was counted yet
    assert api.delete("/api/v1/services/shop").status_code == 204


def test_what_is_nowhere_stays_nowhere(api: Client) -> None:
    """Both forms of an address that does not exist are a 404."""
    for address in ("/api/v1/nothing", "/api/v1/nothing/", "/sre/nothing", "/sre/nothing/"):
        assert api.post(address, {}, content_type="application/json").status_code == 404


def test_links_lead_on_by_the_form_that_works_everywhere(api: Client) -> None:
    """The next page's address is the same for both."""
    ensure_defaults(now=now())
    short, long = (api.get(f"/api/v1/slos{end}?page_size=1").json() for end in ("", "/"))
    assert short["next"] == long["next"]
    assert "/api/v1/slos/?" in short["next"]


def test_reports_arrive_by_either_form(api: Client) -> None:
    """A batch is counted whether its address ends with a slash or not."""
    ensure_defaults(now=now())
    event = {"service": "users-api", "endpoint": "/api/users", "status": 200, "duration_ms": 12.5}
    for address in ("/api/v1/telemetry/requests", "/api/v1/telemetry/requests/"):
        answer = api.post(address, [event], content_type="application/json")
        assert (answer.status_code, answer.json()["accepted"]) == (200, 1)


@pytest.mark.parametrize("odd", ["1_0", "+1", "%201", "1%20", "٣", "01", "-1", "1.0", "9" * 30])
def test_a_row_has_one_address(api: Client, odd: str) -> None:
    """What Python takes for the same number is another address, where nothing is."""
    service = Service.objects.create(slug="web", name="Web")
    for number in (1, 3, 10):
        Annotation.objects.create(pk=number, service=service, title="Deploy", starts_at=now())
    assert api.get("/api/v1/annotations/10/").status_code == 200
    assert api.get(f"/api/v1/annotations/{odd}/").status_code == 404
