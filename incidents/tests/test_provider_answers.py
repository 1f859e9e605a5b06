"""What providers ask for is done: left alone for as long as they say, and not called where nobody is."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db.models import Max

from core.models import AuditEntry
from incidents.models import Attempt, Page
from incidents.tests.oncall_portal import Portal, portal
from notifications.domain.kinds import Kind
from notifications.queries.readiness import readiness_of_people
from notifications.transports import TransportFailed

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def refuse(portal: Portal, monkeypatch: pytest.MonkeyPatch, **how: Any) -> None:
    """Let every message fail in one way."""

    def deliver(*_arguments: Any) -> str:
        raise TransportFailed("The receiver refuses.", **how)

    monkeypatch.setattr(portal.post, "deliver", deliver)


@pytest.mark.parametrize(
    ("asked", "waits"),
    [(0, [5, 15, 30, 60]), (45, [45, 45, 45, 60]), (3600, [60, 60, 60, 60])],
)
def test_a_provider_is_left_alone_for_as_long_as_it_asks(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, asked: int, waits: list[int]
) -> None:
    """A minute at most: who must be called cannot wait for an hour."""
    portal.policy.levels.filter(number__gt=1).delete()
    refuse(portal, monkeypatch, retry_after=timedelta(seconds=asked))
    portal.open_incident(severity="P1")
    portal.fast_forward(minutes=5)
    first = Page.objects.earliest("pk")
    at = list(first.tries.order_by("number").values_list("started_at", flat=True))
    assert [(b - a).total_seconds() for a, b in pairwise(at)] == waits


def test_a_browser_that_has_gone_is_no_way_any_more(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is switched off, so that the account's own address is used from the next call on."""
    portal.policy.levels.filter(number__gt=1).delete()
    alice = portal.people["alice"]
    alice.contact_methods.all().delete()
    method = portal.add_method(alice, Kind.WEB_PUSH)
    with monkeypatch.context() as gone:
        refuse(portal, gone, is_final=True, is_gone=True)
        portal.open_incident(severity="P1")
    method.refresh_from_db()
    assert not method.is_enabled
    assert method.problem == "The receiver refuses."
    assert AuditEntry.objects.filter(act="contact_method.disabled").count() == 1
    assert not readiness_of_people([alice.pk], now=portal.now)[alice.pk].is_reachable
    portal.open_incident("Disk full", severity="P1")
    assert [sent.to for sent in portal.post.sent] == ["alice@example.com"]


def test_what_may_have_arrived_goes_again_only_where_somebody_must_be_woken(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.policy.levels.filter(number__gt=1).delete()
    refuse(portal, monkeypatch, is_uncertain=True)
    for severity in ("P2", "P1"):
        portal.open_incident(severity=severity)
    portal.fast_forward(minutes=2)
    most = Page.objects.values("severity").annotate(most=Max("attempts")).order_by("severity")
    assert [(each["severity"], each["most"]) for each in most] == [("P1", 5), ("P2", 1)]
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"uncertain"}
