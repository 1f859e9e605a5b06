"""What waits for its end, because it flaps, keeps no page back for ever: calling goes on, and the wait ends."""

from datetime import timedelta

import pytest

from incidents.domain.flapping import HOLD
from incidents.models import Incident
from incidents.services import lifecycle
from incidents.services.auditor import audit_paging
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.test_ending_by_itself import flap

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def called(portal: Portal, since: int) -> list[tuple[int, str]]:
    """Return who was called since so many messages."""
    return portal.paged()[since:]


def test_levels_are_called_while_it_waits_and_none_after_its_end(portal: Portal) -> None:
    """Nobody has answered: a condition that comes and goes is no reason to call nobody else."""
    incident = flap(portal, 3, severity="P0")
    begun, before = portal.now - timedelta(minutes=1), len(portal.paged())
    assert incident.held_until == begun + HOLD
    portal.fast_forward(minutes=14)
    incident.refresh_from_db()
    assert incident.status == "resolved"
    assert called(portal, before) == [(9, "bob"), (19, "carol")]
    after = len(portal.paged())
    portal.fast_forward(hours=3)
    assert called(portal, after) == []
    assert audit_paging(now=portal.now) == []


@pytest.mark.parametrize("severity", ["P0", "P2"])
def test_what_fires_after_it_was_quiet_calls_as_anything_else_does(
    portal: Portal, severity: str
) -> None:
    """Whoever took on what flapped has not taken on this, though it still counts as flapping."""
    incident = flap(portal, 3, severity=severity)
    alice = portal.people["alice"]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    portal.alert(severity=severity)
    portal.fast_forward(minutes=1)
    portal.alert(severity=severity, firing=False)
    # The wait begins anew with each end, and with the last one it ends.
    portal.fast_forward(minutes=14.9)
    incident.refresh_from_db()
    assert (incident.status, incident.held_until) == (
        "acknowledged",
        portal.now + timedelta(minutes=0.1),
    )
    portal.fast_forward(minutes=0.1)
    incident.refresh_from_db()
    assert (incident.status, incident.held_until) == ("resolved", None)
    before = len(portal.paged())
    new = portal.alert(severity=severity)
    assert new is not None
    assert new != incident
    assert [name for _, name in called(portal, before)] == ["alice"]
    assert Incident.objects.open().get() == new
    assert audit_paging(now=portal.now) == []
