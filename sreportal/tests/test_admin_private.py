"""The admin keeps private services from managers of other teams, as all other pages do."""

import pytest
from django.contrib import admin
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from catalog.models import Dependency, Service, Team
from tests.populated import PopulatedPortal, addresses

pytestmark = pytest.mark.django_db


@pytest.fixture
def hidden(populated_portal: PopulatedPortal) -> Service:
    """Return a private service with rows of every kind."""
    found = Service.objects.get(owner__slug="team-1")
    found.name, found.is_private = "Zyzzyva", True
    found.save()
    return found


def manager(*teams: Team) -> Client:
    user = User.objects.create_user("mary", role=Role.MANAGER)
    user.teams.set(teams)
    client = Client()
    client.force_login(user)
    return client


def test_a_private_service_is_on_no_page_of_the_admin(hidden: Service) -> None:
    """Neither in lists nor in choices; rows of it are not there, to read, change or delete."""
    Dependency.objects.create(service=Service.objects.get(slug="users-api"), target=hidden)
    mary = manager()
    told = {
        page
        for page in addresses()
        if page.startswith("/admin/") and "Zyzzyva" in mary.get(page).content.decode()
    }
    assert told == set()
    for name in ("change", "delete", "history"):
        mine, nobodys = (f"/admin/catalog/service/{pk}/{name}/" for pk in (hidden.pk, 987654))
        assert mary.get(mine).status_code == mary.get(nobodys).status_code != 200
        assert mary.post(mine, {"name": "Mine", "post": "yes"}).status_code != 200
    hidden.refresh_from_db()
    assert (hidden.name, hidden.is_private) == ("Zyzzyva", True)


def test_its_team_and_admins_have_it_in_the_admin(
    hidden: Service, populated_portal: PopulatedPortal, client: Client
) -> None:
    assert hidden.owner is not None
    client.force_login(populated_portal.admin)
    for reader in (client, manager(hidden.owner)):
        for model in ("catalog/service", "incidents/incident", "slo/sli"):
            assert "Zyzzyva" in reader.get(f"/admin/{model}/").content.decode(), model


def test_every_page_of_the_admin_asks_who_may_know() -> None:
    for pages in admin.site._registry.values():
        for part in (type(pages), *pages.inlines):
            assert part.__mro__[1].__name__ in {"PortalPages", "KnownRows"}, part
