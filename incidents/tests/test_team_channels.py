"""A channel that a team made on its page is called by policies and as the fallback contact."""

import json
import re

import pytest
from django.core import mail
from django.test import Client

from catalog.models import Team
from core.errors import Conflict
from incidents.services import escalation
from incidents.tests.oncall_portal import Portal, portal
from notifications.models import ContactMethod
from notifications.services import contacts
from oncall.models import FallbackContact, PolicyLevel

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def channel(portal: Portal, client: Client) -> ContactMethod:
    """The mailing list of a team of which alice is a member, made and verified on its page."""
    alice = portal.people["alice"]
    team = Team.objects.create(slug="payments", name="Payments")
    team.members.add(alice)
    client.force_login(alice)
    said = {"kind": "email", "address": "payments@example.com", "label": "list"}
    client.post("/contact/teams/payments/", said)
    method = ContactMethod.objects.get(team=team)
    code = re.findall(r"\b\d{6}\b", str(mail.outbox[-1].subject))[0]
    client.post(f"/contact/{method.pk}/verify/", {"code": code})
    return method


def call_first(channel: ContactMethod) -> None:
    """Let the first level call the channel and nobody else."""
    level = PolicyLevel.objects.get(number=1)
    level.targets.all().delete()
    level.targets.create(channel=channel)


def test_a_level_calls_it(portal: Portal, channel: ContactMethod) -> None:
    call_first(channel)
    portal.open_incident()
    (sent,) = portal.post.sent
    assert sent.to == "payments@example.com"
    (page,) = portal.pages()
    assert (page.target, page.person) == (f"channel:{channel.pk}", None)


def test_the_policy_editor_and_its_api_offer_it(
    portal: Portal, channel: ContactMethod, client: Client
) -> None:
    portal.people["alice"].role = "manager"
    portal.people["alice"].save()
    page = client.get("/oncall/policies/standard/edit/").content.decode()
    assert f'value="channel:{channel.pk}"' in page
    levels = [{"number": 1, "name": "L1", "targets": [{"channel": channel.pk}]}]
    answer = client.patch(
        "/api/v1/policies/standard/",
        json.dumps({"levels": levels}),
        content_type="application/json",
    )
    assert answer.status_code == 200, answer.content


def test_the_fallback_contact_may_be_one(portal: Portal, channel: ContactMethod) -> None:
    FallbackContact.objects.create(channel=channel)
    incident = portal.open_incident()
    portal.post.sent.clear()
    escalation.page_fallback(incident, "Nobody could be called.", now=portal.now)
    portal.settle()
    assert [sent.to for sent in portal.post.sent] == ["payments@example.com"]


def test_one_that_is_called_is_not_removed(portal: Portal, channel: ContactMethod) -> None:
    """The level would call nobody, and nobody would have said so."""
    call_first(channel)
    FallbackContact.objects.create(channel=channel)
    with pytest.raises(Conflict, match="called by Standard, the fallback contact: take it out"):
        contacts.remove_method(channel, actor="test", now=portal.now)
    FallbackContact.objects.all().delete()
    PolicyLevel.objects.get(number=1).targets.all().delete()
    contacts.remove_method(channel, actor="test", now=portal.now)
    assert not ContactMethod.objects.filter(pk=channel.pk).exists()
