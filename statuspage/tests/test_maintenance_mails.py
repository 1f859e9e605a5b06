"""Subscribers hear of maintenance: that it comes, begins, is over or was called off, each once."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from catalog.models import Service
from incidents.models import Silence
from incidents.services.maintenance import cancel_maintenance, plan, silence_due
from incidents.services.silences import end_silence
from statuspage.models import (
    Component,
    MaintenanceAnnouncement,
    MaintenanceNotice,
    PublicMaintenance,
)
from statuspage.tests.maintenance_mails import (
    DAY,
    MINUTE,
    Clock,
    clock,
    planned,
    service,
    subscribed,
)
from statuspage.tests.world import HOUR, NOON, SECRET, component, shop

__all__ = ["clock", "service"]

pytestmark = [pytest.mark.django_db]


@pytest.mark.both_databases
def test_maintenance_is_told_from_its_announcement_to_its_end(
    clock: Clock, service: Service
) -> None:
    """Each news once, however often the worker looks, and no internal word in any."""
    planned(service, title="Faster disks", text="All is slow.")
    told = [
        clock.tick(NOON + after)
        for after in (MINUTE, HOUR, 2 * DAY, 2 * DAY + MINUTE, 2 * DAY + HOUR, 3 * DAY)
    ]
    assert told == [
        ["[Scheduled] Faster disks"], [], ["[In progress] Faster disks"], [],
        ["[Completed] Faster disks"], [],
    ]  # fmt: skip
    first = str(mail.outbox[0].body)
    assert "5 May 2026, 12:00 to 5 May 2026, 13:00 UTC" in first
    assert "All is slow." in first
    assert "- Checkout" in first
    assert "/status/#maintenance-" in first
    assert SECRET not in "".join(str(each.message()) for each in mail.outbox)


def test_each_message_has_a_way_out_at_one_click(clock: Clock, service: Service) -> None:
    """As those about incidents (RFC 8058); whoever takes it hears nothing more, and is forgotten."""
    planned(service)
    clock.tick(NOON)
    (message,) = mail.outbox
    assert message.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    way_out = message.extra_headers["List-Unsubscribe"].strip("<>")
    program = Client(enforce_csrf_checks=True)
    said = {"List-Unsubscribe": "One-Click"}
    path = way_out.removeprefix("http://127.0.0.1:8000")
    assert program.post(path, said).status_code == 200
    assert not MaintenanceNotice.objects.exists()
    assert clock.tick(NOON + 2 * DAY) == []


def test_only_those_of_its_components_hear_of_it(clock: Clock, service: Service) -> None:
    """And who chose none, which is all."""
    own, other = Component.objects.get(), component("Other")
    subscribed("own@example.org", own)
    subscribed("other@example.org", other)
    planned(service)
    clock.tick(NOON)
    assert sorted(each.to[0] for each in mail.outbox) == ["eve@example.org", "own@example.org"]


def test_what_is_not_public_is_told_to_nobody(clock: Clock) -> None:
    """Of services without a component, of hidden ones, and what somebody hid; it is told once it is shown."""
    subscribed()
    planned(shop())
    hidden = Service.objects.create(slug="b", name="b", tier=1)
    component("Hidden", service=hidden, is_shown=False)
    quiet = Service.objects.create(slug="c", name="c", tier=1)
    component("Quiet", service=quiet, shows_maintenance=False)
    kept = Service.objects.create(slug="d", name="d", tier=1)
    component("Kept", service=kept)
    for each in (hidden, quiet):
        planned(each)
    row = planned(kept, title="Kept back", is_shown=False)
    assert clock.tick(NOON) == []
    PublicMaintenance.objects.filter(maintenance=row).update(is_shown=True)
    assert clock.tick(NOON + MINUTE) == ["[Scheduled] Kept back"]
    PublicMaintenance.objects.filter(maintenance=row).update(is_shown=False)
    assert clock.tick(NOON + 2 * DAY) == []


def test_what_is_far_away_waits_until_the_page_shows_it(clock: Clock, service: Service) -> None:
    """That is thirty days ahead."""
    planned(service, 40 * DAY)
    assert clock.tick(NOON) == []
    assert clock.tick(NOON + 10 * DAY + MINUTE) == ["[Scheduled] Scheduled maintenance"]


@pytest.mark.both_databases
def test_who_heard_of_it_hears_that_it_was_called_off(clock: Clock, service: Service) -> None:
    """Nobody else, and nothing follows; moved maintenance is called off and planned anew."""
    row = planned(service)
    clock.tick(NOON)
    subscribed("late@example.org")
    cancel_maintenance(row, actor="test", now=NOON + HOUR)
    assert clock.tick(NOON + HOUR) == ["[Cancelled] Scheduled maintenance"]
    assert mail.outbox[-1].to == ["eve@example.org"]
    assert "does not take place" in str(mail.outbox[-1].body)
    assert [clock.tick(NOON + after) for after in (2 * DAY, 3 * DAY)] == [[], []]


def test_work_that_is_ended_early_is_over_then(clock: Clock, service: Service) -> None:
    """Called off while it goes on, it is over, too; the message says until when it went on."""
    row = planned(service, HOUR)
    clock.tick(NOON)
    clock.tick(NOON + HOUR)
    cancel_maintenance(row, actor="test", now=NOON + HOUR + 9 * MINUTE)
    assert clock.tick(NOON + HOUR + 9 * MINUTE) == ["[Completed] Scheduled maintenance"]
    assert "13:00 to 3 May 2026, 13:09 UTC" in str(mail.outbox[-1].body)


@pytest.mark.parametrize("how", ["hidden", "not shown", "deleted"])
def test_who_heard_of_what_is_not_public_any_more_hears_that_it_is_off(
    clock: Clock, service: Service, how: str
) -> None:
    """In neutral words, also where they chose the component that is gone; nothing while it may still be."""
    part = Component.objects.get()
    row = planned(service, title="Faster disks", text="All is slow.")
    clock.tick(NOON)
    if how == "hidden":
        PublicMaintenance.objects.update(is_shown=False)
    elif how == "not shown":
        Component.objects.update(shows_maintenance=False)
    else:
        part.delete()
    assert clock.tick(NOON + MINUTE) == []
    cancel_maintenance(row, actor="test", now=NOON + HOUR)
    assert clock.tick(NOON + HOUR) == ["[Cancelled] Scheduled maintenance"]
    body = str(mail.outbox[-1].body)
    assert "5 May 2026, 12:00" in body
    assert not [
        word for word in ("Faster", "slow", "Concerned", "Checkout", SECRET) if word in body
    ]
    assert clock.tick(NOON + 2 * HOUR) == []


def test_what_is_over_leads_to_the_page(clock: Clock, service: Service) -> None:
    """Not to a place on it that is not there: what is called off is gone, what is over is not listed."""
    row = planned(service)
    planned(service, HOUR)
    for after in (timedelta(), HOUR, 2 * HOUR):
        clock.tick(NOON + after)
    cancel_maintenance(row, actor="test", now=NOON + 3 * HOUR)
    clock.tick(NOON + 3 * HOUR)
    links = {
        str(each.subject).split()[0]: str(each.body).partition("As it stands: ")[2].split()[0]
        for each in mail.outbox
    }
    assert links["[Completed]"] == links["[Cancelled]"] == "http://127.0.0.1:8000/status/"
    assert mail.outbox[-1].subject.startswith("[Cancelled]")


def test_each_occurrence_is_told_as_long_before_as_is_wanted(
    clock: Clock, service: Service, settings: Any
) -> None:
    """However few of them the page has."""
    settings.STATUSPAGE_ANNOUNCE_HOURS = 10 * 24
    planned(service, HOUR, rule="FREQ=DAILY")
    assert len(clock.tick(NOON)) == 10


def test_the_end_of_what_overlaps_is_told(clock: Clock, service: Service) -> None:
    """However many began since."""
    fields = {"service": service, "starts_at": NOON + HOUR, "ends_at": NOON + 12 * HOUR,
              "comment": "disks", "rule": "FREQ=HOURLY;COUNT=10"}  # fmt: skip
    plan(fields=fields, actor="test", now=NOON)
    for after in (timedelta(), HOUR, 2 * HOUR):
        clock.tick(NOON + after)
    assert clock.tick(NOON + 12 * HOUR) == ["[Completed] Scheduled maintenance"]


def test_what_is_called_off_keeps_no_other_back(
    clock: Clock, service: Service, settings: Any
) -> None:
    """The next of what repeats often is told instead."""
    settings.STATUSPAGE_ANNOUNCE_HOURS = 12
    planned(service, HOUR, rule="FREQ=HOURLY;INTERVAL=3")
    clock.tick(NOON)
    silence_due(now=NOON + MINUTE)
    end_silence(Silence.objects.get(), actor="test", now=NOON + 2 * MINUTE)
    told = [subject for n in (2, 3) for subject in clock.tick(NOON + n * MINUTE)]
    assert told == ["[Cancelled] Scheduled maintenance", "[Scheduled] Scheduled maintenance"]
    first = MaintenanceAnnouncement.objects.order_by("-pk")[0]
    assert first.occurrence_at == NOON + 4 * HOUR


def test_an_occurrence_that_is_skipped_is_called_off(clock: Clock, service: Service) -> None:
    """Its silence was ended before it began; the next one is told as ever."""
    planned(service, HOUR, rule="FREQ=WEEKLY")
    clock.tick(NOON)
    silence_due(now=NOON + MINUTE)
    end_silence(Silence.objects.get(), actor="test", now=NOON + 2 * MINUTE)
    assert clock.tick(NOON + 2 * MINUTE) == ["[Cancelled] Scheduled maintenance"]
    assert clock.tick(NOON + 2 * HOUR) == []
    assert clock.tick(NOON + 6 * DAY + HOUR) == ["[Scheduled] Scheduled maintenance"]


def test_repeated_maintenance_is_told_a_day_before_each(clock: Clock, service: Service) -> None:
    """Not all of a year at once."""
    planned(service, 3 * DAY, rule="FREQ=WEEKLY", title="Backups")
    assert clock.tick(NOON) == []
    for week in range(2):
        begins = NOON + 3 * DAY + 7 * week * DAY
        assert clock.tick(begins - DAY - MINUTE) == []
        assert clock.tick(begins - DAY) == ["[Scheduled] Backups"]
        assert "It repeats" in str(mail.outbox[-1].body)
        assert clock.tick(begins) == ["[In progress] Backups"]
        assert clock.tick(begins + HOUR) == ["[Completed] Backups"]


def test_what_repeats_by_the_hour_floods_nobody(clock: Clock, service: Service) -> None:
    """Of all its occurrences of three days one is told about each day, from beginning to end."""
    planned(service, HOUR, rule="FREQ=HOURLY;INTERVAL=2")
    sent = [
        subject for step in range(3 * 24 * 4) for subject in clock.tick(NOON + step * 15 * MINUTE)
    ]
    told = sorted(set(MaintenanceAnnouncement.objects.values_list("occurrence_at", flat=True)))
    assert {later - one for one, later in pairwise(told)} == {20 * HOUR}
    assert sent.count("[Scheduled] Scheduled maintenance") == len(told)
    assert sent.count("[In progress] Scheduled maintenance") == 4


def test_a_reminder_is_sent_where_one_is_wanted(
    clock: Clock, service: Service, settings: Any
) -> None:
    """Once, and not to whom it was told a moment ago."""
    planned(service, 3 * DAY)
    settings.STATUSPAGE_REMIND_HOURS = 24
    assert clock.tick(NOON) == ["[Scheduled] Scheduled maintenance"]
    assert clock.tick(NOON + 2 * DAY) == ["[Reminder] Scheduled maintenance"]
    assert clock.tick(NOON + 2 * DAY + MINUTE) == []
    planned(service, 2 * DAY + 3 * HOUR, title="Soon")
    assert clock.tick(NOON + 2 * DAY + HOUR) == ["[Scheduled] Soon"]
    assert clock.tick(NOON + 2 * DAY + 2 * HOUR) == []


def test_a_worker_that_was_away_tells_no_old_news(clock: Clock, service: Service) -> None:
    """Neither what began nor what ended more than a day ago, nor an end of which nobody knew the beginning."""
    planned(service)
    assert clock.tick(NOON + 4 * DAY) == []
    planned(service, 5 * DAY)
    clock.tick(NOON + 4 * DAY)
    assert clock.tick(NOON + 5 * DAY + 2 * HOUR) == ["[Completed] Scheduled maintenance"]
    assert clock.tick(NOON + 7 * DAY) == []


def test_what_deployments_plan_a_moment_before_is_shown_and_not_mailed(
    clock: Clock, service: Service
) -> None:
    """Unless somebody says something to the public: then, too, when the words come later."""
    for step in range(3):
        clock.now = NOON + step * DAY
        fields = {"service": service, "starts_at": clock.now, "ends_at": clock.now + 10 * MINUTE,
                  "comment": "deployment"}  # fmt: skip
        row = plan(fields=fields, actor="ci", now=clock.now)
        assert "Scheduled maintenance" in Client().get("/status/").content.decode()
        assert clock.tick(clock.now) == []
    PublicMaintenance.objects.create(maintenance=row, title="Faster disks")
    assert clock.tick(clock.now + MINUTE) == ["[In progress] Faster disks"]
    assert clock.tick(clock.now + 10 * MINUTE) == ["[Completed] Faster disks"]


def test_a_title_adds_no_header(clock: Clock, service: Service) -> None:
    """However it is broken into lines."""
    planned(service, title="Disks\r\nBcc: mallory@example.org\x85x\x1cy\u2028z")
    clock.tick(NOON)
    (message,) = mail.outbox
    assert message.message()["Bcc"] is None
    assert "\n" not in message.subject
    assert message.recipients() == ["eve@example.org"]
