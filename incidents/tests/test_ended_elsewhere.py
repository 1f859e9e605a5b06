"""Who ended an incident that a person ended over there, at its sender: that person, not the portal."""

from datetime import UTC, timedelta
from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Role
from incidents.domain.analytics import Share
from incidents.domain.formats import opsgenie, pagerduty_webhooks, sentry
from incidents.domain.formats.context import Context
from incidents.models import Incident, Integration
from incidents.queries.analytics import BEHIND, Question, report, with_facts
from incidents.services import merging
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.opsgenie_sender import Sender, sender
from incidents.tests.test_pagerduty_webhooks import ALICE, Subscription, told

__all__ = ["portal", "sender"]

SHOP = {"id": "PSHOP01", "type": "service_reference", "summary": "Shop"}


def short(portal: Portal) -> Share:
    """Return how many of those that are over ended by themselves soon, as an admin is told."""
    root = User.objects.create_user(f"root-{User.objects.count()}", role=Role.ADMIN)
    until = portal.now + timedelta(hours=1)
    return report(Question(root, until - timedelta(days=1), until, UTC)).now.short


@pytest.mark.parametrize(
    ("agent", "is_person"),
    [
        (ALICE, True),
        ({**ALICE, "type": "user"}, True),
        (SHOP, False),
        ({"type": "user_reference"}, False),
        ("Alice", False),
        (None, False),
    ],
)
def test_pagerduty_says_whether_a_person_did_it(agent: Any, is_person: bool) -> None:
    body = told("incident.resolved")
    body["event"]["agent"] = agent
    (event,) = pagerduty_webhooks.read(body, Context("pagerduty")).events
    assert event.is_person is is_person


@pytest.mark.parametrize(
    ("said", "is_person"),
    [
        ({"user": "ada"}, True),
        ({"user": "ada", "source": "Phone"}, True),
        ({"source": "Alertmanager"}, False),
        ({"user": "Zabbix", "source": "zabbix"}, False),
        ({}, False),
    ],
)
def test_of_opsgenies_api_its_user_is_a_person_and_its_source_a_program(
    said: dict[str, str], is_person: bool
) -> None:
    (event,) = opsgenie.read_action("close", said, Context("opsgenie"), key="k").events
    assert event.is_person is is_person


@pytest.mark.parametrize(("kind", "is_person"), [("user", True), ("application", False)])
def test_sentry_says_whether_a_person_did_it(kind: str, is_person: bool) -> None:
    body = {
        "action": "resolved",
        "actor": {"type": kind, "id": 7, "name": "Ada"},
        "data": {"issue": {"id": "12", "title": "KeyError"}},
    }
    context = Context("sentry", headers={"sentry-hook-resource": "issue"})
    (event,) = sentry.read(body, context).events
    assert (event.actor, event.is_person) == ("Ada", is_person)
    nameless = {**body, "actor": {"type": kind, "id": 7}}
    (event,) = sentry.read(nameless, context).events
    assert (event.actor, event.is_person) == ("", False)


@pytest.mark.django_db
@pytest.mark.both_databases
@pytest.mark.parametrize(("agent", "by"), [(ALICE, "Alice Ames"), (SHOP, "portal")])
def test_what_a_person_resolved_in_pagerduty_is_not_over_by_itself(
    portal: Portal, agent: dict[str, str], by: str
) -> None:
    """The timeline and the figures say so; what its service resolved is over by itself."""
    send = Subscription()
    send(told("incident.triggered", number=1))
    portal.now += timedelta(minutes=2)
    body = told("incident.resolved", number=2, status="resolved")
    body["event"]["agent"] = agent
    send(body)
    incident = Incident.objects.get()
    assert (incident.status, incident.resolved_by) == ("resolved", by)
    entry = incident.timeline.get(act="resolve")
    assert (entry.actor, entry.text) == (by, "All alerts have ended.")
    is_short = by == "portal"
    assert short(portal) == Share(is_short, 1)
    assert with_facts(Incident.objects.all()).filter(BEHIND["short"][1]).exists() is is_short


@pytest.mark.django_db
@pytest.mark.both_databases
def test_who_closed_the_last_alert_ended_it_after_a_hold_as_well(
    sender: Sender, portal: Portal
) -> None:
    """That it waited whether anything comes back changes nothing about who ended it."""
    Integration.objects.update(hold_off=timedelta(minutes=10))
    first = sender.create()
    sender.do("close", {"user": "ada"})
    portal.fast_forward(minutes=10)
    second = sender.create()
    sender.do("close", {"source": "Alertmanager"})
    portal.fast_forward(minutes=10)
    ended = Incident.objects.order_by("pk").values_list("pk", "status", "resolved_by")
    assert list(ended) == [(first.pk, "resolved", "ada"), (second.pk, "resolved", "portal")]


@pytest.mark.django_db
def test_the_last_end_counts(sender: Sender, portal: Portal) -> None:
    """A person closed one alert; the other one was over by itself later, and with it the incident."""
    incident = sender.create()
    other = sender.create(alias="other", message="Other")
    merging.merge(other.pk, into=incident.pk, now=portal.now, actor="test")
    sender.do("close", {"user": "ada"})
    closing = {"source": "Alertmanager"}
    sender.send("POST", "/v2/alerts/other/close?identifierType=alias", closing)
    incident.refresh_from_db()
    assert (incident.status, incident.resolved_by) == ("resolved", "portal")
