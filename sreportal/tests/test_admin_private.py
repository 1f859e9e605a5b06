"""The admin keeps private services from managers of other teams, as all other pages do."""

import pytest
from django.contrib import admin
from django.db import transaction
from django.db.models import Model
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from catalog.models import Dependency, Service, Team
from core import audit, clock
from core.models import AuditEntry
from slo.models import Sli
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
    user = User.objects.create_user("mary" if not teams else "olga", role=Role.MANAGER)
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


AUDIT = "/admin/core/auditentry/"


def told_of(subject: str | Model, **changes: str) -> str:
    """Write an entry of the audit; returns what its list says of it."""
    with transaction.atomic():
        audit.record(act="test.done", subject=subject, actor=None, now=clock.now(), changes=changes)
    return audit.subject_name(subject)


def shown(reader: Client) -> str:
    return reader.get(AUDIT + "?act=test.done").content.decode()


def test_the_audit_is_told_as_its_subjects_are(
    hidden: Service, populated_portal: PopulatedPortal, client: Client
) -> None:
    """Acts upon a private service and its rows are for its team and admins; what is gone is for admins."""
    sli, other = Sli.objects.filter(service=hidden)[0], Sli.objects.exclude(service=hidden)[0]
    team = Team.objects.get(slug="team-1")
    told = [told_of(each, name="x") for each in (hidden, sli)]
    gone = [told_of(each) for each in ("slo.sli:987654", "catalog.service:was", "slo.sli:?")]
    public = [
        told_of(each) for each in (other, other.service, team, populated_portal.admin, "plain")
    ]
    seq = AuditEntry.objects.get(subject=told[0], act="test.done").pk
    mary = manager()
    assert all(f">{name}<" in shown(mary) for name in public)
    assert not any(f">{name}<" in shown(mary) for name in (*told, *gone))
    assert mary.get(f"{AUDIT}{seq}/change/").status_code != 200
    assert hidden.owner is not None
    member = shown(manager(hidden.owner))
    assert all(f">{name}<" in member for name in (*told, *public))
    assert not any(f">{name}<" in member for name in gone)
    client.force_login(populated_portal.admin)
    assert all(f">{name}<" in shown(client) for name in (*told, *gone, *public))


def test_every_page_of_the_admin_asks_who_may_know() -> None:
    for pages in admin.site._registry.values():
        for part in (type(pages), *pages.inlines):
            assert part.__mro__[1].__name__ in {"PortalPages", "KnownRows"}, part
