"""What others name may be one long word: no page grows wider than its screen."""

from typing import Any

import pytest
from django.apps import apps
from django.db.models import CharField, F, Model, TextField, Value
from django.db.models.functions import Cast, Concat
from django.test import Client
from playwright.sync_api import Page

from accounts.roles import Role
from tests.browser.conftest import SCREENS, Visits
from tests.browser.test_barriers import ELSEWHERE, answering
from tests.populated import PopulatedPortal, addresses

pytestmark = pytest.mark.browser

# How people and senders call things, and what they say of them.
CALLED = frozenset({"detail", "comment", "description", "name", "summary", "title"})
APPS = ("accounts", "catalog", "incidents", "notifications", "oncall", "slo")
LONGEST = 300
# Beyond its own edge a table is scrolled, but not for names.
MOST_OF_A_TABLE = 1000
WIDE = f"""() => [
  document.documentElement.scrollWidth > innerWidth ? "the page" : "",
  ...[...document.querySelectorAll(".table-wrap")].map(
    table => table.scrollWidth > {MOST_OF_A_TABLE} + table.clientWidth ? "a table" : ""),
].filter(Boolean)"""


def rename(model: type[Model]) -> None:
    """Give rows names of one word as long as the database allows, each its own."""
    for field in model._meta.get_fields():
        if (
            not isinstance(field, CharField | TextField)
            or field.name not in CALLED
            or field.choices
        ):
            continue
        length = min(LONGEST, field.max_length or LONGEST) - 20
        number: Any = Cast(F("pk"), CharField())
        model._default_manager.update(
            **{field.name: Concat(Value("w" * length), number, output_field=TextField())}
        )


@pytest.mark.parametrize("screen", ["phone", "desktop"])
def test_no_page_is_wider_than_its_screen(
    portal_page: Visits, populated_portal: PopulatedPortal, client: Client, screen: Any
) -> None:
    for name in APPS:
        for model in apps.get_app_config(name).get_models():
            rename(model)
    client.force_login(populated_portal.admin)
    pages = answering(client, [page for page in addresses() if not page.startswith(ELSEWHERE)])
    assert len(pages) > 30
    page: Page = portal_page(role=Role.ADMIN, screen=screen)
    assert page.viewport_size == SCREENS[screen]
    wide = {}
    for address in pages:
        page.goto(address)
        if found := page.evaluate(WIDE):
            wide[address] = found
    assert wide == {}
