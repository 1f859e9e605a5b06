"""What a merge brings into an incident from a private service stays with those who may know of it."""

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import person, send, signed_in
from catalog.models import Service, Team
from incidents.models import Incident, Page
from incidents.services import lifecycle, merging
from incidents.services.bundles import claim_bundles
from incidents.services.messages import message_for
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.test_incident_pages import do

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SECRET = "Takeover of a rival"


@pytest.fixture
def hidden() -> Service:
    owner = Team.objects.create(slug="them", name="Them")
    return Service.objects.create(slug="secret", name="Secret", owner=owner, is_private=True)


@pytest.fixture
def merged(portal: Portal, hidden: Service) -> Incident:
    """An incident that everybody sees, with a private one merged into it, of which more fires since."""
    public = portal.alert("disk")
    source = portal.alert("rival", title=SECRET, service=hidden, group_key="rival")
    assert public is not None
    assert source is not None
    merging.merge(source.pk, into=public.pk, now=portal.now, actor="test")
    assert portal.alert("again", title=SECRET, service=hidden, group_key="rival") == public
    portal.alert("rival", title=SECRET, service=hidden, group_key="rival", firing=False)
    return public


def where_it_is_read(incident: Incident) -> list[str]:
    return [
        f"/i/{incident.pk}",
        f"/i/{incident.pk}?all=1",
        f"/api/v1/incidents/{incident.pk}/",
        f"/api/v1/incidents/{incident.pk}/timeline/",
        f"/api/v1/alerts/?incident={incident.pk}",
        "/incidents/?format=csv",
        "/alerts/?format=csv",
    ]


def read(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return b"".join(answer).decode()


def test_strangers_do_not_read_what_was_merged_in(merged: Incident) -> None:
    """They read that something came and its number, not its title, nor the titles of its alerts."""
    stranger = signed_in(Role.RESPONDER)
    for address in where_it_is_read(merged):
        assert SECRET not in read(stranger, address), address
    source = Incident.objects.exclude(pk=merged.pk).get()
    for address in where_it_is_read(merged)[:4:3]:
        seen = read(stranger, address)
        assert f"#{source.pk}" in seen
        assert "disk is wrong" in seen


def test_whoever_may_know_reads_it_all(merged: Incident, hidden: Service) -> None:
    admin = signed_in(Role.ADMIN)
    assert hidden.owner is not None
    olga, member = person("olga"), Client()
    hidden.owner.members.add(olga)
    member.force_login(olga)
    for client in (admin, member):
        assert SECRET in read(client, f"/i/{merged.pk}")
        assert SECRET in read(client, f"/api/v1/incidents/{merged.pk}/timeline/")


def test_messages_do_not_tell_it(portal: Portal, merged: Incident) -> None:
    """Who is called for the incident that everybody sees hears how many alerts there are."""
    lifecycle.escalate(merged.pk, now=portal.now, actor="test")
    portal.settle()
    said = portal.post.sent[-1].message
    assert f"#{merged.pk}" in said.subject
    assert SECRET not in str(said)
    Page.objects.filter(incident=merged).update(state=Page.State.WAITING, look_at=portal.now)
    bundles, _ = claim_bundles(owner="x", now=portal.now, limit=10)
    texts = [message_for(each.pages, each.key, now=portal.now) for each in bundles]
    assert any("3 alerts" in each.subject for each in texts)
    assert SECRET not in str(texts)


def test_what_is_not_known_is_not_split_off(merged: Incident) -> None:
    """An alert that somebody may not know of is no choice of theirs, on the page or by the API."""
    stranger, own = signed_in(Role.RESPONDER), merged.alerts.get(title=SECRET, state="firing")
    do(stranger, merged, "split", 422, alerts=str(own.pk))
    send(stranger, "post", f"incidents/{merged.pk}/split/", {"alerts": [own.pk]}, status=400)


def test_what_is_split_off_stays_private(merged: Incident, hidden: Service) -> None:
    """Alerts of a private service become an incident of that service."""
    own = merged.alerts.get(title=SECRET, state="firing")
    do(signed_in(Role.ADMIN), merged, "split", alerts=str(own.pk))
    own.refresh_from_db()
    assert own.incident is not None
    assert (own.incident.service, own.incident.title) == (hidden, SECRET)
    assert SECRET not in read(signed_in(Role.VIEWER), "/incidents/")
