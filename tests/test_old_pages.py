"""Whoever saves an old page is told what changed meanwhile; nothing is overwritten unseen."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import person, signed_in
from catalog.models import Dependency, Service, Team
from incidents.models import Integration
from incidents.tests.senders import integration_of

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
Change = Callable[[], object]


def service() -> tuple[str, Change]:
    """Of a service somebody else removes what it needs."""
    shop = Service.objects.create(slug="shop", name="Shop")
    needed = Service.objects.create(slug="db", name="Database")
    link = Dependency.objects.create(service=shop, target=needed)
    return "/services/shop/edit/", link.delete


def team() -> tuple[str, Change]:
    """A team, from which somebody else takes bob."""
    row, bob = Team.objects.create(slug="payments", name="Payments"), person("bob")
    row.members.add(bob)
    return "/services/teams/payments/edit/", lambda: row.members.remove(bob)


def integration() -> tuple[str, Change]:
    """An integration, whose key leaked, so that somebody else switches it off."""
    row, _ = integration_of("generic")
    return f"/integrations/{row.pk}/edit/", lambda: Integration.objects.update(is_enabled=False)


ROWS = pytest.mark.parametrize("made", [service, team, integration])


def sent(client: Client, page: str) -> dict[str, Any]:
    """Return what a browser sends of an edit form in which nothing is typed."""
    fields = {bound.html_name: bound.value() for bound in client.get(page).context["form"]}
    return {name: value for name, value in fields.items() if value not in (None, False)}


@ROWS
def test_an_old_page_changes_nothing_until_its_reader_insists(
    made: Callable[[], tuple[str, Change]],
) -> None:
    page, change = made()
    client = signed_in(Role.MANAGER)
    old = sent(client, page)
    change()
    new = sent(client, page)
    assert old != new
    typed = old | {"runbook_url": "https://wiki.example.org/", "contact": "#payments"}
    refused = client.post(page, typed)
    assert refused.status_code == 422
    shown = refused.content.decode()
    assert "Somebody changed it after you opened this page" in shown
    assert "https://wiki.example.org/" in shown or "#payments" in shown
    assert sent(client, page) == new
    typed["as_of"] = refused.context["form"]["as_of"].value()
    assert client.post(page, typed).status_code == 302


@ROWS
def test_a_page_of_now_is_saved(made: Callable[[], tuple[str, Change]]) -> None:
    page, _ = made()
    client = signed_in(Role.MANAGER)
    assert client.post(page, sent(client, page)).status_code == 302
