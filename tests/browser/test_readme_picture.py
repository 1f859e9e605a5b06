"""The README's pictures: the overview by day and by night, of the same minutes at every run."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page

from accounts.roles import Role
from catalog.models import Service
from slo.tests.world import LAG, MINUTE, World
from tests.browser.conftest import Visits

pytestmark = pytest.mark.browser

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

# A minute, in a bad six minutes of the hour.
ERRORS = {"checkout": 20, "search": 1, "users-api": 3}


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a portal that saw an hour of traffic with a few bad minutes, and its clock."""
    made = World()
    for name in ("Checkout", "Search"):
        service = Service.objects.create(slug=name.lower(), name=name)
        made.custom(f"{name.lower()}-success", "0.995", service=service)
    for minute in range(60):
        for service in Service.objects.order_by("slug"):
            bad = ERRORS[service.slug] if 38 <= minute < 44 else 0
            made.serve(480 + 10 * (minute % 7), errors=bad, slow=minute % 9, service=service)
        made.tick()
    monkeypatch.setattr("django.utils.timezone.now", lambda: made.minute + LAG - MINUTE)
    return made


def test_readme_picture(
    portal_page: Visits, picture: Callable[[Page, str], Path], world: World
) -> None:
    """The overview fits a desk and shows every service; `make pictures` keeps what it looks like."""
    page = portal_page(role=Role.ADMIN)
    page.set_viewport_size({"width": 1440, "height": 1280})
    page.clock.set_fixed_time(world.minute + LAG - MINUTE)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.goto("/")
        assert "Checkout" in page.inner_text("main")
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440
        assert picture(page, scheme).stat().st_size > 20_000
