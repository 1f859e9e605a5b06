"""The frame and the components in a real browser, on a desk and on a phone, by day and by night."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from accounts.roles import Role
from tests.browser.conftest import SCREENS, Visits

pytestmark = [pytest.mark.browser, pytest.mark.urls("core.tests.gallery")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_components_are_clean_and_without_barriers(
    portal_page: Visits,
    picture: Callable[[Page, str], Path],
    barriers: Callable[[Page], list[str]],
    scheme: Literal["light", "dark"],
    screen: Literal["desktop", "phone"],
) -> None:
    """Every component obeys the policy and WCAG AA, and none is wider than its screen."""
    page = portal_page(role=Role.ADMIN, color_scheme=scheme, screen=screen)
    page.goto("/")
    picture(page, f"{scheme}-{screen}")
    assert page.evaluate("document.documentElement.scrollWidth") <= SCREENS[screen]["width"]
    assert barriers(page) == []


def test_chosen_theme_stays_and_holds_in_the_admin(portal_page: Visits) -> None:
    """The switch goes from the system's theme to light to dark; the admin follows."""
    page = portal_page(role=Role.ADMIN)
    page.goto("/")
    switch = page.locator("[data-theme-toggle]")
    expect(switch).to_have_attribute("aria-label", "Theme: as the system")
    switch.click()
    switch.click()
    expect(switch).to_have_attribute("aria-label", "Theme: dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    page.goto("/admin/")
    assert page.evaluate(ground) == "rgb(13, 17, 23)"
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_keys_search_help_and_go(portal_page: Visits) -> None:
    """Slash searches, ? helps, g s goes to the services; in a field letters are letters."""
    page = portal_page(role=Role.VIEWER)
    page.goto("/")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("gs?")
    expect(page.locator(".search input")).to_have_value("gs?")
    expect(page.locator("#keys")).to_be_hidden()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/services/")


def test_chart_tells_values_and_zooms(portal_page: Visits) -> None:
    """Pointing shows the values of an instant; a drag puts the window into the address."""
    page = portal_page(role=Role.VIEWER)
    page.goto("/")
    plot = page.locator("#latency .chart-svg")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.7, middle)
    expect(page.locator("#latency .tooltip")).to_contain_text("p99")
    page.mouse.move(box["x"] + box["width"] * 0.28, middle)
    expect(page.locator("#latency .tooltip")).to_contain_text("no data")
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, middle, steps=4)
    page.mouse.up()
    page.wait_for_url(re.compile(r"\?from=2026-11-23T07%3A5\d.*&to=2026-11-23T08%3A[23]\d"))


def test_phone_menu_opens_without_script(portal_page: Visits) -> None:
    """The navigation is reached on a phone even where no script runs."""
    visits = portal_page
    context = visits.browser.new_context(
        base_url=visits.address, java_script_enabled=False, viewport=SCREENS["phone"]
    )
    visits.contexts.append(context)
    signed_in = visits(role=Role.VIEWER, screen="phone")
    context.add_cookies(signed_in.context.cookies())
    page = context.new_page()
    page.goto("/")
    expect(page.locator("#nav")).to_be_hidden()
    page.get_by_role("button", name="Menu", exact=True).click()
    expect(page.locator("#nav")).to_be_visible()
    page.locator("#nav").get_by_role("link", name="Objectives").click()
    page.wait_for_url("**/slo/")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hints_inside_of_fields_have_a_colour_of_text(
    portal_page: Visits, scheme: Literal["light", "dark"]
) -> None:
    """The browser's own grey is too dark for the night; that of hints is checked to be readable."""
    page = portal_page(role=Role.RESPONDER, color_scheme=scheme)
    page.goto("/alerts/silences/new/")
    inside = "getComputedStyle(document.querySelector('textarea'), '::placeholder').color"
    beside = "getComputedStyle(document.querySelector('.field-hint')).color"
    assert page.evaluate(inside) == page.evaluate(beside)
