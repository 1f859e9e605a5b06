"""What the pages cost the database, and that more services and SLOs cost no more."""

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from slo.tests.world import LAG, MINUTE, World
from tests.query_counts import AssertQueries

pytestmark = pytest.mark.django_db

PAGES = [
    "/",
    "/sre/dashboard-ui",
    "/sre/dashboard",
    "/sre/metrics",
    "/sre/capacity",
    "/slo/",
    "/slo/users-api-availability/",
    "/services/",
    "/alerts/",
]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a portal that has counted some minutes, and whose wall clock is the world's."""
    made = World()
    made.run(3, good=95, errors=5)
    for module in ("dashboard.views", "dashboard.api", "slo.views"):
        monkeypatch.setattr(f"{module}.now", lambda: made.minute + LAG - MINUTE)
    return made


@pytest.mark.parametrize("page", PAGES)
def test_page_costs_the_same_however_many_there_are(
    client: Client, world: World, assert_queries: AssertQueries, page: str
) -> None:
    """One more service, or twenty-one more with an SLO and an alert each: the same queries."""
    client.force_login(User.objects.create_user("alice", role=Role.VIEWER))
    for more in (1, 20):
        world.add_services(more)
        client.get(page)  # what a process reads once is not the page's
        with assert_queries(page):
            assert client.get(page).status_code == 200
