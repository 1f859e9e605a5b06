"""After a restore of a backup the numbers that came after it are given to other incidents."""

from datetime import timedelta

import pytest
from django.core import signing
from django.test import Client

from incidents.models import Incident
from incidents.services.messages import ack_token, read_ack_token
from incidents.tests.oncall_portal import Portal, portal

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_a_link_answers_no_other_incident_of_its_number(portal: Portal, client: Client) -> None:
    """Else nobody would be called for one that nobody has seen."""
    incident = portal.open_incident()
    token = ack_token(portal.pages()[0])
    link = f"/i/{incident.pk}/ack/{token}/"
    opened_at = incident.opened_at
    Incident.objects.filter(pk=incident.pk).update(opened_at=opened_at + timedelta(minutes=5))
    for answer in (client.get(link), client.post(link)):
        assert answer.status_code == 403
        assert "This link is no longer valid" in answer.content.decode()
    incident.refresh_from_db()
    assert incident.status == "triggered"
    Incident.objects.filter(pk=incident.pk).update(opened_at=opened_at)
    assert "Acknowledged by" in client.post(link).content.decode()


def test_a_call_asks_about_the_incident_that_it_told_of(portal: Portal) -> None:
    incident = portal.open_incident()
    asked = read_ack_token(ack_token(portal.pages()[0]))
    assert asked.is_about(incident)
    incident.opened_at += timedelta(minutes=5)
    assert not asked.is_about(incident)


def test_links_of_earlier_versions_work_on(portal: Portal, client: Client) -> None:
    incident, alice = portal.open_incident(), portal.people["alice"]
    token = signing.dumps([incident.pk, 1, alice.pk], salt="incidents.acknowledge")
    answer = client.post(f"/i/{incident.pk}/ack/{token}/")
    assert "Acknowledged by" in answer.content.decode()


@pytest.mark.parametrize("value", [[], [1], [1, 2], [1, 2, 3, 4, 5], ["a", 1, 1], None, 7])
def test_what_is_signed_but_no_link_is_refused(
    portal: Portal, client: Client, value: object
) -> None:
    incident = portal.open_incident()
    token = signing.dumps(value, salt="incidents.acknowledge")
    assert client.get(f"/i/{incident.pk}/ack/{token}/").status_code in {403, 404}
