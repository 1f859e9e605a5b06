"""When those who wait for news of an incident should hear something again."""

from datetime import timedelta

import pytest

from accounts.roles import Role
from accounts.tests.cast import signed_in
from core.pagination import newest
from incidents.models import Incident, ResponseTarget
from incidents.queries.incidents import Clock, clocks
from incidents.services import lifecycle
from incidents.tests.oncall_portal import Portal, portal

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def due(portal: Portal, incident: Incident) -> Clock | None:
    """Return the timer as the page of an incident has it."""
    incident.refresh_from_db()
    newest_first = newest(incident.timeline.order_by("-at", "-pk"), 3)
    found = {each.name: each for each in clocks(incident, newest_first, now=portal.now)}
    return found.get("Next update")


@pytest.mark.parametrize(
    ("severity", "hours"), [("P0", 0.5), ("P1", 1.0), ("P2", 8.0), ("P3", 72.0)]
)
def test_news_are_due_as_often_as_the_severity_asks(
    portal: Portal, severity: str, hours: float
) -> None:
    """Counted from the opening, then from the last note; what else happens tells nobody anything."""
    incident = portal.open_incident(severity=severity)
    every, opened_at = timedelta(hours=hours), incident.opened_at
    assert due(portal, incident) == Clock("Next update", "on_track", opened_at + every)
    portal.now += every * 0.8
    lifecycle.acknowledge(incident.pk, now=portal.now, actor="test")
    assert due(portal, incident) == Clock("Next update", "at_risk", opened_at + every)
    portal.now += every * 0.2
    found = due(portal, incident)
    assert found is not None
    assert found.standing == "breached"
    lifecycle.note(incident.pk, text="Rolled back.", now=portal.now, actor="test")
    assert due(portal, incident) == Clock("Next update", "on_track", portal.now + every)


def test_what_an_admin_edited_holds(portal: Portal) -> None:
    ResponseTarget.objects.filter(severity="P0").delete()
    ResponseTarget.objects.create(
        severity="P0", respond_within=timedelta(minutes=15), resolve_within=timedelta(hours=4),
        update_every=timedelta(minutes=10),
    )  # fmt: skip
    incident = portal.open_incident(severity="P0")
    found = due(portal, incident)
    assert found is not None
    assert found.due_at == incident.opened_at + timedelta(minutes=10)


def test_the_page_asks_for_news_until_it_is_over(portal: Portal) -> None:
    incident = portal.open_incident()
    client = signed_in(Role.RESPONDER)
    assert "Next update" in client.get(f"/i/{incident.pk}").content.decode()
    lifecycle.resolve(incident.pk, now=portal.now, actor="test")
    assert due(portal, incident) is None
    assert "Next update" not in client.get(f"/i/{incident.pk}").content.decode()


def test_a_note_counts_that_is_older_than_all_that_the_page_shows(portal: Portal) -> None:
    incident = portal.open_incident(severity="P0")
    portal.now += timedelta(minutes=20)
    lifecycle.note(incident.pk, text="Rolled back.", now=portal.now, actor="test")
    told_at = portal.now
    for _ in range(4):
        portal.now += timedelta(minutes=1)
        lifecycle.acknowledge(incident.pk, now=portal.now, actor="test")
    found = due(portal, incident)
    assert found is not None
    assert found.due_at == told_at + timedelta(minutes=30)
