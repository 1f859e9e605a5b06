"""What somebody types while an incident goes on is not lost to another button."""

import pytest
from playwright.sync_api import expect

from accounts.roles import Role
from core import clock
from incidents.models import TimelineEntry
from incidents.services import lifecycle
from incidents.services.lifecycle import Opening
from tests.browser.conftest import Visits

pytestmark = pytest.mark.browser


def test_a_note_outlives_the_other_buttons(portal_page: Visits) -> None:
    """Until it is stored: then the box is empty again."""
    page = portal_page(role=Role.RESPONDER)
    incident = lifecycle.declare(Opening("P2", "Checkout is slow"), now=clock.now(), actor="test")
    page.goto(f"/i/{incident.pk}")
    note = page.get_by_label("Note")
    note.fill("It began with the release.")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    expect(note).to_have_value("It began with the release.")
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_text("The note is in the timeline.")).to_be_visible()
    expect(note).to_have_value("")
    page.reload()
    expect(note).to_have_value("")
    assert TimelineEntry.objects.filter(text="It began with the release.").count() == 1


def test_a_refusal_is_where_the_reader_is(portal_page: Visits) -> None:
    """On a phone the form is many screens down: the summary has the focus and leads there."""
    page = portal_page(role=Role.RESPONDER, screen="phone")
    incident = lifecycle.declare(Opening("P2", "Checkout is slow"), now=clock.now(), actor="test")
    page.goto(f"/i/{incident.pk}")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Has to do with").fill("99999")
    page.get_by_role("button", name="Relate").click()
    summary = page.get_by_role("alert").filter(has_text="There is no incident with this number.")
    expect(summary).to_be_focused()
    expect(summary).to_be_in_viewport()
    summary.get_by_role("link").click()
    expect(page.get_by_label("Has to do with")).to_be_focused()
    # The browser's console tells of the refusal, which is meant.
    assert [problem for problem in portal_page.problems if "status of 422" not in problem] == []
    portal_page.problems.clear()
