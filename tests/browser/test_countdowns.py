"""Timers of an incident count down before the reader's eyes."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from accounts.roles import Role
from core import clock
from incidents.models import Incident
from incidents.services import lifecycle
from incidents.services.lifecycle import Opening
from tests.browser.conftest import Visits

pytestmark = pytest.mark.browser


def test_what_is_left_of_a_promise_counts_down(portal_page: Visits) -> None:
    """Second by second, and then it says how long it is overdue."""
    page = portal_page(role=Role.RESPONDER)
    incident = lifecycle.declare(Opening("P0", "Checkout is down"), now=clock.now(), actor="test")
    # The first response is due within 15 minutes.
    opened_at = clock.now() - timedelta(minutes=15) + timedelta(seconds=5)
    Incident.objects.filter(pk=incident.pk).update(opened_at=opened_at)
    page.goto(f"/i/{incident.pk}")
    response = page.locator("time[data-style=left]").first
    expect(response).to_have_text(re.compile(r"^[1-4] s left$"))
    expect(response).to_have_text("due just now", timeout=8000)
    resolution = page.locator("time[data-style=left]").nth(1)
    expect(resolution).to_have_text(re.compile("^3 h 4[45] min left$"))
