"""Each message about maintenance goes out once at most, whatever dies, refuses or came meanwhile."""

import smtplib
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.mail.backends.locmem import EmailBackend
from django.db import transaction

from catalog.models import Service
from core.mail import MayHaveArrived
from incidents.services.maintenance import cancel_maintenance
from statuspage import tasks
from statuspage.domain.maintenance_news import Lead
from statuspage.models import (
    MaintenanceAnnouncement,
    MaintenanceNotice,
)
from statuspage.models.subscribers import Delivery
from statuspage.services import maintenance_news, notices, sending
from statuspage.tests.maintenance_mails import (
    DAY,
    MINUTE,
    Clock,
    clock,
    planned,
    refuse,
    service,
    subscribed,
)
from statuspage.tests.world import HOUR, NOON

__all__ = ["clock", "service"]

pytestmark = [pytest.mark.django_db]
LEAD = Lead(repeated=DAY, reminder=timedelta())


def test_what_was_called_off_before_it_was_sent_is_told_to_nobody(
    clock: Clock, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither that it comes nor that it does not: the mail server took nothing until then."""
    row = planned(service)
    with monkeypatch.context() as patched:
        refuse(patched, smtplib.SMTPResponseException(451, b"later"))
        clock.tick(NOON)
    assert MaintenanceNotice.objects.get().state == Delivery.DUE
    cancel_maintenance(row, actor="test", now=NOON + MINUTE)
    assert clock.tick(NOON + HOUR) == []
    assert MaintenanceNotice.objects.get().state == Delivery.FAILED


def test_what_came_after_it_overtakes_a_message(
    clock: Clock, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that was being sent in that moment, and that the mail server did not take."""
    row = planned(service, HOUR)

    def begin_and_refuse(*_args: Any) -> int:
        clock.now = NOON + HOUR
        maintenance_news.announce_due(lead=LEAD, now=clock.now, is_over=lambda: False)
        raise smtplib.SMTPResponseException(451, b"later")

    with monkeypatch.context() as patched:
        patched.setattr(EmailBackend, "send_messages", begin_and_refuse)
        clock.tick(NOON)
    assert row.announcements.count() == 2
    assert clock.tick(NOON + HOUR + 10 * MINUTE) == ["[In progress] Scheduled maintenance"]
    states = dict(MaintenanceNotice.objects.values_list("announcement__kind", "state"))
    assert states == {"scheduled": Delivery.FAILED, "started": Delivery.SENT}


@pytest.mark.both_databases
def test_a_worker_that_dies_while_it_writes_leaves_nothing(
    clock: Clock, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one writes all of it; one that dies while it sends has its message marked, and doubles none."""
    subscribed("bob@example.org")
    planned(service)
    real = notices.write

    def die(*given: Any) -> int:
        real(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("statuspage.services.maintenance_news.write", die)
        with pytest.raises(KeyboardInterrupt), transaction.atomic():
            clock.tick(NOON)
    assert not MaintenanceAnnouncement.objects.exists()
    with monkeypatch.context() as patched:
        refuse(patched, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            clock.tick(NOON)
    assert len(clock.tick(NOON + MINUTE)) == 1
    assert clock.tick(NOON + 3 * MINUTE) == []
    states = sorted(MaintenanceNotice.objects.values_list("state", flat=True))
    assert states == [Delivery.SENT, Delivery.UNCERTAIN]


def test_two_workers_send_each_message_once(
    clock: Clock, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes while another one sends finds all of it written and claimed."""
    subscribed("bob@example.org")
    planned(service)
    real, sent = EmailBackend.send_messages, []

    def send(backend: EmailBackend, messages: Any) -> int:
        sent.extend(messages)
        tasks.tell()
        return real(backend, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", send)
    clock.tick(NOON)
    assert sorted(each.to[0] for each in sent) == ["bob@example.org", "eve@example.org"]


def test_what_may_have_arrived_is_not_sent_again(
    clock: Clock, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of incidents: once at most."""
    planned(service)
    with monkeypatch.context() as patched:
        refuse(patched, MayHaveArrived("Nothing was heard."))
        clock.tick(NOON)
    assert clock.tick(NOON + HOUR) == []
    assert MaintenanceNotice.objects.get().state == Delivery.UNCERTAIN


def test_notices_are_forgotten_with_what_they_told(clock: Clock, service: Service) -> None:
    """After thirty-five days, and nothing is told again."""
    planned(service)
    for after in (timedelta(), 2 * DAY, 2 * DAY + HOUR):
        clock.tick(NOON + after)
    late = NOON + 2 * DAY + HOUR + sending.KEPT_FOR + MINUTE
    assert sending.forget_old(now=late) == 3
    assert not MaintenanceAnnouncement.objects.exists()
    assert clock.tick(late) == []


@pytest.mark.both_databases
def test_what_the_page_had_before_there_were_messages_is_no_news(
    clock: Clock, service: Service
) -> None:
    """The upgrade sends nothing of what stands or goes on; of what is to come the beginning and end are told."""
    planned(service, title="Planned")
    planned(service, -20 * MINUTE, title="Goes on")
    planned(service, -20 * MINUTE - 7 * DAY, rule="FREQ=WEEKLY", title="Goes on again")
    planned(service, -20 * MINUTE, title="Hidden", is_shown=False)
    planned(service, 40 * DAY, title="Far away")
    upgrade = import_module("statuspage.migrations.0003_maintenance_known_before")
    upgrade.note(apps, None)
    assert not MaintenanceNotice.objects.exists()
    assert [clock.tick(NOON + after) for after in (timedelta(), HOUR)] == [[], []]
    planned(service, title="Planned since")
    assert clock.tick(NOON + HOUR) == ["[Scheduled] Planned since"]
    assert "[In progress] Planned" in clock.tick(NOON + 2 * DAY)
    assert "[Completed] Planned" in clock.tick(NOON + 2 * DAY + HOUR)
    assert clock.tick(NOON + 6 * DAY) == ["[Scheduled] Goes on again"]
    assert "[Scheduled] Far away" in clock.tick(NOON + 11 * DAY)
