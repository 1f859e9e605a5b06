"""Maintenance of a shop whose page has a subscriber, and a clock that tests set."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from catalog.models import Service
from incidents.models import Maintenance
from incidents.services.maintenance import plan
from statuspage import tasks
from statuspage.models import (
    Component,
    PublicMaintenance,
    Subscriber,
)
from statuspage.tests.world import HOUR, NOON, SECRET, component, shop

__all__ = ["DAY", "MINUTE", "Clock", "clock", "planned", "refuse", "service", "subscribed"]

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


class Clock:
    """What time it is, for all that asks."""

    def __init__(self) -> None:
        self.now = NOON

    def tick(self, at: datetime) -> list[str]:
        """Have it be then, and do what the worker does; returns the subjects of what it sent."""
        self.now, before = at, len(mail.outbox)
        tasks.tell()
        return [str(each.subject) for each in mail.outbox[before:]]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Have the clock stand still."""
    clock = Clock()
    monkeypatch.setattr("django.utils.timezone.now", lambda: clock.now)
    return clock


@pytest.fixture
def service() -> Service:
    """Return one that the page shows as a component, with a subscriber of everything."""
    found = shop()
    component(service=found)
    subscribed()
    return found


def subscribed(email: str = "eve@example.org", *parts: Component) -> Subscriber:
    """Make a subscriber who confirmed."""
    row = Subscriber.objects.create(email=email, confirmed_at=NOON)
    row.components.set(parts)
    return row


def planned(
    service: Service, after: timedelta = 2 * DAY, rule: str = "", **words: Any
) -> Maintenance:
    """Plan an hour of work, in public words where there are any."""
    fields = {"service": service, "starts_at": NOON + after, "ends_at": NOON + after + HOUR,
              "comment": f"{SECRET} disks", "rule": rule}  # fmt: skip
    row = plan(fields=fields, actor="test", now=NOON)
    if words:
        PublicMaintenance.objects.create(maintenance=row, **words)
    return row


def refuse(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Have the mail server fail."""

    def fail(*_args: Any) -> int:
        raise error

    monkeypatch.setattr(EmailBackend, "send_messages", fail)
