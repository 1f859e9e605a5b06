"""Pages of on-call and integrations on the narrowest screens: nothing scrolls sideways, labels are whole."""

import pytest

from accounts.models import User
from accounts.roles import Role
from core import clock
from incidents.domain.formats import generic
from incidents.domain.formats.context import Context
from incidents.services import lifecycle
from incidents.services.lifecycle import Opening
from incidents.services.receiving import RawRequest, take
from incidents.tests.senders import integration_of
from oncall.models import Schedule
from oncall.services.calendars import make_feed
from tests.browser.conftest import Visits
from tests.populated import PopulatedPortal

pytestmark = pytest.mark.browser
WIDEST = "document.documentElement.scrollWidth"
LABELS = """[...document.querySelectorAll('td[data-label]')].map(
  (cell) => parseFloat(getComputedStyle(cell, '::before').width))"""

# What a person on call opens at night, with rows on it, and the forms that they may have to fill in.
AT_NIGHT = (
    "/", "/incidents/", "/i/{incident}", "/incidents/new/", "/alerts/", "/alerts/quiet/",
    "/alerts/silences/new/", "/alerts/maintenance/new/", "/oncall/", "/oncall/schedule-0/",
    "/oncall/schedule-0/edit/", "/oncall/schedule-0/handoff/", "/oncall/policies/ladder-0/edit/",
    "/integrations/", "/integrations/new/", "/contact/", "/slo/users-api-availability/",
)  # fmt: skip


def test_text_twice_as_large_fits_on_a_phone(
    portal_page: Visits, populated_portal: PopulatedPortal
) -> None:
    """WCAG 2.2, 1.4.4: whoever reads large letters scrolls in one direction only."""
    incident = lifecycle.declare(
        Opening("P1", "KubernetesDeploymentReplicasMismatch in production"),
        now=populated_portal.now,
        actor="test",
    )
    page = portal_page(role=Role.ADMIN, screen="phone")
    page.set_viewport_size({"width": 360, "height": 740})
    large = {"fontSizes": {"standard": 32, "fixed": 26}}
    page.context.new_cdp_session(page).send("Page.setFontSizes", large)
    wide = {}
    for address in AT_NIGHT:
        page.goto(address.format(incident=incident.pk))
        if (width := page.evaluate(WIDEST)) > 360:
            wide[address] = width
    assert wide == {}


def test_a_schedule_fits_on_320_pixels(portal_page: Visits) -> None:
    """Long buttons have two lines."""
    Schedule.objects.create(slug="payments", name="Payments")
    page = portal_page(role=Role.MANAGER, screen="phone")
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto("/oncall/payments/")
    assert page.evaluate(WIDEST) <= 320


def test_labels_of_a_card_are_not_written_downwards(portal_page: Visits) -> None:
    """However long what stands beside them is."""
    integration, _ = integration_of("generic")
    raw = RawRequest("/integrations/v1/generic/…", b"{}", "application/json")
    take(integration, raw, lambda: generic.read({}, Context("generic")), now=clock.now())
    page = portal_page(role=Role.MANAGER, screen="phone")
    page.goto(f"/integrations/{integration.pk}/")
    widths = page.evaluate(LABELS)
    assert widths
    assert min(widths) > 25
    assert page.evaluate(WIDEST) <= 390


def test_my_shifts_fit_on_a_phone(portal_page: Visits) -> None:
    """What they are of is read from left to right, and buttons beside a line break no word."""
    page = portal_page(role=Role.MANAGER, screen="phone")
    me, now = User.objects.get(username=Role.MANAGER.value), clock.now()
    schedule = Schedule.objects.create(slug="payments", name="Payments rota")
    layer = schedule.layers.create(name="Days", first_on=now.date(), unit="days", every=7)
    layer.members.create(position=0, person=me)
    make_feed(person=me, schedule=None, now=now)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/oncall/")
    assert page.evaluate(WIDEST) <= 360
    name = page.locator(".rows > li > span", has_text="Payments rota").first
    revoke = page.get_by_role("button", name="Revoke")
    for each, least in ((name, 200), (revoke, 60)):
        box = each.bounding_box()
        assert box
        assert box["width"] >= least, each
