"""Every page of the portal and of its admin, with rows on it, read by axe by day and by night."""

import os
import re
from collections.abc import Callable

import pytest
from django.contrib import admin
from django.test import Client
from playwright.sync_api import Page

from accounts.roles import Role
from tests.browser.conftest import Visits
from tests.populated import PopulatedPortal, addresses

pytestmark = pytest.mark.browser

LISTS = [f"/admin/{m._meta.app_label}/{m._meta.model_name}/" for m in admin.site._registry]
# The admin, which has a test of its own; the API, whose page is Swagger's and draws itself by
# script; parts of pages, which are read where they are shown.
ELSEWHERE = ("/admin/", "/api/", "/incidents/panels/", "/slo/panels/")
# `make fuzz` reads every page of the admin; all other runs those that together show all it is made of.
EVERY_PAGE = bool(os.environ.get("FUZZ_EXAMPLES"))
_ELEMENT = re.compile(r"<(\w+)([^>]*)>")
_ATTRIBUTE = re.compile(r'\b(type|class|role)="([^"]*)"')
# Classes that name one field, one model or one column.
_OF_ONE = re.compile(r"\d|^(field|model|app|column|dynamic|nav)-")
# One of each that the admin colours differently: its front, a list with filters, one without, and
# forms, with and without rows below.
COLOURED = frozenset({"/admin/", "/admin/slo/slo/", "/admin/core/jobslot/"})
COLOURED_FORMS = ("/admin/slo/slo/", "/admin/oncall/schedule/", "/admin/accounts/user/")
CONTRAST = ["color-contrast"]
OF_COLOURS = [*CONTRAST, "link-in-text-block"]
# Half of each page of the admin, and always the same: looked at where colours are.
NAVIGATION = "#nav-sidebar"
# Colours fade from day to night, although less where motion is reduced.
SETTLED = "() => Promise.all(document.getAnimations().map(change => change.finished))"


def answering(client: Client, pages: list[str]) -> list[str]:
    """Return the addresses that answer with a page of HTML."""
    answers = ((page, client.get(page)) for page in pages)
    return [
        page
        for page, answer in answers
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html")
    ]


def parts(html: str) -> set[tuple[str, ...]]:
    """Return the kinds of elements of a page: names, with what types, roles and classes tell."""
    found = set()
    for name, attributes in _ELEMENT.findall(html):
        told = [word for _, words in _ATTRIBUTE.findall(attributes) for word in words.split()]
        found.add((name, *sorted({word for word in told if not _OF_ONE.search(word)})))
    return found


def covering(client: Client, pages: list[str], always: Callable[[str], bool]) -> list[str]:
    """Return few pages of the admin that have every kind of element which any of them has."""
    made_of = {page: parts(client.get(page).content.decode()) for page in pages}
    chosen = [page for page in pages if always(page)]
    seen = set().union(*(made_of[page] for page in chosen))
    while made_of[page := max(pages, key=lambda page: len(made_of[page] - seen))] - seen:
        chosen.append(page)
        seen |= made_of[page]
    return chosen


def walk(
    visits: Visits,
    page: Page,
    pages: list[str],
    barriers: Callable[..., list[str]],
    *,
    has_own_colours: Callable[[str], bool] = lambda _address: True,
) -> str:
    """Return what axe finds on the pages, a line each: everything by day, by night the contrast.

    Colours take longer than all else, so they are looked at where they are a page's own.

    What a page itself complains about stays; that axe writes styles, which the pages' policy
    refuses, does not.
    """
    found = []
    for address in pages:
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        answer = page.goto(address)
        if answer is None or answer.status != 200:
            found.append(f"{address} does not answer")
            continue
        problems = len(visits.problems)
        is_coloured = has_own_colours(address)
        less = {} if is_coloured else {"without": OF_COLOURS, "apart_from": NAVIGATION}
        found += [f"{address} {line}" for line in barriers(page, **less)]
        if is_coloured:
            page.emulate_media(color_scheme="dark", reduced_motion="reduce")
            page.evaluate(SETTLED)
            dim = barriers(page, only=CONTRAST)
            found += [f"{address} in the dark: {line}" for line in dim]
        del visits.problems[problems:]
    return "\n".join(found)


def test_every_page_is_without_barriers(
    portal_page: Visits,
    populated_portal: PopulatedPortal,
    client: Client,
    barriers: Callable[..., list[str]],
) -> None:
    """WCAG 2.2 A and AA hold on each page that somebody who is signed in can open."""
    client.force_login(populated_portal.admin)
    pages = answering(client, [page for page in addresses() if not page.startswith(ELSEWHERE)])
    assert {"/", "/services/", "/slo/users-api-availability/", "/alerts/"} <= set(pages)
    assert walk(portal_page, portal_page(role=Role.ADMIN), pages, barriers) == ""


@pytest.mark.parametrize("kind", ["list", "change"])
def test_admin_is_without_barriers(
    portal_page: Visits,
    populated_portal: PopulatedPortal,
    client: Client,
    barriers: Callable[..., list[str]],
    kind: str,
) -> None:
    """Lists and forms of the admin too, with rows on them; all share the colours of a few."""
    changes = [page for page in addresses() if page.endswith("/change/")]
    pages = ["/admin/", *LISTS] if kind == "list" else changes
    assert len(pages) >= len(LISTS)
    page = portal_page(role=Role.ADMIN)

    def has_own_colours(address: str) -> bool:
        is_form = address.endswith("/change/") and address.startswith(COLOURED_FORMS)
        return is_form or address in COLOURED

    assert sum(map(has_own_colours, pages)) == 3
    if not EVERY_PAGE:
        client.force_login(populated_portal.admin)
        pages = covering(client, pages, has_own_colours)
    assert walk(portal_page, page, pages, barriers, has_own_colours=has_own_colours) == ""


@pytest.mark.parametrize("start", ["/accounts/login/", "/accounts/password/reset/"])
def test_doors_are_without_barriers(
    portal_page: Visits, barriers: Callable[..., list[str]], start: str
) -> None:
    """A stranger meets none before signing in either."""
    assert walk(portal_page, portal_page(), [start], barriers) == ""
