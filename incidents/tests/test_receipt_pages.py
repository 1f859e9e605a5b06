"""Receipts on pages and in the API: for whoever may know of the incident or alert, and nobody else."""

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import send, signed_in
from catalog.models import Service
from incidents.models import Alert, Incident
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.test_merged_private import SECRET, hidden, merged
from tests.query_counts import AssertQueries

__all__ = ["hidden", "merged", "portal"]

pytestmark = [pytest.mark.django_db]


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def incident(portal: Portal) -> Incident:
    """An incident of two alerts, for which two people were called."""
    found = portal.alert("disk", severity="P0", group_key="g")
    portal.alert("cpu", group_key="g")
    portal.fast_forward(minutes=6)
    assert found is not None
    return found


def test_the_pages_lead_to_the_receipts(incident: Incident) -> None:
    """From "Who was called", and from each alert; a viewer reads them."""
    client, alert = signed_in(Role.VIEWER), Alert.objects.earliest("pk")
    shown = page(client, f"/i/{incident.pk}")
    for address, says in (
        (f"/i/{incident.pk}/receipt/", "alice was called by email at 03:00 UTC because L1 calls"),
        (f"/alerts/{alert.pk}/receipt/", f"It opened #{incident.pk}, for which alice was called"),
    ):
        assert f'href="{address}"' in shown
        assert says in page(client, address)
    assert f'href="/alerts/{alert.pk}/receipt/"' in page(client, "/alerts/")


def test_programs_read_each_rule_with_its_verdict(incident: Incident) -> None:
    api, alert = signed_in(Role.VIEWER), Alert.objects.latest("pk")
    told = send(api, "get", f"incidents/{incident.pk}/receipt/", status=200)
    assert told["answer"].startswith("alice was called by email at 03:00 UTC")
    rules = {each["rule"]: each for part in told["parts"] for each in part["verdicts"]}
    assert rules["message"]["verdict"] == "called"
    assert rules["message"]["facts"]["through"] == [{"kind": "person", "of": "", "shift": ""}]
    assert rules["next"]["at"] == "2026-03-02T03:15:00Z"
    told = send(api, "get", f"alerts/{alert.pk}/receipt/", status=200)
    assert told["answer"].startswith("Nobody was called for it alone")


def test_strangers_find_no_receipt_of_what_is_private(portal: Portal, hidden: Service) -> None:
    private = portal.alert("rival", title=SECRET, service=hidden)
    assert private is not None
    stranger, admin = signed_in(Role.RESPONDER), signed_in(Role.ADMIN)
    for address in (
        f"/i/{private.pk}/receipt/",
        f"/alerts/{Alert.objects.get().pk}/receipt/",
        f"/api/v1/incidents/{private.pk}/receipt/",
        f"/api/v1/alerts/{Alert.objects.get().pk}/receipt/",
    ):
        assert stranger.get(address).status_code == 404
        assert admin.get(address).status_code == 200


def test_what_was_merged_in_stays_with_those_who_may_know(merged: Incident) -> None:
    stranger, admin = signed_in(Role.RESPONDER), signed_in(Role.ADMIN)
    told = page(stranger, f"/i/{merged.pk}/receipt/")
    assert SECRET not in told
    assert f"merged #{merged.pk + 1} into it" in told
    assert SECRET in page(admin, f"/i/{merged.pk}/receipt/")


def test_an_alert_in_anothers_private_incident_tells_its_number_only(
    portal: Portal, incident: Incident, hidden: Service
) -> None:
    """Of an alert that everybody may know of."""
    Incident.objects.filter(pk=incident.pk).update(service=hidden)
    alert = Alert.objects.earliest("pk")
    shown = page(signed_in(Role.RESPONDER), f"/alerts/{alert.pk}/receipt/")
    assert f"It belongs to #{incident.pk}, of which you may know no more than that." in shown
    assert "alice" not in shown


def test_many_calls_and_alerts_ask_nothing_more(
    portal: Portal, incident: Incident, assert_queries: AssertQueries
) -> None:
    portal.fast_forward(hours=3)
    for number in range(20):
        portal.alert(f"more-{number}", severity="P3", group_key="g")
    client, alert = signed_in(Role.VIEWER), Alert.objects.earliest("pk")
    page(client, "/alerts/")
    for name, address in (
        ("/i/1/receipt/", f"/i/{incident.pk}/receipt/"),
        ("/alerts/1/receipt/", f"/alerts/{alert.pk}/receipt/"),
        ("/api/v1/incidents/1/receipt/", f"/api/v1/incidents/{incident.pk}/receipt/"),
        ("/api/v1/alerts/1/receipt/", f"/api/v1/alerts/{alert.pk}/receipt/"),
    ):
        with assert_queries(name):
            client.get(address)
