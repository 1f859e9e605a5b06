"""Roles and updates on the page of an incident and by the API: who may, who is told what."""

import re

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.scopes import Scope
from accounts.tests.cast import bearer, person, send, signed_in, token_of
from catalog.models import Service, Team
from core.models import AuditEntry
from incidents.models import Incident, IncidentRole, StatusUpdate
from incidents.tests.oncall_portal import Portal, portal

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def incident(portal: Portal) -> Incident:
    return portal.open_incident("Checkout answers 500")


def client_of(portal: Portal, name: str) -> Client:
    client = Client()
    client.force_login(portal.people[name])
    return client


def press(client: Client, incident: Incident, deed: str, status: int = 302, **fields: str) -> str:
    """Press a button of a role; returns the page that follows."""
    answer = client.post(
        f"/i/{incident.pk}/roles/{deed}/", {"role": "commander", **fields}, follow=status == 302
    )
    assert answer.status_code == (200 if status == 302 else status), answer.content
    return answer.content.decode()


def test_a_role_goes_from_hand_to_hand_on_the_pages(portal: Portal, incident: Incident) -> None:
    alice, bob = client_of(portal, "alice"), client_of(portal, "bob")
    assert "Hand over" in press(alice, incident, "claim")
    assert "alice is commander since 2026-03-02 03:00 UTC." in press(bob, incident, "claim")
    form = alice.get(f"/i/{incident.pk}/roles/offer/?role=commander").content.decode()
    assert '<option value="commander" selected>' in form
    assert "offered to bob by alice" in press(alice, incident, "offer", to="bob")
    assert f"Commander of #{incident.pk} Checkout answers 500" in bob.get("/").content.decode()
    assert "Commander</strong>: bob" in press(bob, incident, "accept")
    assert "You are asked to take a role" not in bob.get("/").content.decode()
    assert "nobody yet" in press(bob, incident, "release")


def test_a_button_of_the_page_works_as_a_browser_presses_it(
    portal: Portal, incident: Incident
) -> None:
    """With the token that the form has, without which nothing that is pressed counts."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(portal.people["alice"])
    page = client.get(f"/i/{incident.pk}").content.decode()
    form = page.split('id="roles"')[1].split("</form>")[0]
    sent = dict(re.findall(r'name="(\w+)" value="(\w+)"', form))
    (address,) = re.findall(r'formaction="([^"]+)"', form)
    assert client.post(address, sent).status_code == 302
    assert IncidentRole.objects.get().holder_name == "alice"


def test_what_cannot_be_is_said_where_it_was_asked(portal: Portal, incident: Incident) -> None:
    alice = client_of(portal, "alice")
    press(alice, incident, "claim", 400, role="captain")
    press(alice, incident, "abdicate", 404)
    assert "Nobody has the role commander." in press(alice, incident, "offer", 422, to="bob")
    assert "Select a valid choice" in press(alice, incident, "offer", 422, to="nobody")
    viewer = person("vera", Role.VIEWER)
    assert "vera" not in alice.get(f"/i/{incident.pk}/roles/offer/").content.decode()
    assert "Select a valid choice" in press(alice, incident, "offer", 422, to=viewer.username)


@pytest.mark.parametrize(
    "page", ["roles/claim/", "roles/offer/", "updates/internal/", "updates/public/"]
)
def test_viewers_read_and_strangers_know_nothing(
    portal: Portal, incident: Incident, page: str
) -> None:
    said = {"role": "commander", "to": "bob", "text": "So.", "state": "resolved"}
    viewer = signed_in(Role.VIEWER)
    assert "Claim" not in viewer.get(f"/i/{incident.pk}").content.decode()
    assert viewer.post(f"/i/{incident.pk}/{page}", said).status_code == 403
    Service.objects.update(is_private=True, owner=Team.objects.create(slug="them", name="Them"))
    assert client_of(portal, "alice").post(f"/i/{incident.pk}/{page}", said).status_code == 404
    assert not IncidentRole.objects.exists()
    assert not StatusUpdate.objects.exists()


def test_roles_by_the_api(portal: Portal, incident: Incident) -> None:
    api, where = client_of(portal, "alice"), f"incidents/{incident.pk}/roles/"
    assert [(row["role"], row["holder"], row["is_free"]) for row in send(api, "get", where, status=200)] == [
        ("commander", "", True), ("communications", "", True), ("operations", "", True),
        ("scribe", "", True),
    ]  # fmt: skip
    said = {"role": "scribe"}
    assert send(api, "post", f"{where}claim/", said, status=200)[3]["holder"] == "alice"
    offered = send(api, "post", f"{where}offer/", {**said, "to": "bob"}, status=200)[3]
    assert (offered["holder"], offered["offered_to"]) == ("alice", "bob")
    bob = client_of(portal, "bob")
    refused = send(bob, "post", f"{where}claim/", said, status=409)
    assert refused["detail"] == "alice is scribe since 2026-03-02 03:00 UTC."
    send(bob, "post", f"{where}decline/", said, status=200)
    send(bob, "post", f"{where}accept/", said, status=409)
    send(bob, "post", f"{where}take-over/", said, status=403)
    send(api, "post", f"{where}release/", said, status=200)
    send(api, "post", f"{where}claim/", {"role": "captain"}, status=400)
    send(api, "post", f"{where}offer/", {**said, "to": "nobody"}, status=400)


def test_what_a_token_claims_is_its_owners_and_done_once(
    portal: Portal, incident: Incident
) -> None:
    token, secret = token_of(portal.people["alice"], Scope.READ, Scope.WRITE)
    headers = {**bearer(secret), "Idempotency-Key": "claim-1"}
    path = f"/api/v1/incidents/{incident.pk}/roles/claim/"
    for replayed in (False, True):
        answer = Client().post(
            path, {"role": "commander"}, content_type="application/json", headers=headers
        )
        assert answer.json()[0]["holder"] == "alice"
        assert ("Idempotency-Replayed" in answer.headers) is replayed
    (entry,) = AuditEntry.objects.filter(act="incident.role_claimed")
    assert entry.actor == token.audit_name


def test_updates_by_the_api_and_public_ones_when_confirmed(
    portal: Portal, incident: Incident
) -> None:
    api, where = client_of(portal, "alice"), f"incidents/{incident.pk}/status-updates/"
    send(api, "post", where, {"audience": "internal", "text": "We roll back."}, status=201)
    said = {"audience": "public", "state": "resolved", "text": "All is well."}
    preview = send(api, "post", where, said, status=200)
    assert preview == {
        "state": "resolved", "text": "All is well.", "at": "2026-03-02T03:00:00Z",
        "doubts": ["The incident is still open here; publishing does not resolve it."],
        "is_published": False,
    }  # fmt: skip
    assert StatusUpdate.objects.count() == 1
    send(api, "post", where, {**said, "confirm": True}, status=201)
    told = send(signed_in(Role.VIEWER), "get", where, status=200)
    assert [(row["audience"], row["state"], row["text"]) for row in told] == [
        ("internal", "", "We roll back."), ("public", "resolved", "All is well."),
    ]  # fmt: skip
    for wrong in (
        {"audience": "public", "text": "So."},
        {**said, "audience": "all"},
        {"text": "x"},
    ):
        send(api, "post", where, wrong, status=400)


def test_the_page_asks_for_an_update_that_is_due(portal: Portal, incident: Incident) -> None:
    client = client_of(portal, "alice")
    for minutes, asks in ((0, ""), (25, "Update soon"), (5, "Update due")):
        portal.fast_forward(minutes=minutes)
        page = client.get(f"/i/{incident.pk}").content.decode()
        assert {word for word in ("Update soon", "Update due") if word in page} == {asks} - {""}
