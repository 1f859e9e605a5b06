"""From when on a severity asks for postmortems: from when the admin had it do so."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from core.models import AuditEntry
from incidents.models import Incident, PostmortemPolicy
from incidents.queries.postmortems import demands, is_owed, listed
from incidents.services import lifecycle
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.test_postmortems import over

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

POLICIES = "/admin/incidents/postmortempolicy/"


def save(severity: str, *, required: bool, days: int = 7, moved_to: str = "") -> None:
    """Make or change the policy of a severity in the admin."""
    row = PostmortemPolicy.objects.filter(severity=severity).first()
    kept = moved_to or severity
    sent: dict[str, Any] = {"severity": kept, "within": f"{days} 00:00:00"}
    if required:
        sent["is_required"] = "on"
    at = f"{POLICIES}{row.pk}/change/" if row else f"{POLICIES}add/"
    assert admin().post(at, sent).status_code == 302
    saved = PostmortemPolicy.objects.get(severity=kept)
    assert (saved.is_required, saved.within) == (required, timedelta(days=days))


def admin() -> Client:
    """Return the client of an admin, signed in now."""
    found = User.objects.filter(role=Role.ADMIN).first() or person("root", Role.ADMIN)
    client = Client()
    client.force_login(found)
    return client


def owed(portal: Portal) -> set[int]:
    """Return what owes a postmortem, by the list and by each incident alike."""
    asked = demands()
    each = {row.pk for row in Incident.objects.all() if is_owed(row, asked)}
    assert {row.pk for row in listed(portal.people["alice"], "due", now=portal.now)} == each
    return each


@pytest.mark.parametrize("severity", ["P0", "P1", "P2", "P3"])
def test_what_is_switched_on_asks_for_none_of_before(portal: Portal, severity: str) -> None:
    """A row that was off since January and is on since June: of January to June nothing is owed."""
    save(severity, required=False)
    portal.fast_forward(days=1)
    old = over(portal, severity)
    portal.fast_forward(days=30)
    assert owed(portal) == set()
    save(severity, required=True)
    portal.fast_forward(minutes=1)
    new = over(portal, severity)
    assert owed(portal) == {new.pk}
    assert lifecycle.close(old.pk, now=portal.now, actor="test").status == "closed"


def test_what_is_owed_stays_owed_when_something_else_is_changed(portal: Portal) -> None:
    """Another time is given for it; and a row of what P0 and P1 ask for anyway changes nothing."""
    important = over(portal)
    save("P2", required=True)
    portal.fast_forward(minutes=1)
    minor = over(portal, "P2")
    portal.fast_forward(days=1)
    for severity in ("P1", "P2"):
        save(severity, required=True, days=2)
        save(severity, required=True, days=3)
    assert owed(portal) == {important.pk, minor.pk}


@pytest.mark.parametrize("way", ["own page", "list"])
def test_a_row_that_is_deleted_asks_for_none_of_before(portal: Portal, way: str) -> None:
    """It had P1 ask for none; without it P1 asks for one again."""
    save("P1", required=False)
    over(portal)
    portal.fast_forward(minutes=1)
    row = PostmortemPolicy.objects.get()
    if way == "list":
        chosen = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        admin().post(POLICIES, chosen)
    else:
        admin().post(f"{POLICIES}{row.pk}/delete/", {"post": "yes"})
    assert not PostmortemPolicy.objects.exists()
    portal.fast_forward(minutes=1)
    new = over(portal)
    assert owed(portal) == {new.pk}


def test_a_row_that_becomes_that_of_another_severity_asks_for_none_of_before(
    portal: Portal,
) -> None:
    """Nor does the severity that it was of, if the default asks for one there."""
    save("P1", required=False)
    for severity in ("P1", "P2"):
        over(portal, severity)
    portal.fast_forward(minutes=1)
    save("P1", required=True, moved_to="P2")
    portal.fast_forward(minutes=1)
    new = {over(portal, severity).pk for severity in ("P1", "P2")}
    assert owed(portal) == new


def test_the_audit_tells_of_what_is_asked_for_from_when_on(portal: Portal) -> None:
    """By severity, beside what the admin wrote; what changes nothing there is not told."""
    save("P2", required=True)
    save("P2", required=True, days=2)
    portal.fast_forward(days=1)
    save("P2", required=False)
    told = AuditEntry.objects.filter(subject="incidents.severity:P2").order_by("seq")
    assert list(told.values_list("act", "actor")) == [
        ("postmortem_policy.switched_on", "user:root"),
        ("postmortem_policy.switched_off", "user:root"),
    ]
    row = PostmortemPolicy.objects.get()
    acts = AuditEntry.objects.filter(subject=f"incidents.postmortempolicy:{row.pk}")
    assert acts.count() == 3


def test_a_row_that_was_changed_by_other_means_counts_from_its_last_change(portal: Portal) -> None:
    """Of it nothing tells when it was switched on: it is not held against what was before."""
    row = PostmortemPolicy.objects.create(
        severity="P2", is_required=False, within=timedelta(days=1)
    )
    over(portal, "P2")
    portal.fast_forward(days=30)
    row.is_required = True
    row.save()
    new = over(portal, "P2")
    assert owed(portal) == {new.pk}
